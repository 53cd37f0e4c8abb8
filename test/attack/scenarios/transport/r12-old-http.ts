import { CODES } from '../../contract.ts';
import { pump, repeated, serveRaw } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const MB = 1_000_000;

/**
 * Answers of HTTP/1.0 and HTTP/0.9 without a length, with two lengths, with a length that is a lie, and connections
 * that break at once. Each must end as a failed run, without an end to the memory of the worker.
 */
export const oldHttp: Scenario = {
  id: 'R12',
  title: 'HTTP/1.0 without an end, false lengths, broken connections',
  upstreams: {
    endless: () => serveText('HTTP/1.0 200 OK\r\n\r\n{"servers":[', true),
    'no-head': () => serveText('{"servers":[', true),
    'two-lengths': () =>
      serveText('HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 50000\r\n\r\n', true),
    'false-length': () =>
      serveText('HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n{', false),
    broken: () => serveRaw((socket) => socket.resetAndDestroy()),
  },
  cause: {
    run: [
      CODES.tooLarge,
      CODES.unreachable,
      CODES.notJson,
      CODES.tooSlow,
      CODES.timeout,
      CODES.outOfMemory,
    ],
  },
};

function serveText(start: string, isEndless: boolean): Promise<string> {
  return serveRaw((socket) => {
    socket.write(start);
    if (isEndless) void pump(socket, repeated(Buffer.alloc(MB, ' ')));
  });
}
