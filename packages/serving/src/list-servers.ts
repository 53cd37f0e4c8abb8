import { setImmediate as letOthersRun } from 'node:timers/promises';
import { OFFICIAL_META, type ServedRow } from '@syncline/rows';
import type { OpenSnapshot } from '@syncline/snapshot';
import { encodeCursor, type ListFilters } from './cursor.ts';
import { parseInstant } from './instant.ts';
import { type FreshnessOf, presentRow, type ServerList } from './present.ts';
import type { ListRequest } from './query.ts';

/** The version that stands for the one that a registry marks as latest. */
export const LATEST = 'latest';

/** Some milliseconds' worth: a search through everything must not hold up whatever else is asked. */
const ROWS_PER_TURN = 5_000;

/**
 * `GET …/servers`: one page, sorted by name and version byte by byte. A cursor is given only where
 * another row follows.
 */
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
    // Chunks are skipped by whole milliseconds; one less, so that none with a later microsecond is.
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

/** A list as the API answers it; `metadata` and its `count` are always there, clients rely on them. */
export function toServerList(
  rows: readonly ServedRow[],
  freshnessOf: FreshnessOf,
  nextCursor?: string,
): ServerList {
  return {
    servers: rows.map((row) => presentRow(row, freshnessOf)),
    metadata: { count: rows.length, ...(nextCursor === undefined ? {} : { nextCursor }) },
  };
}

function rowFilter(filters: ListFilters, since: bigint | undefined): (row: ServedRow) => boolean {
  const search = filters.search?.toLowerCase();
  return ({ server, _meta }) => {
    const { status, isLatest, updatedAt } = _meta[OFFICIAL_META];
    if (status === 'deleted' && !filters.includeDeleted) return false;
    if (filters.version === LATEST && !isLatest) return false;
    if (filters.version !== undefined && filters.version !== LATEST) {
      if (server.version !== filters.version) return false;
    }
    if (since !== undefined && !isAfter(updatedAt, since)) return false;
    return search === undefined || mentions(server, search);
  };
}

function isAfter(updatedAt: string, since: bigint): boolean {
  // Milliseconds nearly always decide, and are much faster to read.
  const byMs = Date.parse(updatedAt) - Number(since / 1_000_000n);
  if (byMs !== 0 && !Number.isNaN(byMs)) return byMs > 0;
  const instant = parseInstant(updatedAt);
  // A time that cannot be read must not hide a row from those who follow us.
  return instant === undefined || instant > since;
}

function mentions(server: ServedRow['server'], search: string): boolean {
  if (server.name.toLowerCase().includes(search)) return true;
  // Rows are kept as they came: nobody has promised that a description is a string.
  const description = server['description'];
  return typeof description === 'string' && description.toLowerCase().includes(search);
}
