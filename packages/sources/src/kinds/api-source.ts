import { createHash } from 'node:crypto';
import { SynclineError } from '@syncline/contract';
import type { BodySummary } from '@syncline/rows';
import type { Access } from '../credentials/credentials.ts';
import { type HttpClient, withRetries } from '../http/http.ts';
import type { OwnedBytes } from '../memory/growing-bytes.ts';
import type { Probe, Source, SourceContext, TakeBody, WholeReading } from '../source.ts';

const PAGE_ROWS = 100;
/** The official registry has about 1,000 pages. */
const MAX_PAGES = 20_000;
/** Pages of the official registry have about 150 KB. */
const MAX_PAGE_BYTES = 32 * 1024 * 1024;
/** All pages of the official registry have about 150 MB. */
const MAX_TOTAL_BYTES = 1024 * 1024 * 1024;
/** Enough for a cursor of Syncline's own api: name and version may have 1,000 characters each, of up to three bytes. */
const MAX_CURSOR_LENGTH = 8_192;

export interface ApiSourceOptions {
  readonly endpoint: string;
  /** The timeout of each request. */
  readonly timeoutMs: number;
  /** The headers and the token for the upstream. Default: none. */
  readonly access?: Access;
  readonly http: HttpClient;
  /**
   * The maximum number of pages. The default is larger than the number of pages of any registry.
   */
  readonly maxPages?: number;
}

/**
 * Reads a registry that serves the MCP Registry API, page by page. It sends each cursor back
 * unchanged.
 *
 * @see the MCP Registry API, `GET /v0.1/servers`
 */
export class ApiSource implements Source {
  readonly #options: ApiSourceOptions;

  constructor(options: ApiSourceOptions) {
    this.#options = options;
  }

  /**
   * Always reports a change, because the API has no revision of its complete state. `isLatest` and
   * bodies can change without a new `updatedAt`.
   */
  async probe(): Promise<Probe> {
    return { state: 'changed' };
  }

  async fetch(take: TakeBody, context: SourceContext): Promise<WholeReading> {
    const { maxPages = MAX_PAGES } = this.#options;
    const cursors = new Set<string>();
    const bytesBefore = context.upstream.bytes;
    let rowCount = 0;
    for (let cursor: string | undefined, page = 1; ; page += 1) {
      const { rowCount: rowsOfPage, nextCursor } = await this.#takePage(take, { cursor, context });
      rowCount += rowsOfPage;
      context.report(`read ${rowCount} rows in ${page} pages`);
      if (nextCursor === undefined) return { kind: 'whole' };
      if (nextCursor.length > MAX_CURSOR_LENGTH) throw cursorTooLong(nextCursor.length);
      // Digests, because a walk remembers all cursors, and long ones would fill the memory.
      const digest = createHash('sha256').update(nextCursor).digest('base64');
      if (cursors.has(digest)) {
        const shown = JSON.stringify(nextCursor.slice(0, 80));
        const what = `the source returned the cursor ${shown} twice. Report this fault to the operator of the source`;
        throw new SynclineError('source-cursor-repeated', what);
      }
      if (page >= maxPages) throw tooLarge(`more than ${maxPages} pages`);
      if (context.upstream.bytes - bytesBefore > MAX_TOTAL_BYTES) {
        throw tooLarge(`more than ${MAX_TOTAL_BYTES} bytes`);
      }
      cursors.add(digest);
      cursor = nextCursor;
    }
  }

  async #takePage(
    take: TakeBody,
    page: { readonly cursor: string | undefined; readonly context: SourceContext },
  ): Promise<BodySummary> {
    using body = await this.#getPage(page.cursor, page.context);
    return await take(body.bytes);
  }

  async #getPage(cursor: string | undefined, context: SourceContext): Promise<OwnedBytes> {
    const url = new URL(`${this.#options.endpoint.replace(/\/+$/, '')}/v0.1/servers`);
    url.searchParams.set('limit', String(PAGE_ROWS));
    url.searchParams.set('include_deleted', 'true');
    if (cursor !== undefined) url.searchParams.set('cursor', cursor);
    const { timeoutMs, access = {}, http } = this.#options;
    const { signal, upstream, memory, credentials } = context;
    const limits = { timeoutMs, maxBytes: MAX_PAGE_BYTES };
    return withRetries(context, () =>
      http.get({ url, access, ...limits, signal, upstream, memory, credentials }),
    );
  }
}

function cursorTooLong(length: number): SynclineError {
  const what = `the source returned a cursor of ${length} characters. The limit is ${MAX_CURSOR_LENGTH}`;
  return new SynclineError('source-cursor-too-long', what);
}

function tooLarge(what: string): SynclineError {
  return new SynclineError('source-too-large', `the source has ${what}`);
}
