import { CODES } from '../../contract.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const KEYS = 80_000;

/** A YAML file with 80,000 keys in one map. Parsing it must take linear time, or end at a CPU deadline. */
export const yamlKeys: Scenario = {
  id: 'X9',
  title: 'YAML with 80,000 keys',
  upstreams: {
    yaml: () => {
      const keys = Array.from({ length: KEYS }, (_, index) => `key${index}: 1`);
      const body = `servers: []\n${keys.join('\n')}\n`;
      return serveHttp((response) => response.end(body));
    },
  },
  registries: ({ urls: { yaml } }) => [
    {
      name: 'yaml',
      file: { url: `${yaml}/registry.yaml` },
      syncPolicy: { interval: '5s' },
      guard: { allowEmpty: true },
    },
  ],
  cause: { run: ['published', CODES.tooLarge, CODES.outOfCpu, CODES.runTimeout] },
};
