import type { IncomingMessage } from 'node:http';

/** Returns the address of the client that sent a request. */
export type ClientAddress = (request: Pick<IncomingMessage, 'socket' | 'headers'>) => string;

/** Creates a function that returns the address at the other end of the connection. */
export function createClientAddress(): ClientAddress {
  return ({ socket }) => socket.remoteAddress ?? '';
}
