import { CODES } from '../../contract.ts';
import { pump, repeated, serveRaw } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

/** As long as the parser of Node permits. */
const EXTENSION_BYTES = 15_000;

/**
 * Chunks of one byte, with and without long extensions. Bytes on the wire must count, and many small chunks must not
 * each keep a buffer of the socket.
 */
export const chunkExtensions: Scenario = {
  id: 'X7c',
  title: 'chunks of one byte with long extensions',
  upstreams: {
    extensions: () => serveChunks(`1;${'e'.repeat(EXTENSION_BYTES)}\r\n \r\n`),
    bytes: () => serveChunks('1\r\n \r\n'.repeat(2_000)),
  },
  cause: {
    run: [CODES.tooLarge, CODES.tooSlow, CODES.unreachable, CODES.outOfMemory, CODES.timeout],
  },
};

function serveChunks(chunk: string): Promise<string> {
  return serveRaw((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
    void pump(socket, repeated(chunk));
  });
}
