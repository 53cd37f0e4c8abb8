import { CODES } from '../../contract.ts';
import { pageJson, pageNumberOf } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const PAGES = 500;
const ROWS_ON_A_PAGE = 200;

/**
 * A hundred thousand versions of one name, with versions that are long and hard to compare. Finding the latest one
 * must not take quadratic time, for a run or for a reader of its versions.
 */
export const oneName: Scenario = {
  id: 'R5',
  title: 'a hundred thousand versions of one name',
  upstreams: {
    'one-name': () =>
      serveHttp((response, { url }) => {
        const page = pageNumberOf(url);
        const rows = Array.from({ length: ROWS_ON_A_PAGE }, (_, index) => {
          const version = `1.0.0-${'0.'.repeat(100)}${page * ROWS_ON_A_PAGE + index}`;
          return JSON.stringify({
            server: { name: 'com.hostile/one', version, description: 'a row' },
          });
        });
        response.end(pageJson(rows, page + 1 < PAGES ? String(page + 1) : undefined));
      }),
  },
  cause: {
    run: ['published', CODES.tooLarge, CODES.serverTooLarge, CODES.overQuota, CODES.outOfCpu],
  },
  clients: async ({ apiUrl, signal, tally }) => {
    while (!signal.aborted) {
      tally.requests += 1;
      const path = `/registry/one-name/v0.1/servers/${encodeURIComponent('com.hostile/one')}/versions`;
      const response = await fetch(apiUrl + path).catch(() => undefined);
      await response?.arrayBuffer().catch(() => {});
      tally.count(response?.status ?? 'error');
    }
  },
};
