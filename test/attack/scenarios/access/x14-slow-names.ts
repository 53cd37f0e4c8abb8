import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { CODES } from '../../contract.ts';
import { pageJson, rowJson } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import { SLOW_NAME } from '../../hostile/slow-name.ts';
import type { Scenario } from '../../scenario.ts';

const PRELOADED = path.join(import.meta.dirname, '../../processes/slow-names.ts');

/**
 * Behind a proxy, a name resolves to a private address, and takes longer than the address check waits. The check must
 * fail closed: the proxy must never be asked for this name.
 */
export const slowNames: Scenario = {
  id: 'X14',
  title: 'a name that resolves slowly, behind a proxy',
  fleet: {
    env: ({ urls: { proxy = '' } }) => ({
      HTTP_PROXY: proxy,
      NO_PROXY: '127.0.0.1',
      NODE_OPTIONS: `--import ${pathToFileURL(PRELOADED).href}`,
    }),
  },
  upstreams: {
    proxy: () =>
      serveHttp((response, { url = '' }) => {
        if (url.includes(SLOW_NAME)) {
          console.log(JSON.stringify({ level: 'info', msg: 'proxy was asked', url }));
        }
        response.end(pageJson([rowJson('inside')]));
      }),
  },
  registries: () => [
    {
      name: 'slow-name',
      file: { url: `http://${SLOW_NAME}/registry.json` },
      syncPolicy: { interval: '2s' },
    },
  ],
  cause: { run: [CODES.addressRefused, CODES.unreachable, CODES.timeout] },
  inspect: async ({ reports }) =>
    reports().some((line) => line.includes('proxy was asked'))
      ? ['the proxy was asked for a name that resolves to a private address']
      : [],
};
