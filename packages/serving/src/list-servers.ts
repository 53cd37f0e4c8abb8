import { setImmediate as letOthersRun } from 'node:timers/promises';
import {
  type FreshnessOf,
  OFFICIAL_META,
  type PresentedRow,
  type ServedRow,
  toPresentedRow,
} from '@syncline/rows';
import type { OpenSnapshot } from '@syncline/snapshot';
import { encodeCursor, type ListFilters } from './cursor.ts';
import { parseInstant } from './instant.ts';
import type { ListRequest } from './query.ts';

/**
 * A list of the MCP Registry API. The last page has no `nextCursor`, because `null` would be invalid.
 */
export interface ServerList {
  readonly servers: readonly PresentedRow[];
  readonly metadata: { readonly count: number; readonly nextCursor?: string };
}

/** The word that stands for the version marked as latest. */
export const LATEST = 'latest';

/**
 * About as many rows as take several milliseconds. A search through all rows must not block other
 * requests.
 */
const ROWS_PER_TURN = 5_000;

/** `GET …/servers`: returns one page, sorted by name and version byte by byte. */
export async function listServers(
  snapshot: Pick<OpenSnapshot, 'rows'>,
  { limit, filters, after }: ListRequest,
  freshnessOf: FreshnessOf,
): Promise<ServerList> {
  const page: ServedRow[] = [];
  const since = filters.updatedSince === undefined ? undefined : parseInstant(filters.updatedSince);
  const matches = rowFilter(filters, since);
  const rows = snapshot.rows({
    ...(after === undefined ? {} : { after }),
    // Snapshots compare whole milliseconds. Subtracting one keeps the changes within the same
    // millisecond.
    ...(since === undefined ? {} : { updatedAfterMs: Number(since / 1_000_000n) - 1 }),
  });
  let scanned = 0;
  for await (const row of rows) {
    scanned += 1;
    if (scanned % ROWS_PER_TURN === 0) await letOthersRun();
    if (!matches(row)) continue;
    const last = page.at(-1);
    if (page.length === limit && last !== undefined) {
      const { name, version } = last.server;
      return toServerList(page, freshnessOf, encodeCursor({ after: { name, version }, filters }));
    }
    page.push(row);
  }
  return toServerList(page, freshnessOf);
}

/** Returns a list in the format of the API. Clients rely on `metadata` and its `count`. */
export function toServerList(
  rows: readonly ServedRow[],
  freshnessOf: FreshnessOf,
  nextCursor?: string,
): ServerList {
  return {
    servers: rows.map((row) => toPresentedRow(row, freshnessOf)),
    metadata: { count: rows.length, ...(nextCursor === undefined ? {} : { nextCursor }) },
  };
}

function rowFilter(filters: ListFilters, since: bigint | undefined): (row: ServedRow) => boolean {
  const { version, includeDeleted } = filters;
  const search = filters.search?.toLowerCase();
  return ({ server, _meta }) => {
    const { status, isLatest, updatedAt } = _meta[OFFICIAL_META];
    if (status === 'deleted' && !includeDeleted) return false;
    if (version === LATEST ? !isLatest : version !== undefined && server.version !== version) {
      return false;
    }
    if (since !== undefined && !isAfter(updatedAt, since)) return false;
    return search === undefined || mentions(server, search);
  };
}

function isAfter(updatedAt: string, since: bigint): boolean {
  // Comparing milliseconds is nearly always enough, and parsing them is much faster.
  const byMs = Date.parse(updatedAt) - Number(since / 1_000_000n);
  if (byMs !== 0 && !Number.isNaN(byMs)) return byMs > 0;
  const instant = parseInstant(updatedAt);
  // A row with an invalid time is kept, because clients that follow changes must not miss it.
  return instant === undefined || instant > since;
}

function mentions(server: ServedRow['server'], search: string): boolean {
  if (server.name.toLowerCase().includes(search)) return true;
  // Rows are served as the upstream sent them, so the type of this member is not guaranteed.
  const description = server['description'];
  return typeof description === 'string' && description.toLowerCase().includes(search);
}
