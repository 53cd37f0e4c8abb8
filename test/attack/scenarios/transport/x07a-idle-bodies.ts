import { CODES } from '../../contract.ts';
import { pump, repeated, serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const MB = 1_000_000;
const SIZE_MB = 400;

/** Twelve bodies of 400 MB stop just before their ends. Bytes that wait must count, and must go with a slow body. */
export const idleBodies: Scenario = {
  id: 'X7a',
  title: 'twelve bodies of 400 MB that go idle',
  upstreams: Object.fromEntries(
    Array.from({ length: 12 }, (_, index) => [`idle-${index + 1}`, serveIdle]),
  ),
  registries: ({ urls }) =>
    Object.entries(urls).map(([name, endpoint]) => ({
      name,
      api: { endpoint, timeout: '15m' },
      syncPolicy: { interval: '5s' },
    })),
  cause: { run: [CODES.tooSlow, CODES.tooLarge, CODES.outOfMemory] },
};

function serveIdle(): Promise<string> {
  return serveHttp((response) => {
    response.write('{"servers":[],"x":"');
    void pump(response, repeated(Buffer.alloc(MB, 'x'), SIZE_MB));
  });
}
