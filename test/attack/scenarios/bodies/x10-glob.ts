import { pageJson } from '../../hostile/rows.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const ROWS = 50;
const NAME_BYTES = 600;

/** The longest names meet a filter with many stars. The matcher must take linear time. */
export const glob: Scenario = {
  id: 'X10',
  title: 'a filter with many stars, and long names',
  upstreams: {
    glob: () => {
      const rows = Array.from({ length: ROWS }, (_, index) => {
        const name = `com.hostile/${'a'.repeat(NAME_BYTES - 20)}${index}`;
        return JSON.stringify({ server: { name, version: '1.0.0', description: 'a row' } });
      });
      return serveHttp((response) => response.end(pageJson(rows)));
    },
  },
  registries: ({ urls: { glob: endpoint = '' } }) => [
    {
      name: 'glob',
      api: { endpoint },
      filter: { names: { exclude: ['*a*a*a*b', '*a*a*a*a*a*a*b'] } },
      syncPolicy: { interval: '5s' },
    },
  ],
  cause: { run: ['published'] },
};
