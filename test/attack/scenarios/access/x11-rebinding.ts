import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pageJson, rowJson } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';
import { attempt, unrefused } from './attempts.ts';

const EVIL = 'evil.example';

/**
 * A web page reads a registry whose source needs a token, and reaches the api by a name of its own that resolves to
 * loopback. Private registries must have no CORS, and no route may answer to a foreign `Host`.
 */
export const rebinding: Scenario = {
  id: 'X11',
  title: 'a web page reads private registries, and rebinds DNS',
  upstreams: {
    private: () => serveHttp((response) => response.end(pageJson([rowJson('private')]))),
  },
  registries: ({ urls: { private: endpoint = '' }, directory }) => {
    const tokenFile = path.join(directory, 'token-of-private');
    writeFileSync(tokenFile, 'token-of-private');
    return [
      { name: 'private', api: { endpoint, auth: { tokenFile } }, syncPolicy: { interval: '5s' } },
    ];
  },
  cause: { run: ['published'] },
  inspect: async ({ fleet: { apiUrl } }) => {
    const gained = await unrefused(
      apiUrl,
      ['/v1/registries', '/queues', '/registry/private/v0.1/servers', '/metrics'].map((route) => ({
        path: route,
        headers: { host: EVIL, origin: `http://${EVIL}` },
      })),
    );
    const read = await attempt(apiUrl, {
      path: '/registry/private/v0.1/servers',
      headers: { origin: `http://${EVIL}` },
    });
    const allowed = read.headers['access-control-allow-origin'];
    return allowed === undefined
      ? gained
      : [...gained, `a private registry answered any origin with ${String(allowed)}`];
  },
};
