import { CODES } from '../../contract.ts';
import { pump, repeated, serveRaw } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

/**
 * Responses whose headers never end: one letter a second, a flood of header lines, one header of many MB, and
 * endless informational responses. The headers must have limits of size and time.
 */
export const slowHeaders: Scenario = {
  id: 'R10',
  title: 'response headers that are slow, huge or endless',
  upstreams: {
    slow: () => serveHeaders(() => repeated('x'), 1_000),
    lines: () => serveHeaders(() => repeated('x-header: value\r\n'.repeat(1_000)), 0),
    huge: () => serveHeaders(() => repeated('x'.repeat(100_000)), 0),
    informational: () =>
      serveRaw((socket) => {
        void pump(socket, repeated('HTTP/1.1 102 Processing\r\n\r\n'), { pauseMs: 5 });
      }),
  },
  cause: {
    run: [CODES.tooSlow, CODES.timeout, CODES.unreachable, CODES.tooLarge, CODES.notJson],
  },
};

function serveHeaders(
  chunks: () => Iterable<string | Uint8Array>,
  pauseMs: number,
): Promise<string> {
  return serveRaw((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nx-slow: ');
    void pump(socket, chunks(), { pauseMs });
  });
}
