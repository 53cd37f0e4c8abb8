import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How many further requests a client may send before it gets the response to the first one. */
const MAX_PIPELINED = 16;

type Exchange = readonly [request: IncomingMessage, response: ServerResponse];

/**
 * Handles the requests of one connection one after the other. Node would handle all pipelined requests at once, and
 * would keep their responses in memory until the client reads.
 *
 * @param onTooMany called for a client that pipelines too many requests. It must close the connection
 */
export function oneAtATime(
  handle: RequestListener,
  onTooMany: (socket: Socket) => void,
): RequestListener {
  const pipelined = new WeakMap<Socket, Exchange[]>();

  return (request, response) => {
    const { socket } = request;
    // The rest of what has already been read of a closed connection.
    if (!isOpen(socket)) return;
    const waiting = pipelined.get(socket);
    if (waiting === undefined) {
      pipelined.set(socket, []);
      run([request, response]);
    } else if (waiting.length < MAX_PIPELINED) {
      waiting.push([request, response]);
    } else {
      onTooMany(socket);
    }
  };

  function run([request, response]: Exchange): void {
    const { socket } = request;
    response.once('close', () => {
      const next = isOpen(socket) ? pipelined.get(socket)?.shift() : undefined;
      if (next === undefined) pipelined.delete(socket);
      else run(next);
    });
    handle(request, response);
  }
}

/** Returns whether a response can still be sent. After the last response of a connection, Node closes it a moment later. */
function isOpen(socket: Socket): boolean {
  return !socket.destroyed && socket.writable;
}
