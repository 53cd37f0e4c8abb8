import { request } from 'node:http';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Whether to leave the request unfinished: the rest of the body never comes. */
  readonly isUnfinished?: boolean;
}

/** Sends a request with exactly this path and these headers. `fetch` would change them. */
export async function rawRequest(port: number, options: RawRequest): Promise<RawAnswer> {
  const { method = 'GET', path, headers = {}, body, isUnfinished = false } = options;
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
    let text = '';
    response
      .setEncoding('utf8')
      .on('data', (part: string) => {
        text += part;
      })
      .on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      })
      .on('error', reject);
  });
  outgoing.on('error', reject);
  if (isUnfinished) outgoing.write(body ?? '');
  else outgoing.end(body);
  return promise.finally(() => outgoing.destroy());
}
