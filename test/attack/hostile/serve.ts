import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Answers a request. What it returns is ignored, unless it is a promise that rejects: that breaks the connection. */
export type Answer = (response: ServerResponse, request: IncomingMessage) => unknown;

/** Starts a hostile HTTP server. It ends with its process. Returns its URL. */
export async function serveHttp(answer: Answer): Promise<string> {
  const server = createHttpServer((request, response) => {
    // The attacked process may break the connection at any time.
    response.on('error', () => {});
    const answered = async () => answer(response, request);
    answered().catch(() => response.destroy());
  });
  return listen(server);
}

/** Starts a hostile server that speaks anything but good HTTP. It gets the head of each first request. */
export async function serveRaw(answer: (socket: Socket, head: string) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    let head = '';
    const take = (chunk: Buffer) => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', take);
      socket.resume();
      answer(socket, head);
    };
    socket.on('data', take);
  });
  return listen(server);
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The address of a server that listens on TCP always has this type.
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

interface Sink {
  readonly destroyed: boolean;
  write(chunk: string | Uint8Array): boolean;
  once(event: 'drain' | 'close', listener: () => void): unknown;
  off(event: 'drain' | 'close', listener: () => void): unknown;
}

/** Writes chunks as fast as the reader takes them, until there are no more, or the reader goes away. */
export async function pump(
  sink: Sink,
  chunks: Iterable<string | Uint8Array>,
  { pauseMs = 0 }: { readonly pauseMs?: number } = {},
): Promise<void> {
  for (const chunk of chunks) {
    if (sink.destroyed) return;
    if (!sink.write(chunk)) await drained(sink);
    if (pauseMs > 0) await sleep(pauseMs);
  }
}

function drained(sink: Sink): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      sink.off('drain', go);
      sink.off('close', go);
      resolve();
    };
    sink.once('drain', go);
    sink.once('close', go);
    // The reader may have gone away before the listener was added.
    if (sink.destroyed) go();
  });
}

/** Yields the same chunk again and again. */
export function* repeated(
  chunk: string | Uint8Array,
  times = Infinity,
): Generator<string | Uint8Array> {
  for (let index = 0; index < times; index += 1) yield chunk;
}
