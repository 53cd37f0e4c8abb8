import { CODES } from '../../contract.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const LEVELS = 30;

/** A YAML file whose aliases expand to a billion values, and one with a value that contains itself. */
export const yamlAliases: Scenario = {
  id: 'R4',
  title: 'YAML aliases that expand to a billion values',
  upstreams: {
    aliases: () => {
      const levels = Array.from(
        { length: LEVELS },
        (_, index) => `a${index + 1}: &a${index + 1} [${`*a${index},`.repeat(10)}]`,
      );
      const body = `a0: &a0 [x,x]\n${levels.join('\n')}\nservers: *a${LEVELS}\n`;
      return serveHttp((response) => response.end(body));
    },
    loop: () => serveHttp((response) => response.end('servers: &s\n  - name: a\n    self: *s\n')),
  },
  registries: ({ urls }) =>
    Object.entries(urls).map(([name, url]) => ({
      name,
      file: { url: `${url}/registry.yaml` },
      syncPolicy: { interval: '5s' },
    })),
  cause: {
    run: [CODES.tooLarge, CODES.notJson, CODES.tooDeep, CODES.notARegistry, CODES.outOfCpu, 'held'],
  },
};
