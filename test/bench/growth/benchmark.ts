import { compileGlob } from '@syncline/rows/filter';
import { parseBody } from '@syncline/rows/parse';
import type { Benchmark, Figure } from '../benchmark.ts';
import { alternate } from '../measure/statistics.ts';

const ROUNDS = 7;
const TIMES = 4;
const KEYS = 20_000;
const NAME_LENGTH = 1_000;
const MATCHES = 2_000;

/** Measures whether hostile input costs more time than its size explains. Quadratic time gives a ratio of four. */
export const growth: Benchmark = {
  name: 'growth',
  about: `hostile input of ${TIMES} times the size, against ${TIMES} times the time of the smaller input`,
  run: async () => [
    await compare(`YAML: a map of ${KEYS * TIMES} keys`, (factor) => {
      const body = Buffer.from(serverWith(KEYS * factor));
      return () => void parseBody(body, { syntax: 'yaml' });
    }),
    await compare(`glob *a*a*a*b: a name of ${NAME_LENGTH * TIMES} characters`, (factor) => {
      const matches = compileGlob('*a*a*a*b');
      const name = 'a'.repeat(NAME_LENGTH * factor);
      return () => {
        for (let match = 0; match < MATCHES; match += 1) matches(name);
      };
    }),
  ],
};

/** Compares the work for {@link TIMES} times the size with {@link TIMES} times the work for the size. */
async function compare(what: string, workOf: (factor: number) => () => void): Promise<Figure> {
  const [small, large] = [workOf(1), workOf(TIMES)];
  const times = await alternate(ROUNDS, {
    baseline: async () => TIMES * tookMs(small),
    syncline: async () => tookMs(large),
  });
  return { what, unit: 'ms', ...times };
}

function tookMs(work: () => void): number {
  const startedAtMs = performance.now();
  work();
  return performance.now() - startedAtMs;
}

function serverWith(keys: number): string {
  const entries = Array.from({ length: keys }, (_, index) => `key-${index}: x`);
  return `name: a/b\nversion: '1'\ndescription: x\n${entries.join('\n')}\n`;
}
