import { CODES } from '../../contract.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const DIGITS = 20_000_000;

/** A number of twenty million digits, and a million numbers that are too large. Parsing must have a CPU deadline. */
export const numbers: Scenario = {
  id: 'R8',
  title: 'numbers of millions of digits, and millions of numbers',
  upstreams: {
    digits: () => serveRow('7'.repeat(DIGITS)),
    infinite: () => serveRow(`[${'1e400,'.repeat(1_000_000)}1]`),
  },
  cause: {
    run: [
      CODES.tooLarge,
      CODES.rowsTooLarge,
      CODES.outOfMemory,
      CODES.outOfCpu,
      'published',
      'held',
    ],
  },
};

function serveRow(value: string): Promise<string> {
  const server = '{"name":"com.hostile/number","version":"1.0.0","description":"d","x":';
  const body = `{"servers":[{"server":${server}${value}}}],"metadata":{"count":1}}`;
  return serveHttp((response) => response.end(body));
}
