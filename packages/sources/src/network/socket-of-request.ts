import { subscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';

type OnSocket = (socket: Socket) => void;

/** undici creates the request synchronously in the call that sends it. */
let sending: OnSocket | undefined;
const listeners = new WeakMap<object, OnSocket>();

/*
 * undici does not tell which connection carries a request, except on its documented diagnostics channels.
 */
subscribe('undici:request:create', (message) => {
  const request = requestOf(message);
  if (sending !== undefined && request !== undefined) listeners.set(request, sending);
});
subscribe('undici:client:sendHeaders', (message) => {
  const request = requestOf(message);
  const listener = request === undefined ? undefined : listeners.get(request);
  if (listener === undefined || typeof message !== 'object' || message === null) return;
  if ('socket' in message && message.socket instanceof Socket) listener(message.socket);
});

function requestOf(message: unknown): object | undefined {
  if (typeof message !== 'object' || message === null || !('request' in message)) return undefined;
  const { request } = message;
  return typeof request === 'object' && request !== null ? request : undefined;
}

/** Calls `onSocket` with the connection that carries the request, before the request is sent. */
export function withSocket<Result>(onSocket: OnSocket, send: () => Result): Result {
  sending = onSocket;
  try {
    return send();
  } finally {
    sending = undefined;
  }
}
