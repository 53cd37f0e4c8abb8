import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { CODES } from '../../contract.ts';
import { pageJson, pageNumberOf, rowJson } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const ROWS_ON_A_PAGE = 100;
const ROW_BYTES = 480_000;
const PAGES = 40;
const compress = promisify(gzip);

/**
 * The first walk finds five tiny rows. Each later walk finds pages of 100 changed rows of 480 KB, compressed to a
 * hundredth. The retained rows must be counted, so that the run fails before the process runs out of memory.
 */
export const largeRows: Scenario = {
  id: 'X1',
  title: 'pages of large rows, compressed',
  upstreams: {
    'large-rows': () => {
      let walk = 0;
      return serveHttp(async (response, { url }) => {
        const page = pageNumberOf(url);
        if (page === 0) walk += 1;
        const body = walk === 1 ? tinyPage() : largePage(page, walk);
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(await compress(body));
      });
    },
  },
  cause: {
    run: [CODES.outOfMemory, CODES.tooLarge, CODES.rowsTooLarge, CODES.overQuota, 'held'],
  },
};

function tinyPage(): string {
  return pageJson(['a', 'b', 'c', 'd', 'e'].map((name) => rowJson(name)));
}

function largePage(page: number, walk: number): string {
  const rows = Array.from({ length: ROWS_ON_A_PAGE }, (_, index) =>
    rowJson(`row-${page}-${index}`, { padding: `${walk} `.repeat(ROW_BYTES / 2) }),
  );
  return pageJson(rows, page + 1 < PAGES ? String(page + 1) : undefined);
}
