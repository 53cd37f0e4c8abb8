import { CODES } from '../../contract.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const LEVELS = 5_000_000;

/** Five million nested lists, and as many nested objects. The depth must be checked before parsing. */
export const nesting: Scenario = {
  id: 'R1',
  title: 'five million nested levels',
  upstreams: {
    lists: () => serveHttp((response) => response.end('['.repeat(LEVELS))),
    objects: () => serveHttp((response) => response.end('{"a":'.repeat(LEVELS))),
  },
  cause: { run: [CODES.tooDeep, CODES.tooLarge, CODES.notJson] },
};
