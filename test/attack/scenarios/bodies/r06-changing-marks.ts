import { generateRows } from '../../../support/rows/generate.ts';
import { CODES } from '../../contract.ts';
import { pageJson } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const ROWS = 5_000;

/**
 * The same large file with a new `ETag` at each request, and a small one that answers `304` to a first request. The
 * first costs only its own turns, and the second never counts as synced.
 */
export const changingMarks: Scenario = {
  id: 'R6',
  title: 'an ETag that changes at each request, and 304 to everybody',
  upstreams: {
    flapping: () => {
      const body = pageJson(generateRows({ count: ROWS }).map((row) => JSON.stringify(row)));
      let requests = 0;
      return serveHttp((response) => {
        requests += 1;
        response.writeHead(200, { etag: `"${requests}"` }).end(body);
      });
    },
    'not-modified': () => serveHttp((response) => response.writeHead(304).end()),
  },
  registries: ({ urls }) =>
    Object.entries(urls).map(([name, url]) => ({
      name,
      file: { url: `${url}/registry.json` },
      syncPolicy: { interval: '1s' },
    })),
  cause: {
    run: ['published', 'unchanged', CODES.notJson, 'source-http-status'],
    doctor: ['not-modified'],
  },
};
