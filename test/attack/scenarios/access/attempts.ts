import { request as httpRequest } from 'node:http';
import { REFUSED_STATUSES } from '../../contract.ts';

export interface Attempt {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

export interface AttemptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Sends a request with exactly these headers, including any `Host`, which `fetch` would not send. */
export function attempt(
  url: string,
  { method = 'GET', path, headers = {}, body }: Attempt,
): Promise<AttemptAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url + path,
      {
        method,
        agent: false,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
      },
    );
    request.once('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Makes attempts that the api must refuse. Returns those that it did not refuse. */
export async function unrefused(
  url: string,
  attempts: readonly Attempt[],
): Promise<readonly string[]> {
  const gained: string[] = [];
  for (const one of attempts) {
    const { status } = await attempt(url, one);
    if (REFUSED_STATUSES.includes(status)) continue;
    const headers = JSON.stringify(one.headers ?? {});
    gained.push(`${one.method ?? 'GET'} ${one.path} with ${headers} answered ${status}`);
  }
  return gained;
}
