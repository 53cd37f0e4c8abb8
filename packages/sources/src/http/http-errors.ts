import { SynclineError } from '@syncline/contract';
import type { Dispatcher } from 'undici';

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
