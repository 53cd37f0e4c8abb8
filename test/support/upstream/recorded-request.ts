import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request as it arrived. */
export interface RecordedRequest {
  /** 1 for the first that the upstream got. */
  readonly number: number;
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** Epoch milliseconds. */
  readonly arrivedAtMs: number;
  /** Whether the client got its whole answer, or went away earlier. */
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
