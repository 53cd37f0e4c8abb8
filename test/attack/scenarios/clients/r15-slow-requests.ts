import { ADMIN_TOKEN } from '../../contract.ts';
import { occupy } from '../../hostile/flood.ts';
import { pump, repeated } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const CONNECTIONS = 600;
const KINDS = [
  // The head, one letter a second.
  { start: 'GET / HTTP/1.1\r\nx-slow: ', chunk: 'x', pauseMs: 1_000 },
  // A body of one byte a second, with a valid token.
  {
    start: `POST /v1/sync HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\ncontent-type: application/json\r\ncontent-length: 16000\r\n\r\n{`,
    chunk: ' ',
    pauseMs: 1_000,
  },
  // Chunks with long extensions.
  {
    start: 'POST /v1/sync HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n',
    chunk: `1;${'e'.repeat(10_000)}\r\n \r\n`,
    pauseMs: 20,
  },
] as const;

/** Slow heads, slow bodies and bodies of chunk extensions. Each connection must end after a time. */
export const slowRequests: Scenario = {
  id: 'R15',
  title: '600 slow requests: heads, bodies, chunk extensions',
  clients: (target) => {
    let number = 0;
    return occupy(target, CONNECTIONS, (socket) => {
      number += 1;
      const { start, chunk, pauseMs } = KINDS[number % KINDS.length] ?? KINDS[0];
      socket.resume();
      socket.write(start);
      void pump(socket, repeated(chunk), { pauseMs });
    });
  },
  cause: { answer: ['connected'] },
};
