import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SynclineError } from '@syncline/contract';
import { Agent, type Dispatcher, interceptors } from 'undici';
import type { UpstreamUsage } from '../ports.ts';

const DEFAULT_USER_AGENT = 'syncline (+https://github.com/syncline/syncline)';
const CONNECT_TIMEOUT_MS = 10_000;
const MAX_REDIRECTIONS = 5;
/** Bounds what an upstream can make us wait, however sincerely it asks. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

export interface HttpRequest {
  readonly url: URL;
  readonly timeoutMs: number;
  /** Of the body, decompressed. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly upstream: UpstreamUsage;
}

/** Gets whole bodies from upstreams, within limits. One a process: it keeps connections. */
export class HttpClient {
  readonly #agent: Agent;
  readonly #dispatcher: Dispatcher;
  readonly #userAgent: () => string;

  /** @param options.userAgent asked for at each request, so that it follows the config */
  constructor({ userAgent }: { userAgent: () => string | undefined }) {
    this.#agent = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS } });
    this.#dispatcher = this.#agent.compose(
      interceptors.redirect({ maxRedirections: MAX_REDIRECTIONS, throwOnMaxRedirect: true }),
    );
    this.#userAgent = () => userAgent() ?? DEFAULT_USER_AGENT;
  }

  /**
   * The body of a 200.
   *
   * @throws SynclineError `source-http-status`, `source-rate-limited`, `source-timeout`,
   *   `source-too-large`, `source-unreachable`; the signal's reason where it was aborted
   */
  async get(request: HttpRequest): Promise<Uint8Array> {
    const { url, timeoutMs, signal, upstream } = request;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      upstream.requests += 1;
      const response = await this.#dispatcher.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'GET',
        headers: {
          accept: 'application/json',
          'accept-encoding': 'gzip',
          'user-agent': this.#userAgent(),
        },
        signal: AbortSignal.any([signal, timeout]),
      });
      if (response.statusCode !== 200) throw await statusError(url, response);
      return await readBody(response, request);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof SynclineError) throw error;
      throw timeout.aborted ? timeoutError(request) : unreachable(url, error);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

async function readBody(
  response: Dispatcher.ResponseData,
  { url, maxBytes, upstream }: HttpRequest,
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  const read = async (body: AsyncIterable<Buffer>) => {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      upstream.bytes += chunk.length;
      if (size > maxBytes) throw bodyTooLarge(url, maxBytes);
    }
  };
  // A pipeline, so that an error of either stream ends both and is thrown here, and nowhere else.
  if (response.headers['content-encoding'] === 'gzip') {
    await pipeline(response.body, createGunzip(), read);
  } else {
    await pipeline(response.body, read);
  }
  return Buffer.concat(chunks, size);
}

function bodyTooLarge(url: URL, maxBytes: number): SynclineError {
  return new SynclineError('source-too-large', `${place(url)} sent more than ${maxBytes} bytes`, {
    expected: 'a body within that limit',
  });
}

/** A URL as it may be shown: without user, password, query. */
function place(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

async function statusError(url: URL, response: Dispatcher.ResponseData): Promise<SynclineError> {
  // Read to the end, so that the connection can be used again; `dump` bounds how much that may be.
  await response.body.dump().catch(() => {});
  const { statusCode } = response;
  const retryAfterMs = parseRetryAfter(response.headers['retry-after'], Date.now());
  return new SynclineError(
    statusCode === 429 ? 'source-rate-limited' : 'source-http-status',
    `${place(url)} answered ${statusCode}`,
    {
      expected: '200',
      status: statusCode,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  );
}

function timeoutError({ url, timeoutMs }: HttpRequest): SynclineError {
  return new SynclineError('source-timeout', `${place(url)} did not answer within ${timeoutMs} ms`);
}

function unreachable(url: URL, cause: unknown): SynclineError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const what = code === '' || detail.includes(code) ? detail : `${detail} (${code})`;
  return new SynclineError('source-unreachable', `cannot reach ${place(url)}: ${what}`, { cause });
}

/**
 * Milliseconds to wait, from a `Retry-After` header: seconds, or an HTTP date.
 *
 * @see RFC 9110, section 10.2.3
 */
export function parseRetryAfter(
  header: string | string[] | undefined,
  nowMs: number,
): number | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined) return undefined;
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  if (Number.isNaN(waitMs)) return undefined;
  return Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
}
