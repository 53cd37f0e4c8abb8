import {
  type FreshnessOf,
  OFFICIAL_META,
  type PresentedRow,
  type ServedRow,
  toPresentedRow,
} from '@syncline/rows';
import type { OpenSnapshot } from '@syncline/snapshot';
import { encodeCursor, isScan, LATEST, type ListFilters } from './cursor.ts';
import { parseInstant } from './instant.ts';
import { Page } from './page.ts';
import type { ListRequest } from './query.ts';
import { beginSlices, type Slices } from './turns.ts';

/**
 * A list of the MCP Registry API. The last page has no `nextCursor`, because `null` would be invalid.
 */
export interface ServerList {
  readonly servers: readonly PresentedRow[];
  readonly metadata: { readonly count: number; readonly nextCursor?: string };
}

export interface ReadOptions {
  readonly freshnessOf: FreshnessOf;
  /** Aborted when nobody needs the answer anymore. */
  readonly signal?: AbortSignal | undefined;
}

/** A page of servers that is not sent yet. */
export interface ServerPage {
  readonly page: Page<PresentedRow>;
  readonly nextCursor?: string | undefined;
}

/** `GET …/servers`: returns one page, sorted by name and version byte by byte. */
export async function listServers(
  snapshot: Pick<OpenSnapshot, 'batches'>,
  request: ListRequest,
  freshnessOf: FreshnessOf,
): Promise<ServerList> {
  return toServerList(await readServers(snapshot, request, { freshnessOf }));
}

export async function readServers(
  snapshot: Pick<OpenSnapshot, 'batches'>,
  request: ListRequest,
  { freshnessOf, signal }: ReadOptions,
): Promise<ServerPage> {
  const page = new Page<PresentedRow>({ limit: request.limit });
  const slices = await beginSlices(signal);
  let last: ServedRow['server'] | undefined;
  for await (const row of matchingRows(snapshot, request, slices)) {
    const isAdded = page.add(toPresentedRow(row, freshnessOf));
    if (!isAdded && last !== undefined) {
      const { name, version } = last;
      const { filters } = request;
      return { page, nextCursor: encodeCursor({ after: { name, version }, filters }) };
    }
    last = row.server;
    if (slices.isOver()) await slices.pause();
  }
  return { page };
}

async function* matchingRows(
  snapshot: Pick<OpenSnapshot, 'batches'>,
  { filters, after }: Pick<ListRequest, 'filters' | 'after'>,
  slices: Slices,
): AsyncGenerator<ServedRow> {
  const since = filters.updatedSince === undefined ? undefined : parseInstant(filters.updatedSince);
  const matches = rowFilter(filters, since);
  const batches = snapshot.batches({
    purpose: isScan(filters) ? 'scan' : 'page',
    ...(after === undefined ? {} : { after }),
    // Snapshots compare whole milliseconds. Subtracting one keeps the changes within the same
    // millisecond.
    ...(since === undefined ? {} : { updatedAfterMs: Number(since / 1_000_000n) - 1 }),
  });
  for await (const rows of batches) {
    for (const row of rows) if (matches(row)) yield row;
    if (slices.isOver()) await slices.pause();
  }
}

/** Returns a list in the format of the API. Clients rely on `metadata` and its `count`. */
export function toServerList({ page, nextCursor }: ServerPage): ServerList {
  return { servers: page.items, metadata: metadataOf({ page, nextCursor }) };
}

/** Returns the JSON of {@link toServerList}. */
export function toServerListJson({ page, nextCursor }: ServerPage): string {
  return `{"servers":${page.json()},"metadata":${JSON.stringify(metadataOf({ page, nextCursor }))}}`;
}

function metadataOf({ page, nextCursor }: ServerPage): ServerList['metadata'] {
  return { count: page.items.length, ...(nextCursor === undefined ? {} : { nextCursor }) };
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
