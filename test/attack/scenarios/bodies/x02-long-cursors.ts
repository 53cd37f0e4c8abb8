import { CODES } from '../../contract.ts';
import { pageJson, rowJson } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const CURSOR_BYTES = 40_000_000;

/** Each page names a new cursor of 40 MB. A cursor must have a limit, and seen cursors must not be kept whole. */
export const longCursors: Scenario = {
  id: 'X2',
  title: 'a cursor of 40 MB on each page',
  upstreams: {
    'long-cursors': () => {
      let pages = 0;
      return serveHttp((response) => {
        pages += 1;
        response.end(pageJson([rowJson(`row-${pages}`)], `${pages}-`.padEnd(CURSOR_BYTES, 'c')));
      });
    },
  },
  cause: { run: [CODES.cursorTooLong, CODES.tooLarge] },
};
