import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SynclineError } from '@syncline/contract';
import type { Dispatcher } from 'undici';
import type { UpstreamUsage } from '../source.ts';

/** JSON packs to a tenth or so; what unpacks to so many times its size was made to. */
const MAX_UNPACK_RATIO = 250;
/** Small bodies may: they do no harm. */
const RATIO_COUNTS_FROM_BYTES = 16 * 1024 * 1024;

export interface BodyOptions {
  readonly url: URL;
  /** Of the body as it is sent, and as it is unpacked. */
  readonly maxBytes: number;
  readonly upstream: UpstreamUsage;
  readonly take: (chunk: Buffer) => void;
}

/**
 * Hands a body to `take`, unpacked, a chunk at a time.
 *
 * @throws SynclineError `source-too-large`; `source-not-json` where it is packed in a way that we did not
 *   ask for, or wrongly; `source-unreachable` where a packed one ends before its end
 */
export async function readBody(
  response: Pick<Dispatcher.ResponseData, 'headers' | 'body'>,
  options: BodyOptions,
): Promise<void> {
  const { url, maxBytes } = options;
  const encoding = String(response.headers['content-encoding'] ?? '').toLowerCase();
  const isPacked = encoding === 'gzip' || encoding === 'x-gzip';
  try {
    if (!isPacked && encoding !== '' && encoding !== 'identity') throw badEncoding(url, encoding);
    if (Number(response.headers['content-length']) > maxBytes) throw tooLarge(url, maxBytes);
    const { countPacked, read } = meter(options);
    // A pipeline, so that an error of either stream ends both and is thrown here, and nowhere else.
    if (isPacked) await pipeline(response.body, countPacked, createGunzip(), read);
    else await pipeline(response.body, read);
  } catch (error) {
    response.body.on('error', () => {}).destroy();
    throw isPacked ? unpackError(url, error) : error;
  }
}

function meter({ url, maxBytes, upstream, take }: BodyOptions) {
  let packedBytes = 0;
  let bytes = 0;
  return {
    async *countPacked(body: AsyncIterable<Buffer>) {
      for await (const chunk of body) {
        packedBytes += chunk.length;
        // Also what unpacks to nothing must end.
        if (packedBytes > maxBytes) throw tooLarge(url, maxBytes);
        yield chunk;
      }
    },
    async read(body: AsyncIterable<Buffer>) {
      for await (const chunk of body) {
        bytes += chunk.length;
        upstream.bytes += chunk.length;
        if (bytes > maxBytes) throw tooLarge(url, maxBytes);
        const isBomb = packedBytes > 0 && bytes > packedBytes * MAX_UNPACK_RATIO;
        if (isBomb && bytes > RATIO_COUNTS_FROM_BYTES) throw bomb(url);
        take(chunk);
      }
    },
  };
}

function tooLarge(url: URL, maxBytes: number): SynclineError {
  return new SynclineError('source-too-large', `${place(url)} sent more than ${maxBytes} bytes`, {
    expected: 'a body within that limit',
  });
}

function bomb(url: URL): SynclineError {
  return new SynclineError(
    'source-too-large',
    `${place(url)} sent a body that unpacks to more than ${MAX_UNPACK_RATIO} times its size`,
    { expected: 'a registry' },
  );
}

function badEncoding(url: URL, encoding: string): SynclineError {
  const shown = JSON.stringify(encoding.slice(0, 40));
  return new SynclineError('source-not-json', `${place(url)} sent a body encoded as ${shown}`, {
    expected: 'gzip or no encoding, as was asked for',
  });
}

function unpackError(url: URL, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'Z_BUF_ERROR') {
    const what = `the answer of ${place(url)} ended before its end`;
    return new SynclineError('source-unreachable', what, { cause: error });
  }
  if (!code.startsWith('Z_')) return error;
  return new SynclineError('source-not-json', `${place(url)} sent a body that is no gzip`, {
    expected: 'gzip, as its headers say',
    cause: error,
  });
}

/** Bounds what an upstream can make us wait, however sincerely it asks. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/** A URL as it may be shown: without user, password, query. */
export function place(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

export function statusError(
  url: URL,
  { statusCode, headers }: Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>,
): SynclineError {
  const retryAfterMs = parseRetryAfter(headers['retry-after'], Date.now());
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

export function timeoutError(url: URL, timeoutMs: number): SynclineError {
  return new SynclineError('source-timeout', `${place(url)} did not answer within ${timeoutMs} ms`);
}

/** What became of a connection, or of an answer on its way. */
export function connectionError(url: URL, cause: unknown): SynclineError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (/HEADERS?_OVERFLOW/.test(code)) {
    return new SynclineError('source-too-large', `${place(url)} sent too many headers`, { cause });
  }
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
