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

/** A list of the MCP Registry API. `nextCursor` is absent on the last page: `null` would be invalid. */
export interface ServerList {
  readonly servers: readonly PresentedRow[];
  readonly metadata: { readonly count: number; readonly nextCursor?: string };
}

/** Stands for the version that is marked as latest. */
export const LATEST = 'latest';

/** Some milliseconds of work: a search through all rows must not block other requests. */
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
    // Snapshots compare whole milliseconds: one less, to keep changes within that millisecond.
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

/** Returns a list as the API answers it. Clients rely on `metadata` and its `count`. */
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
  // Milliseconds nearly always decide, and are much faster to parse.
  const byMs = Date.parse(updatedAt) - Number(since / 1_000_000n);
  if (byMs !== 0 && !Number.isNaN(byMs)) return byMs > 0;
  const instant = parseInstant(updatedAt);
  // An unreadable time must not hide a row from clients that follow changes.
  return instant === undefined || instant > since;
}

function mentions(server: ServedRow['server'], search: string): boolean {
  if (server.name.toLowerCase().includes(search)) return true;
  // Rows are served as they came: their types are not guaranteed.
  const description = server['description'];
  return typeof description === 'string' && description.toLowerCase().includes(search);
}
