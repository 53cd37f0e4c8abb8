import { setTimeout as sleep } from 'node:timers/promises';
import { SynclineError } from '@syncline/contract';
import type { HttpClient } from './http.ts';
import type { Probe, Source, SourceContext, TakeBody } from './source.ts';

const PAGE_ROWS = 100;
const MAX_PAGES = 50_000;
const MAX_PAGE_BYTES = 64 * 1024 * 1024;
const MAX_TOTAL_BYTES = 8 * 1024 * 1024 * 1024;

/** How often a page is asked for before the walk gives up; a failing registry gets one try only. */
const ATTEMPTS_PER_PAGE = 3;
const FIRST_RETRY_DELAY_MS = 1_000;
/** A longer `Retry-After` ends the run, and sets when the next one may begin. */
const LONGEST_WAIT_IN_RUN_MS = 30_000;

export interface ApiSourceOptions {
  readonly endpoint: string;
  /** Of each request. */
  readonly timeoutMs: number;
  readonly http: HttpClient;
}

/**
 * A registry that serves the MCP Registry API, read by walking all its pages. The cursor is passed back
 * verbatim, whatever it looks like.
 *
 * @see the MCP Registry API, `GET /v0.1/servers`
 */
export class ApiSource implements Source {
  readonly #options: ApiSourceOptions;

  constructor(options: ApiSourceOptions) {
    this.#options = options;
  }

  /** The API has no mark for its whole state: isLatest and bodies change without a new `updatedAt`. */
  async probe(): Promise<Probe> {
    return { state: 'changed' };
  }

  async fetch(take: TakeBody, context: SourceContext): Promise<{ revision: undefined }> {
    const cursors = new Set<string>();
    const bytesBefore = context.upstream.bytes;
    let rowCount = 0;
    for (let cursor: string | undefined, page = 1; ; page += 1) {
      const { rowCount: rowsOfPage, nextCursor } = await take(await this.#getPage(cursor, context));
      rowCount += rowsOfPage;
      context.report(`read ${rowCount} rows in ${page} pages`);
      if (nextCursor === undefined) return { revision: undefined };
      if (cursors.has(nextCursor)) throw repeatedCursor(nextCursor);
      if (page >= MAX_PAGES) throw tooLarge(`more than ${MAX_PAGES} pages`);
      if (context.upstream.bytes - bytesBefore > MAX_TOTAL_BYTES) {
        throw tooLarge(`more than ${MAX_TOTAL_BYTES} bytes`);
      }
      cursors.add(nextCursor);
      cursor = nextCursor;
    }
  }

  async #getPage(cursor: string | undefined, context: SourceContext): Promise<Uint8Array> {
    const url = new URL(`${this.#options.endpoint.replace(/\/+$/, '')}/v0.1/servers`);
    url.searchParams.set('limit', String(PAGE_ROWS));
    url.searchParams.set('include_deleted', 'true');
    if (cursor !== undefined) url.searchParams.set('cursor', cursor);
    const attempts = context.status.consecutiveFailures > 0 ? 1 : ATTEMPTS_PER_PAGE;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#options.http.get({
          url,
          timeoutMs: this.#options.timeoutMs,
          maxBytes: MAX_PAGE_BYTES,
          signal: context.signal,
          upstream: context.upstream,
        });
      } catch (error) {
        const delayMs = retryDelayMs(error, attempt);
        if (attempt >= attempts || delayMs === undefined) throw error;
        await sleep(delayMs, undefined, { signal: context.signal });
      }
    }
  }
}

/** How long to wait before a page is asked for again; `undefined` where that would not help. */
function retryDelayMs(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof SynclineError)) return undefined;
  const passing =
    error.code === 'source-rate-limited' ||
    error.code === 'source-timeout' ||
    error.code === 'source-unreachable' ||
    (error.code === 'source-http-status' && (error.status ?? 0) >= 500);
  if (!passing) return undefined;
  const delayMs = error.retryAfterMs ?? FIRST_RETRY_DELAY_MS * 2 ** (attempt - 1);
  return delayMs > LONGEST_WAIT_IN_RUN_MS ? undefined : delayMs;
}

function repeatedCursor(cursor: string): SynclineError {
  const shown = JSON.stringify(cursor.slice(0, 80));
  return new SynclineError('source-cursor-repeated', `the source gave the cursor ${shown} twice`, {
    expected: 'a cursor that leads on',
  });
}

function tooLarge(what: string): SynclineError {
  return new SynclineError('source-too-large', `the source has ${what}`, {
    expected: 'a registry within that limit',
  });
}
