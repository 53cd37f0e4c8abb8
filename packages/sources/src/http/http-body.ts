import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { SynclineError } from '@syncline/contract';
import type { Dispatcher } from 'undici';
import type { UpstreamUsage } from '../source.ts';
import { place } from './place.ts';
import type { RequestPace } from './request-pace.ts';

/**
 * The maximum compression ratio of a body. JSON compresses to about a tenth of its size, so a body with a
 * larger ratio is probably an attack.
 */
const MAX_UNPACK_RATIO = 250;
/** The limit of the ratio does not apply to smaller bodies, because they are harmless. */
const RATIO_COUNTS_FROM_BYTES = 16 * 1024 * 1024;

export interface BodyOptions {
  readonly url: URL;
  /** The largest size of the body. It applies to the compressed and to the decompressed size. */
  readonly maxBytes: number;
  readonly upstream: UpstreamUsage;
  readonly pace: RequestPace;
  /** Counts bytes of the body as they are on the wire. */
  readonly counted: (bytes: number) => void;
  readonly take: TakeChunk;
}

/** Takes a part of a body, and must copy it. A promise means that this process waits for memory. */
export type TakeChunk = (chunk: Buffer) => Promise<void> | undefined;

/**
 * Decompresses a body and passes it to `take`, chunk by chunk.
 *
 * @throws SynclineError `source-too-large`; `source-not-json` for an encoding other than gzip, or invalid
 *   gzip; `source-unreachable` for truncated gzip
 */
export async function readBody(
  response: Pick<Dispatcher.ResponseData, 'headers' | 'body'>,
  options: BodyOptions,
): Promise<void> {
  const { url, maxBytes } = options;
  const encoding = String(response.headers['content-encoding'] ?? '').toLowerCase();
  const isPacked = encoding === 'gzip' || encoding === 'x-gzip';
  try {
    if (!isPacked && encoding !== '' && encoding !== 'identity') {
      const shown = JSON.stringify(encoding.slice(0, 40));
      throw notJson(
        url,
        `a body with the encoding ${shown}. Configure the server to send gzip or no encoding`,
      );
    }
    if (Number(response.headers['content-length']) > maxBytes)
      throw tooLarge(url, `${maxBytes} bytes`);
    options.pace.startBody();
    const { countPacked, read } = meter(options);
    // If one stream of a pipeline fails, `pipeline` ends the other streams and throws the error here.
    if (isPacked) await pipeline(response.body, countPacked, createGunzip(), read);
    else await pipeline(response.body, countPacked, read);
  } catch (error) {
    response.body.on('error', () => {}).destroy();
    throw isPacked ? unpackError(url, error) : error;
  }
}

function meter({ url, maxBytes, upstream, pace, counted, take }: BodyOptions) {
  let packedBytes = 0;
  let bytes = 0;
  return {
    async *countPacked(body: AsyncIterable<Buffer>) {
      for await (const chunk of body) {
        packedBytes += chunk.length;
        pace.took(chunk.length);
        counted(chunk.length);
        // The limit also ends a compressed body that decompresses to nothing.
        if (packedBytes > maxBytes) throw tooLarge(url, `${maxBytes} bytes`);
        yield chunk;
      }
    },
    async read(body: AsyncIterable<Buffer>) {
      for await (const chunk of body) {
        bytes += chunk.length;
        upstream.bytes += chunk.length;
        if (bytes > maxBytes) throw tooLarge(url, `${maxBytes} bytes`);
        const isBomb = bytes > packedBytes * MAX_UNPACK_RATIO;
        if (isBomb && bytes > RATIO_COUNTS_FROM_BYTES) {
          throw tooLarge(url, `${MAX_UNPACK_RATIO} times its compressed size`);
        }
        const taking = take(chunk);
        if (taking !== undefined) await pace.pause(taking);
      }
    },
  };
}

function tooLarge(url: URL, limit: string): SynclineError {
  return new SynclineError('source-too-large', `${place(url)} sent a body of more than ${limit}`);
}

function notJson(url: URL, what: string, cause?: unknown): SynclineError {
  return new SynclineError('source-not-json', `${place(url)} sent ${what}`, { cause });
}

function unpackError(url: URL, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'Z_BUF_ERROR') {
    const what = `the connection to ${place(url)} closed before the response was complete`;
    return new SynclineError('source-unreachable', what, { cause: error });
  }
  if (!code.startsWith('Z_')) return error;
  return notJson(url, 'a body that is not valid gzip, although its headers say gzip', error);
}

/** The longest wait that an upstream can request. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

export function statusError(
  url: URL,
  { statusCode, headers }: Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>,
): SynclineError {
  const retryAfterMs = parseRetryAfter(headers['retry-after'], Date.now());
  return new SynclineError(
    statusCode === 429 ? 'source-rate-limited' : 'source-http-status',
    `${place(url)} answered with status ${statusCode}`,
    { status: statusCode, ...(retryAfterMs !== undefined && { retryAfterMs }) },
  );
}

/** Returns the error for a failed connection, or for an incomplete response. */
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
 * Returns how many milliseconds a `Retry-After` header asks to wait. The header contains a number of
 * seconds or an HTTP date.
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
