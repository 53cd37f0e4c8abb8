import { CODES } from '../../contract.ts';
import { pump, serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const KEY_BYTES = 1_000_000;
const KEYS = 200;

/** An object with the same key of 1 MB again and again, and one with different ones. Keys must count as bytes. */
export const duplicateKeys: Scenario = {
  id: 'R3',
  title: 'giant keys, the same and different ones',
  upstreams: {
    same: () => serveKeys(() => 'k'),
    different: () => serveKeys((index) => String(index)),
  },
  cause: {
    run: [
      CODES.notARegistry,
      CODES.tooLarge,
      CODES.rowsTooLarge,
      CODES.outOfMemory,
      'held',
      'published',
    ],
  },
};

function serveKeys(key: (index: number) => string): Promise<string> {
  function* chunks() {
    yield '{"servers":[{"name":"com.hostile/keys","version":"1","description":"d","x":{"a":1';
    for (let index = 0; index < KEYS; index += 1) {
      yield `,"${key(index).padEnd(KEY_BYTES, 'k')}":1`;
    }
    yield '}}]}';
  }
  return serveHttp((response) => void pump(response, chunks()).then(() => response.end()));
}
