import { CODES } from '../../contract.ts';
import { pump, repeated, serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const MB = 1_000_000;

/**
 * Bodies whose parse trees are far larger than their bytes, or that are large in other ways: nine million keys, one
 * text of 450 MB, and 500 MB of white space. Bodies and parse trees must draw on the memory budget of the process.
 */
export const parseTrees: Scenario = {
  id: 'X7b',
  title: 'nine million keys, a text of 450 MB, 500 MB of white space',
  upstreams: {
    keys: () =>
      serveHttp((response) => {
        response.write('{"servers":[],"x":{"k":0');
        void pump(response, keyChunks()).then(() => response.end('}}'));
      }),
    text: () =>
      serveHttp((response) => {
        response.write('{"servers":[{"name":"com.hostile/text","version":"1","description":"');
        void pump(response, repeated(Buffer.alloc(MB, 'x'), 450)).then(() => response.end('"}]}'));
      }),
    space: () =>
      serveHttp((response) => {
        void pump(response, repeated(Buffer.alloc(MB, ' '), 500)).then(() =>
          response.end('{"servers":[]}'),
        );
      }),
  },
  cause: {
    run: [
      CODES.tooLarge,
      CODES.rowsTooLarge,
      CODES.outOfMemory,
      CODES.overQuota,
      CODES.notARegistry,
      CODES.tooSlow,
      'published',
      'held',
    ],
  },
};

const KEYS = 9_000_000;
const KEYS_IN_A_CHUNK = 10_000;

function* keyChunks(): Generator<string> {
  for (let first = 0; first < KEYS; first += KEYS_IN_A_CHUNK) {
    const keys = Array.from({ length: KEYS_IN_A_CHUNK }, (_, index) => `"k${first + index}":0`);
    yield `,${keys.join(',')}`;
  }
}
