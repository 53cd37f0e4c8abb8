import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pageJson, rowJson } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';
import { attempt } from './attempts.ts';

const TOKEN = 'echoed-token-1f8e-77aa-4c1b';
const HEADER = 'echoed-header-3b6c-9d20';

/** An upstream writes the token and the headers that it received into its rows, also encoded. Nobody may read them. */
export const echoedCredentials: Scenario = {
  id: 'X15',
  title: 'an upstream writes its credentials into rows',
  upstreams: {
    echo: () =>
      serveHttp((response, { headers }) => {
        const { authorization = '' } = headers;
        const key = String(headers['x-api-key']);
        const base64 = Buffer.from(authorization.slice('Bearer '.length)).toString('base64');
        response.end(
          pageJson([
            rowJson('echo', { description: `${authorization} ${key}`, websiteUrl: base64 }),
            rowJson(`echo-${key}`, { [authorization]: [key] }),
          ]),
        );
      }),
  },
  registries: ({ urls: { echo: endpoint = '' }, directory }) => {
    const file = (name: string, content: string) => {
      const target = path.join(directory, name);
      writeFileSync(target, content, { mode: 0o600 });
      return target;
    };
    return [
      {
        name: 'echo',
        api: {
          endpoint,
          auth: { tokenFile: file('echo-token', TOKEN) },
          headers: { 'X-Api-Key': { file: file('echo-header', HEADER) } },
        },
        syncPolicy: { interval: '5s' },
      },
    ];
  },
  cause: {},
  inspect: async ({ fleet: { apiUrl } }) => {
    const routes = ['/registry/echo/v0.1/servers?limit=100', '/v1/registries/echo/runs'];
    const texts = await Promise.all(
      routes.map(async (route) => (await attempt(apiUrl, { path: route })).text),
    );
    const needles = [TOKEN, HEADER, Buffer.from(TOKEN).toString('base64')];
    return needles
      .filter((needle) => texts.some((text) => text.includes(needle)))
      .map((needle) => `an answer contained ${needle}`);
  },
};
