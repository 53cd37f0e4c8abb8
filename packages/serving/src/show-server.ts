import { SynclineError } from '@syncline/contract';
import {
  type FreshnessOf,
  OFFICIAL_META,
  type PresentedRow,
  pickLatest,
  type ServedRow,
  toPresentedRow,
} from '@syncline/rows';
import type { OpenSnapshot } from '@syncline/snapshot';
import { parseInstant } from './instant.ts';
import { LATEST, type ServerList, toServerList } from './list-servers.ts';

/** A server name, and whether deleted versions are visible. */
export interface ServerRequest {
  readonly name: string;
  readonly includeDeleted: boolean;
}

type VersionsReader = Pick<OpenSnapshot, 'versions'>;

/**
 * `GET …/servers/{name}/versions`: returns all versions on one page, newest `publishedAt` first.
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
 * `GET …/servers/{name}/versions/{version}`: returns one version. `latest` is the visible version that is marked
 * as latest. If no visible version is marked, `latest` is the version that {@link pickLatest} picks.
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
  return toPresentedRow(row, freshnessOf);
}

async function findVersions(snapshot: VersionsReader, { name, includeDeleted }: ServerRequest) {
  const rows = await snapshot.versions(name);
  const visible = rows.filter(
    ({ _meta }) => includeDeleted || _meta[OFFICIAL_META].status !== 'deleted',
  );
  if (visible.length === 0) throw notFound();
  return visible;
}

function latestOf(rows: readonly ServedRow[]): ServedRow | undefined {
  const candidates = rows.map(({ server, _meta }) => ({
    ..._meta[OFFICIAL_META],
    version: server.version,
  }));
  return rows.find((row) => row._meta[OFFICIAL_META].isLatest) ?? rows[pickLatest(candidates)];
}

function byNewest(one: ServedRow, other: ServedRow): number {
  const [oneNs = 0n, otherNs = 0n] = [one, other].map((row) =>
    parseInstant(row._meta[OFFICIAL_META].publishedAt),
  );
  return oneNs === otherNs ? 0 : oneNs < otherNs ? 1 : -1;
}

function notFound(): SynclineError {
  return new SynclineError('server-not-found', 'Server not found');
}
