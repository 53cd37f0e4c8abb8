import { CODES } from '../../contract.ts';
import { cursorOf, pageJson, rowJson } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

/**
 * Cursors that lead in a circle, and cursors that never end, each with one tiny row. Walks must end by a repeated
 * cursor, a limit of rows or time, and must not hold up others meanwhile.
 */
export const cursorLoops: Scenario = {
  id: 'R7',
  title: 'cursors in a circle, and without an end',
  upstreams: {
    circle: () =>
      serveHttp((response, { url }) => {
        const next = (Number(cursorOf(url) || 0) + 1) % 3;
        response.end(pageJson([rowJson(`row-${next}`)], String(next)));
      }),
    endless: () => {
      let pages = 0;
      return serveHttp((response) => {
        pages += 1;
        response.end(pageJson([rowJson(`row-${pages}`)], `cursor-${pages}`));
      });
    },
  },
  registries: ({ urls }) =>
    Object.entries(urls).map(([name, endpoint]) => ({
      name,
      api: { endpoint },
      syncPolicy: { interval: '5s', timeout: '20s' },
    })),
  cause: { run: [CODES.cursorRepeated, CODES.runTimeout, CODES.tooLarge, CODES.tooSlow] },
};
