import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request as the upstream received it. */
export interface RecordedRequest {
  /** The number of the request. The first request has the number 1. */
  readonly number: number;
  readonly method: string;
  /** The raw path and query. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** The time of arrival, in epoch milliseconds. */
  readonly arrivedAtMs: number;
  /** Whether the client received the complete answer, or disconnected earlier. */
  readonly ended: Promise<'answered' | 'aborted'>;
}

export function recordRequest(
  number: number,
  incoming: IncomingMessage,
  response: ServerResponse,
): RecordedRequest {
  const target = incoming.url ?? '/';
  const [path = '', search = ''] = target.split('?', 2);
  const { promise, resolve } = Promise.withResolvers<'answered' | 'aborted'>();
  response.once('close', () => resolve(response.writableFinished ? 'answered' : 'aborted'));
  return {
    number,
    method: incoming.method ?? 'GET',
    target,
    path,
    query: new URLSearchParams(search),
    headers: incoming.headers,
    arrivedAtMs: Date.now(),
    ended: promise,
  };
}
