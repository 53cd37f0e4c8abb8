import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { CODES } from '../../contract.ts';
import { flood } from '../../hostile/flood.ts';
import { pageJson, pageNumberOf, rowJson } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const ROW_BYTES = 250_000;
const ROWS_ON_A_PAGE = 40;
const PAGES = 100;
const CLIENTS = 60;
const compress = promisify(gzip);

/**
 * A registry of 4,000 rows just below the limit of a row takes little room in Redis and one GB in memory. Sixty
 * clients read its largest pages, and search it. Caches and answers must be bounded by bytes.
 */
export const largeAnswers: Scenario = {
  id: 'X3',
  title: 'sixty clients read and search a registry of large rows',
  upstreams: {
    large: () =>
      serveHttp(async (response, { url }) => {
        const page = pageNumberOf(url);
        const rows = Array.from({ length: ROWS_ON_A_PAGE }, (_, index) =>
          rowJson(`row-${page}-${index}`, { padding: 'q1 '.repeat(ROW_BYTES / 3) }),
        );
        const body = pageJson(rows, page + 1 < PAGES ? String(page + 1) : undefined);
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(await compress(body));
      }),
  },
  registries: ({ urls: { large: endpoint = '' } }) => [
    { name: 'large', api: { endpoint }, syncPolicy: { interval: '1h' } },
  ],
  cause: {
    run: ['published', CODES.tooLarge, CODES.rowsTooLarge, CODES.overQuota, CODES.outOfMemory],
  },
  clients: (target) =>
    flood(target, CLIENTS, (number) => ({
      path: `/registry/large/v0.1/servers?limit=100&${number % 2 === 0 ? 'search=q1' : `cursor=&n=${number}`}`,
    })),
};
