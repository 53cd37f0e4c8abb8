import { randomBytes } from 'node:crypto';
import { CODES } from '../../contract.ts';
import { pageJson, pageNumberOf, rowJson } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const ROW_BYTES = 20_000;
const ROWS_ON_A_PAGE = 200;
const PAGES = 60;
const NOISE_BYTES = 16_000_000;

/**
 * A registry of 240 MB, of which nothing compresses well, changes at each check, in a Redis with a small limit.
 * Failed publications must not fill the store, and a full store must be named as such.
 */
export const quota: Scenario = {
  id: 'X8',
  title: '240 MB that change at each check, in a Redis with a limit',
  fleet: { redis: { maxmemory: '300mb' } },
  upstreams: {
    changing: () => {
      const noise = randomBytes(NOISE_BYTES).toString('base64url');
      let walk = 0;
      return serveHttp((response, { url }) => {
        const page = pageNumberOf(url);
        if (page === 0) walk += 1;
        const rows = Array.from({ length: ROWS_ON_A_PAGE }, (_, index) => {
          const row = page * ROWS_ON_A_PAGE + index;
          const start = (row * 7_919 + walk * 104_729) % (noise.length - ROW_BYTES);
          return rowJson(`row-${row}`, { padding: noise.slice(start, start + ROW_BYTES) });
        });
        response.end(pageJson(rows, page + 1 < PAGES ? String(page + 1) : undefined));
      });
    },
  },
  cause: {
    run: [
      CODES.overQuota,
      CODES.storeOverQuota,
      CODES.storeFull,
      CODES.outOfMemory,
      CODES.tooLarge,
    ],
  },
};
