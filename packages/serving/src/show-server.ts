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
import { decodeCursor, encodeCursor, LATEST } from './cursor.ts';
import { parseInstant } from './instant.ts';
import {
  type ReadOptions,
  type ServerList,
  type ServerPage,
  toServerList,
} from './list-servers.ts';
import { Page } from './page.ts';
import { beginSlices } from './turns.ts';

/** A server name, and whether deleted versions are visible. */
export interface ServerRequest {
  readonly name: string;
  readonly includeDeleted: boolean;
}

export interface VersionsRequest extends ServerRequest {
  /** The `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
}

type VersionsReader = Pick<OpenSnapshot, 'batches' | 'row'>;

/** What decides about the order of versions and about the latest one. A name may have very many versions. */
interface Version {
  readonly version: string;
  readonly status: 'active' | 'deprecated' | 'deleted';
  readonly publishedAt: string;
  /** See {@link parseInstant}. An unreadable time counts as the epoch. */
  readonly publishedAtNs: bigint;
  readonly isLatest: boolean;
}

/**
 * `GET …/servers/{name}/versions`: returns the versions, newest `publishedAt` first. Only a page that would be too
 * large ends early, with a cursor.
 *
 * @throws {SynclineError} `server-not-found`, or `bad-request` for an invalid cursor
 */
export async function listVersions(
  snapshot: VersionsReader,
  request: VersionsRequest,
  freshnessOf: FreshnessOf,
): Promise<ServerList> {
  return toServerList(await readVersions(snapshot, request, { freshnessOf }));
}

export async function readVersions(
  snapshot: VersionsReader,
  request: VersionsRequest,
  { freshnessOf, signal }: ReadOptions,
): Promise<ServerPage> {
  const { name, includeDeleted, cursor } = request;
  const versions = (await findVersions(snapshot, request, signal)).sort(byNewest);
  const start = cursor === undefined ? 0 : 1 + positionOf(versions, { name, cursor });
  const page = new Page<PresentedRow>();
  const slices = await beginSlices(signal);
  for (let index = start; index < versions.length; index += 1) {
    const row = await snapshot.row({ name, version: versions[index]?.version ?? '' });
    if (row !== undefined && !page.add(toPresentedRow(row, freshnessOf))) {
      const after = { name, version: versions[index - 1]?.version ?? '' };
      return { page, nextCursor: encodeCursor({ after, filters: { includeDeleted } }) };
    }
    if (slices.isOver()) await slices.pause();
  }
  return { page };
}

function positionOf(
  versions: readonly Version[],
  { name, cursor }: { name: string; cursor: string },
): number {
  const { after } = decodeCursor(cursor);
  const position = versions.findIndex(({ version }) => version === after.version);
  if (after.name === name && position >= 0) return position;
  const advice = 'the version of this cursor is gone. Start again without a cursor';
  throw new SynclineError('bad-request', `invalid query: cursor: ${advice}`);
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
  { freshnessOf, signal }: ReadOptions,
): Promise<PresentedRow> {
  const { name } = request;
  const version =
    request.version === LATEST ? await latestOf(snapshot, request, signal) : request.version;
  const row = await snapshot.row({ name, version });
  if (row === undefined || !isVisible(row, request)) throw notFound();
  return toPresentedRow(row, freshnessOf);
}

async function latestOf(
  snapshot: VersionsReader,
  request: ServerRequest,
  signal: AbortSignal | undefined,
): Promise<string> {
  const versions = await findVersions(snapshot, request, signal);
  const latest = versions.find(({ isLatest }) => isLatest) ?? versions[pickLatest(versions)];
  if (latest === undefined) throw notFound();
  return latest.version;
}

async function findVersions(
  snapshot: VersionsReader,
  request: ServerRequest,
  signal?: AbortSignal,
): Promise<Version[]> {
  const { name } = request;
  const found: Version[] = [];
  const slices = await beginSlices(signal);
  // A version is never empty, so all versions of the name come after this key.
  search: for await (const rows of snapshot.batches({ after: { name, version: '' } })) {
    for (const row of rows) {
      if (row.server.name !== name) break search;
      if (!isVisible(row, request)) continue;
      const { status, publishedAt, isLatest } = row._meta[OFFICIAL_META];
      const publishedAtNs = parseInstant(publishedAt) ?? 0n;
      const { version } = row.server;
      found.push({ version, status, publishedAt, publishedAtNs, isLatest });
    }
    if (slices.isOver()) await slices.pause();
  }
  if (found.length === 0) throw notFound();
  return found;
}

function isVisible({ _meta }: ServedRow, { includeDeleted }: ServerRequest): boolean {
  return includeDeleted || _meta[OFFICIAL_META].status !== 'deleted';
}

function byNewest(one: Version, other: Version): number {
  if (one.publishedAtNs === other.publishedAtNs) return 0;
  return one.publishedAtNs < other.publishedAtNs ? 1 : -1;
}

function notFound(): SynclineError {
  return new SynclineError('server-not-found', 'Server not found');
}
