import { type Guard, SynclineError } from '@syncline/contract';
import {
  areIntact,
  type Blob,
  type BuiltSnapshot,
  blobDigests,
  decodeManifest,
  type Manifest,
  type Publication,
  readChunkBlobs,
  type SnapshotStore,
} from '@syncline/snapshot';
import { filterHash, mirrorOf } from '../decide/should-sync.ts';
import type { IngestResult } from '../ingest/messages.ts';
import type { RunContext } from '../ports/run-context.ts';
import { type StoreDependencies, store } from './stage.ts';

/** The result of reading or deriving, and storing. */
export type StoreResult =
  | ({ readonly state: 'unchanged' } & SyncedContent)
  /** The snapshot is stored, and ready for publication. */
  | ({ readonly state: 'stored'; readonly publication: Publication } & SyncedContent)
  /** The snapshot is stored, but the guard holds it back. */
  | ({
      readonly state: 'held';
      readonly reason: Exclude<GuardVerdict, 'pass'>;
      readonly snapshot: string;
      readonly rowCountBefore: number;
    } & SyncedContent);

export interface SyncedContent extends Pick<IngestResult, 'manifest' | 'diff' | 'quarantined'> {
  /** Whether the run read the source, filtered the stored mirror again, or serves the stored snapshot again. */
  readonly origin: 'source' | 'mirror' | 'stored';
  readonly revision: string | undefined;
  /** The digest of the mirror's manifest, if the served snapshot is not the mirror. */
  readonly mirror: string | undefined;
}

/** The context for the part of a run that only reads. */
export type ReadContext = Omit<RunContext, 'lease' | 'onEnd' | 'staging'>;

/** A stored manifest. */
export interface Stored {
  readonly blob: Blob;
  readonly manifest: Manifest;
}

/** The served snapshot. Empty before the first publication. */
export interface Previous {
  readonly blob?: Blob;
  /** Whether the pointer names the snapshot. The pointer may be lost, too. */
  readonly isServed?: boolean;
  readonly manifest?: Manifest | undefined;
  /** The snapshot with all rows of the source. Absent for a catalog, and if parts are lost. */
  readonly mirror?: Stored | undefined;
}

export interface BuiltContent extends Pick<SyncedContent, 'origin' | 'revision'> {
  readonly built: IngestResult;
  readonly previous: Previous;
}

/** Compares a built snapshot with the served one, checks the guard, and stores the snapshot. */
export async function storeBuilt(
  deps: StoreDependencies,
  context: RunContext,
  { built, previous, origin, revision }: BuiltContent,
): Promise<StoreResult> {
  const { manifest, diff, quarantined, manifestBlob } = built;
  const { registry, status, timePhase } = context;
  const isSame = previous.isServed === true && isUnchanged(built, previous.manifest);
  const mirror = mirrorBehind({ built, previous, isSame });
  const content = { origin, revision, manifest, diff, quarantined, mirror: mirror?.blob.digest };
  if (isSame) {
    const isMoved = mirror !== undefined && mirror.blob === built.mirror?.manifestBlob;
    if (isMoved) await timePhase('store', () => store(deps, context, [built.mirror]));
    return { ...content, state: 'unchanged', manifest: previous.manifest ?? manifest };
  }
  const verdict = checkGuard({
    guard: registry.guard,
    before: previous.manifest,
    after: manifest,
    isFilterNew: status.filterHash !== filterHash(registry),
  });
  const isHeld = verdict !== 'pass';
  const heldAlready = isHeld ? await findHeldAlready(deps, context, manifest) : undefined;
  if (heldAlready === undefined) {
    await timePhase('store', () => store(deps, context, [built.mirror, built]));
  }
  if (!isHeld) {
    const publication = publicationOf({ blob: manifestBlob, manifest, mirror });
    return { ...content, state: 'stored', publication };
  }
  return {
    ...content,
    state: 'held',
    reason: verdict,
    snapshot: heldAlready ?? manifestBlob.digest,
    rowCountBefore: previous.manifest?.rowCount ?? 0,
  };
}

/** Returns the built snapshot's mirror (the previous one if no row differs), or `undefined` for a mirror. */
function mirrorBehind({
  built,
  previous,
  isSame,
}: Omit<BuiltContent, 'origin' | 'revision'> & { isSame: boolean }): Stored | undefined {
  if (built.mirror !== undefined) {
    if (isSame && isUnchanged(built.mirror, previous.mirror?.manifest)) return previous.mirror;
    return { blob: built.mirror.manifestBlob, manifest: built.mirror.manifest };
  }
  return built.manifest.mirror === undefined ? undefined : previous.mirror;
}

/** Reads the served snapshot and its mirror as a base. Omits lost, damaged and unknown parts. */
export async function readPrevious(
  { snapshots }: StoreDependencies,
  { registry: { name, catalog }, status, logger }: ReadContext,
  { isThorough }: { isThorough: boolean },
): Promise<Previous> {
  const digest = status.snapshot;
  if (digest === undefined) return {};
  const chunks = new Set(await snapshots.listChunks(name));
  const read = async (wanted: string) => {
    const found = await readStored(snapshots, { name, digest: wanted });
    const digests = found === undefined ? [] : blobDigests(found.manifest);
    const isWhole =
      digests.every((it) => chunks.has(it)) &&
      (!isThorough || (await areIntact(snapshots, { registry: name, digests })));
    if (found !== undefined && isWhole) return { found, whole: found };
    // This is no error: the run builds the new snapshot from nothing, so that the snapshot is whole again.
    const fields = { registry: name, snapshot: wanted };
    logger.warn(fields, 'stored snapshot is incomplete or unreadable');
    return { found };
  };
  const { found, whole } = await read(digest);
  const mirrorDigest = catalog === undefined ? mirrorOf(status) : undefined;
  const isMirror = mirrorDigest === undefined || mirrorDigest === digest;
  const separate = isMirror ? undefined : (await read(mirrorDigest)).whole;
  const mirror = mirrorDigest === digest ? whole : separate;
  if (whole === undefined) return { manifest: found?.manifest, mirror };
  const isServed = (await snapshots.readPointer(name)) === digest;
  return { ...whole, isServed, mirror };
}

const NO_CHANGES = {
  added: 0,
  updated: 0,
  removed: 0,
  samples: { added: [], updated: [], removed: [] },
};

/**
 * Returns the publication of the snapshot that the status names, after something else has changed the pointer.
 *
 * @returns `undefined` if parts of the snapshot are lost
 */
export async function restoreServed(
  deps: StoreDependencies,
  context: RunContext,
): Promise<StoreResult | undefined> {
  const { blob, manifest, mirror } = await readPrevious(deps, context, { isThorough: false });
  if (blob === undefined || manifest === undefined) return undefined;
  const { registry, status, served, logger } = context;
  const fields = { registry: registry.name, snapshot: blob.digest, found: served };
  logger.warn(fields, 'pointer was changed by another program; restored');
  const separate = mirror?.blob.digest === blob.digest ? undefined : mirror;
  return {
    state: 'stored',
    origin: 'stored',
    publication: publicationOf({ blob, manifest, mirror: separate }),
    manifest,
    diff: NO_CHANGES,
    quarantined: { count: status.quarantinedCount ?? 0, samples: [] },
    revision: status.revision,
    mirror: separate?.blob.digest,
  };
}

/** Returns a function that reads chunks of the registry, or of another registry. */
export function chunkReader(snapshots: SnapshotStore, name: string) {
  return (digests: readonly string[], registry = name) =>
    readChunkBlobs(snapshots, { registry, digests });
}

/** Returns whether an error means that the stored snapshot cannot be a base. */
export function isDamage(error: unknown): boolean {
  return (
    error instanceof SynclineError &&
    (error.code === 'snapshot-corrupt' || error.code === 'snapshot-incomplete')
  );
}

/** Returns the manifest, or `undefined` if it is missing, damaged, or of an unknown version. */
export async function readStored(
  snapshots: Pick<SnapshotStore, 'readManifest'>,
  { name, digest }: { name: string; digest: string },
): Promise<Stored | undefined> {
  const bytes = await snapshots.readManifest(name, digest);
  if (bytes === undefined) return undefined;
  const blob: Blob = { digest, bytes };
  try {
    return { blob, manifest: decodeManifest(blob) };
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}

/**
 * Returns the digest of the held snapshot if it has the same rows. Storing the rows again would give new timestamps and
 * another digest, and an operator could not approve the digest that they reviewed.
 */
async function findHeldAlready(
  { snapshots }: StoreDependencies,
  { registry: { name }, status }: RunContext,
  manifest: Manifest,
): Promise<string | undefined> {
  if (status.held === undefined) return undefined;
  const { snapshot: digest } = status.held;
  const held = await readStored(snapshots, { name, digest });
  if (held === undefined || contentOf(held.manifest) !== contentOf(manifest)) return undefined;
  const chunks = new Set(await snapshots.listChunks(name));
  return blobDigests(held.manifest).every((it) => chunks.has(it)) ? digest : undefined;
}

/** Returns the publication of a snapshot, with all manifests and chunks that it needs. */
export function publicationOf({
  blob,
  manifest,
  mirror,
}: Stored & { mirror: Stored | undefined }): Publication {
  const digests = [...blobDigests(manifest), ...(mirror ? blobDigests(mirror.manifest) : [])];
  return { manifest: blob.digest, mirror: mirror?.blob.digest, chunks: [...new Set(digests)] };
}

/** Includes the filter, because an approval must not count for another filter. */
function contentOf({ chunks, attachments = [], filterHash = '' }: Manifest): string {
  return [filterHash, ...[...chunks, ...attachments].map((it) => it.contentDigest)].join();
}

function attachedTo({ attachments = [] }: Manifest): string {
  return attachments.map(({ kind, contentDigest }) => kind + contentDigest).join();
}

/** Returns whether a publication would change nothing. */
export function isUnchanged(
  { diff, manifest }: Pick<BuiltSnapshot, 'diff' | 'manifest'>,
  previous: Manifest | undefined,
): boolean {
  return (
    diff.added + diff.updated + diff.removed === 0 &&
    manifest.skillCount === previous?.skillCount &&
    manifest.pluginCount === previous.pluginCount &&
    attachedTo(manifest) === attachedTo(previous)
  );
}

/** The number of rows of a state. */
export interface StateSize {
  /** After the filter: the served rows. */
  readonly rowCount: number;
  /** Before the filter: the source's rows. */
  readonly sourceRowCount: number;
}

export interface GuardInput {
  readonly guard: Guard;
  /** The served state, or `undefined` before the first publication. */
  readonly before: StateSize | undefined;
  readonly after: StateSize;
  /** Whether the two states have different filters. Rows that the new filter removes are then not lost. */
  readonly isFilterNew: boolean;
}

/** `pass`, or why the guard holds the state back. */
export type GuardVerdict = 'pass' | 'shrink' | 'empty';

/** Returns the numbers that the guard compares. `lostPercent` is 0 for a new registry, and negative for growth. */
export function guardNumbers({ before, after, isFilterNew }: Omit<GuardInput, 'guard'>) {
  const compared: keyof StateSize = isFilterNew ? 'sourceRowCount' : 'rowCount';
  const countBefore = before?.[compared] ?? 0;
  const countAfter = after[compared];
  const lostPercent = countBefore === 0 ? 0 : ((countBefore - countAfter) / countBefore) * 100;
  return { compared, countBefore, countAfter, lostPercent };
}

/** Returns whether a new state may be published without an approval. */
export function checkGuard({ guard, ...states }: GuardInput): GuardVerdict {
  const { before, after } = states;
  if (after.rowCount === 0) {
    // A registry that was empty before has nothing to lose.
    return guard.allowEmpty || before?.rowCount === 0 ? 'pass' : 'empty';
  }
  return guardNumbers(states).lostPercent > guard.maxShrinkPercent ? 'shrink' : 'pass';
}
