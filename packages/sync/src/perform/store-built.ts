import { type Diff, type QuarantinedRow, SynclineError } from '@syncline/contract';
import {
  areIntact,
  type Blob,
  type BuiltSnapshot,
  blobDigests,
  collectGarbage,
  decodeManifest,
  type Manifest,
  type Publication,
  type SnapshotStore,
} from '@syncline/snapshot';
import { filterHash, mirrorOf } from '../decide/hashes.ts';
import type { IngestResult } from '../ingest/messages.ts';
import type { RunContext } from '../ports/run-context.ts';
import { Interruption } from '../run/lease-keeper.ts';
import { checkGuard } from './guard.ts';

/** What reading or deriving, and storing, came to. */
export type StoreResult =
  | ({ readonly state: 'unchanged' } & SyncedContent)
  /** Stored, and waiting to be published. */
  | ({ readonly state: 'stored'; readonly publication: Publication } & SyncedContent)
  /** Stored, and held back by the guard. */
  | ({
      readonly state: 'held';
      readonly reason: 'shrink' | 'empty';
      readonly snapshot: string;
      readonly rowCountBefore: number;
    } & SyncedContent);

export interface SyncedContent {
  /** Whether the source was read, or the mirror that is stored was filtered anew. */
  readonly origin: 'source' | 'mirror';
  readonly revision: string | undefined;
  readonly manifest: Manifest;
  /** Digest of the mirror's manifest, if the mirror is not what is served. */
  readonly mirror: string | undefined;
  readonly diff: Diff;
  readonly quarantined: { readonly count: number; readonly samples: readonly QuarantinedRow[] };
}

export interface StoreDependencies {
  readonly snapshots: SnapshotStore;
}

/** The part of a run that reads, and writes nothing. */
export type ReadContext = Omit<RunContext, 'lease' | 'onEnd'>;

/** A manifest that is stored. */
export interface Stored {
  readonly blob: Blob;
  readonly manifest: Manifest;
}

/** What is served now; nothing where a registry was never published. */
export interface Previous {
  readonly blob?: Blob;
  /** Whether readers are given it: the pointer may be lost, too. */
  readonly isServed?: boolean;
  readonly manifest?: Manifest | undefined;
  /** All rows that the source had; absent for a catalog, and if they are not stored whole. */
  readonly mirror?: Stored | undefined;
}

export interface BuiltContent extends Pick<SyncedContent, 'origin' | 'revision'> {
  readonly built: IngestResult;
  readonly previous: Previous;
}

/** Compares a snapshot that was built with what is served and with the guard, and stores it. */
export async function storeBuilt(
  deps: StoreDependencies,
  context: RunContext,
  { built, previous, origin, revision }: BuiltContent,
): Promise<StoreResult> {
  const { manifest, diff, quarantined } = built;
  const isSame = previous.isServed === true && isUnchanged(built, previous.manifest);
  const mirror = mirrorBehind({ built, previous, isSame });
  const content = { origin, revision, manifest, diff, quarantined, mirror: mirror?.blob.digest };
  if (isSame) {
    const isMoved = mirror !== undefined && mirror.blob === built.mirror?.manifestBlob;
    if (isMoved) await context.timePhase('store', () => store(deps, context, [built.mirror]));
    return { ...content, state: 'unchanged', manifest: previous.manifest ?? manifest };
  }
  const result = judge(context, { content, built, previous: previous.manifest, mirror });
  if (result.state === 'held' && (await isHeldAlready(deps, context, manifest))) {
    return { ...result, snapshot: context.status.held?.snapshot ?? result.snapshot };
  }
  await context.timePhase('store', () => store(deps, context, [built.mirror, built]));
  return result;
}

/** The mirror that goes with what was built, unless that is the mirror itself: the one before, if no row differs. */
function mirrorBehind({
  built,
  previous,
  isSame,
}: {
  built: IngestResult;
  previous: Previous;
  isSame: boolean;
}): Stored | undefined {
  if (built.mirror !== undefined) {
    if (isSame && isUnchanged(built.mirror, previous.mirror?.manifest)) return previous.mirror;
    return { blob: built.mirror.manifestBlob, manifest: built.mirror.manifest };
  }
  return built.manifest.mirror === undefined ? undefined : previous.mirror;
}

/** What is served and its mirror, to build upon; without those that are lost, damaged or not known. */
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
    // No reason to fail: the new snapshot is built from nothing, and is whole again.
    logger.warn(
      { registry: name, snapshot: wanted },
      'stored snapshot is incomplete or unreadable',
    );
    return { found };
  };
  const served = await read(digest);
  const mirrorDigest = catalog === undefined ? mirrorOf(status) : undefined;
  const isMirror = mirrorDigest === digest;
  const mirror =
    mirrorDigest === undefined
      ? undefined
      : isMirror
        ? served.whole
        : (await read(mirrorDigest)).whole;
  if (served.whole === undefined) return { manifest: served.found?.manifest, mirror };
  const isServed = (await snapshots.readPointer(name)) === digest;
  return { ...served.whole, isServed, mirror };
}

/** Whether an error tells that what is stored cannot be built upon. */
export function isDamage(error: unknown): boolean {
  return (
    error instanceof SynclineError &&
    (error.code === 'snapshot-corrupt' || error.code === 'snapshot-incomplete')
  );
}

/** `undefined` for a manifest that is not there, is damaged, or is of a version that this build does not know. */
export async function readStored(
  snapshots: Pick<SnapshotStore, 'readManifest'>,
  { name, digest }: { name: string; digest: string },
): Promise<Stored | undefined> {
  const bytes = await snapshots.readManifest(name, digest);
  if (bytes === undefined) return undefined;
  const blob: Blob = { digest, bytes };
  const manifest = decodeIfKnown(blob);
  return manifest && { blob, manifest };
}

function decodeIfKnown(blob: Blob): Manifest | undefined {
  try {
    return decodeManifest(blob);
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}

/**
 * Whether the snapshot that is held back has these rows already. Stored anew it would differ in our own
 * stamps, and so in its digest: nobody could approve what he has looked at.
 */
async function isHeldAlready(
  { snapshots }: StoreDependencies,
  { registry, status }: RunContext,
  manifest: Manifest,
): Promise<boolean> {
  if (status.held === undefined) return false;
  const held = await readStored(snapshots, {
    name: registry.name,
    digest: status.held.snapshot,
  });
  if (held === undefined || contentOf(held.manifest) !== contentOf(manifest)) return false;
  const chunks = new Set(await snapshots.listChunks(registry.name));
  return blobDigests(held.manifest).every((digest) => chunks.has(digest));
}

/** Writes what was built, and removes what no kept snapshot needs. @throws Interruption if the lease is lost */
export async function store(
  { snapshots }: StoreDependencies,
  { lease, registry, status, now }: Pick<RunContext, 'lease' | 'registry' | 'status' | 'now'>,
  built: readonly (BuiltSnapshot | undefined)[],
): Promise<void> {
  const parts = built.filter((it) => it !== undefined);
  let written = true;
  for (const { newChunks, manifestBlob } of parts) {
    written &&=
      (await snapshots.writeChunks(lease, newChunks)) &&
      (await snapshots.writeManifest(lease, manifestBlob));
  }
  const own = parts.map(({ manifestBlob }) => manifestBlob.digest);
  written &&= await collectGarbage(snapshots, {
    lease,
    keep: registry.snapshots,
    nowMs: now(),
    spare: [...own, status.held?.snapshot, status.snapshot, status.mirror],
  });
  if (!written) throw new Interruption('lease-lost', 'a write was refused: the lease is lost');
}

function judge(
  { registry, status }: RunContext,
  {
    content,
    built,
    previous,
    mirror,
  }: {
    content: SyncedContent;
    built: IngestResult;
    previous: Manifest | undefined;
    mirror: Stored | undefined;
  },
): StoreResult {
  const snapshot = built.manifestBlob.digest;
  const verdict = checkGuard({
    guard: registry.guard,
    before: previous,
    after: built.manifest,
    isFilterNew: status.filterHash !== filterHash(registry),
  });
  if (!verdict.pass) {
    const rowCountBefore = previous?.rowCount ?? 0;
    return { ...content, state: 'held', reason: verdict.reason, snapshot, rowCountBefore };
  }
  const publication = publicationOf({ blob: built.manifestBlob, manifest: built.manifest, mirror });
  return { ...content, state: 'stored', publication };
}

/** What must be stored for a snapshot to be published. */
export function publicationOf({
  blob,
  manifest,
  mirror,
}: Stored & { mirror: Stored | undefined }): Publication {
  const digests = [manifest, mirror?.manifest].flatMap((it) =>
    it === undefined ? [] : blobDigests(it),
  );
  return { manifest: blob.digest, mirror: mirror?.blob.digest, chunks: [...new Set(digests)] };
}

/** A snapshot of the same rows by another filter is another one: it must not be approved for it. */
function contentOf({ chunks, attachments = [], filterHash = '' }: Manifest): string {
  return [filterHash, ...[...chunks, ...attachments].map((it) => it.contentDigest)].join();
}

function attachedTo({ attachments = [] }: Manifest): string {
  return attachments.map(({ kind, contentDigest }) => kind + contentDigest).join();
}

/** Whether publishing it would change anything. */
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
