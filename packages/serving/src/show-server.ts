import { SynclineError } from '@syncline/contract';
import { OFFICIAL_META, pickLatest, type ServedRow } from '@syncline/rows';
import type { OpenSnapshot } from '@syncline/snapshot';
import { parseInstant } from './instant.ts';
import { LATEST, toServerList } from './list-servers.ts';
import { type FreshnessOf, type PresentedRow, presentRow, type ServerList } from './present.ts';

/** Which server, and whether a deleted version counts as being there. */
export interface ServerRequest {
  readonly name: string;
  readonly includeDeleted: boolean;
}

type VersionsReader = Pick<OpenSnapshot, 'versions'>;

/**
 * `GET …/servers/{name}/versions`: all of them on one page, newest `publishedAt` first.
 *
 * @throws {SynclineError} `server-not-found`
 */
export async function listVersions(
  snapshot: VersionsReader,
  request: ServerRequest,
  freshnessOf: FreshnessOf,
): Promise<ServerList> {
  const rows = await findVersions(snapshot, request);
  return toServerList(rows.toSorted(byNewest), freshnessOf);
}

/**
 * `GET …/servers/{name}/versions/{version}`, where `latest` is the version marked so, or by
 * {@link pickLatest} where none of the visible ones is.
 *
 * @throws {SynclineError} `server-not-found`
 */
export async function getVersion(
  snapshot: VersionsReader,
  request: ServerRequest & { readonly version: string },
  freshnessOf: FreshnessOf,
): Promise<PresentedRow> {
  const rows = await findVersions(snapshot, request);
  const row =
    request.version === LATEST
      ? latestOf(rows)
      : rows.find(({ server }) => server.version === request.version);
  if (row === undefined) throw notFound();
  return presentRow(row, freshnessOf);
}

async function findVersions(snapshot: VersionsReader, request: ServerRequest) {
  const rows = await snapshot.versions(request.name);
  const visible = rows.filter(
    (row) => request.includeDeleted || row._meta[OFFICIAL_META].status !== 'deleted',
  );
  if (visible.length === 0) throw notFound();
  return visible;
}

function latestOf(rows: readonly ServedRow[]): ServedRow | undefined {
  const marked = rows.find((row) => row._meta[OFFICIAL_META].isLatest);
  if (marked !== undefined) return marked;
  const candidates = rows.map(({ server, _meta }) => {
    const { status, publishedAt } = _meta[OFFICIAL_META];
    return { version: server.version, status, publishedAt };
  });
  return rows[pickLatest(candidates)];
}

function byNewest(one: ServedRow, other: ServedRow): number {
  const oneNs = publishedAtNs(one);
  const otherNs = publishedAtNs(other);
  return oneNs === otherNs ? 0 : oneNs < otherNs ? 1 : -1;
}

function publishedAtNs(row: ServedRow): bigint {
  return parseInstant(row._meta[OFFICIAL_META].publishedAt) ?? 0n;
}

function notFound(): SynclineError {
  return new SynclineError('server-not-found', 'Server not found');
}
