import { type Diff, type QuarantinedRow, SynclineError } from '@syncline/contract';
import { checkGuard } from './guard.ts';
import { filterHash } from './hashes.ts';
import type { IngestPool, OpenOptions } from './ingest/ingest-pool.ts';
import type { IngestResult } from './ingest/messages.ts';
import { OutOfOrder } from './ingest/row-collector.ts';
import type { Slot } from './ingest/slots.ts';
import { Interruption } from './lease-keeper.ts';
import type { Blob, Publication, RunContext, SnapshotStore } from './ports.ts';
import { collectGarbage } from './snapshot/collect.ts';
import { blobDigests, decodeManifest, type Manifest } from './snapshot/manifest.ts';
import { areIntact, readChunkBlobs } from './snapshot/reader.ts';
import type { Source, TakeBody } from './sources/source.ts';

/** What fetching, validating, filtering and storing came to. */
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
  readonly revision: string | undefined;
  readonly manifest: Manifest;
  readonly diff: Diff;
  readonly quarantined: { readonly count: number; readonly samples: readonly QuarantinedRow[] };
}

export interface FetchDependencies {
  readonly ingest: IngestPool;
  readonly snapshots: SnapshotStore;
}

export interface FetchOptions {
  readonly source: Source;
  readonly slot: Slot;
  /** Reads all of what is served, to find what is damaged; else only what is lost is found. */
  readonly isThorough?: boolean;
}

interface FetchWork extends FetchOptions, Pick<OpenOptions, 'order'> {
  readonly previous: Previous;
}

interface Previous {
  readonly blob?: Blob;
  /** Whether readers are given it: the pointer may be lost, too. */
  readonly isServed?: boolean;
  readonly manifest?: Manifest | undefined;
}

/**
 * Fetches a registry, builds its snapshot, holds that against the guard, and stores it.
 *
 * @throws SynclineError where the source, or the store, does not do its part
 */
export async function fetchAndStore(
  deps: FetchDependencies,
  context: RunContext,
  options: FetchOptions,
): Promise<StoreResult> {
  const { revision, built, previous } = await fetchAndBuild(deps, context, {
    ...options,
    previous: await readPrevious(deps, context, options),
    order: 'arrival',
  });
  const content = { ...built, revision };
  if (previous.isServed === true && isUnchanged(built, previous.manifest)) {
    return { ...content, state: 'unchanged', manifest: previous.manifest ?? built.manifest };
  }
  const result = judge(context, { content, built, previous: previous.manifest });
  if (result.state === 'held' && (await isHeldAlready(deps, context, built.manifest))) {
    return { ...result, snapshot: context.status.held?.snapshot ?? result.snapshot };
  }
  await context.timePhase('store', () => store(deps, context, built));
  return result;
}

async function fetchAndBuild(deps: FetchDependencies, context: RunContext, first: FetchWork) {
  for (let work = first; ; ) {
    try {
      return { ...(await fetchOnce(deps, context, work)), previous: work.previous };
    } catch (error) {
      work = workAfter(error, work);
      context.logger.debug({ err: error, registry: context.registry.name }, 'fetching once more');
    }
  }
}

/** How to go on after an error. @throws that error, where there is no other way */
function workAfter(error: unknown, work: FetchWork): FetchWork {
  // Most upstreams give their rows in order; what one that does not gives is read once more, to be sorted.
  if (error instanceof OutOfOrder && work.order === 'arrival')
    return { ...work, order: 'buffered' };
  const isDamaged =
    error instanceof SynclineError &&
    (error.code === 'snapshot-corrupt' || error.code === 'snapshot-incomplete');
  if (!isDamaged || work.previous.blob === undefined) throw error;
  return { ...work, previous: { manifest: work.previous.manifest } };
}

async function fetchOnce(
  { ingest, snapshots }: FetchDependencies,
  context: RunContext,
  { source, slot, previous, order }: FetchWork,
) {
  const { registry, signal, timePhase, now } = context;
  const { filter, name } = registry;
  const session = ingest.open({ filter, signal, slot, order, previous: previous.blob });
  try {
    const take: TakeBody = (body, origin) => session.add(body, origin);
    const { revision } = await timePhase('fetch', () => source.fetch(take, context));
    const readChunks = (digests: readonly string[]) =>
      readChunkBlobs(snapshots, { registry: name, digests });
    const built = await timePhase('build', () => session.build({ nowMs: now(), readChunks }));
    return { revision, built };
  } finally {
    session.close();
  }
}

/** What is served, to build upon; without its blob where parts of it are lost, damaged or not known. */
async function readPrevious(
  { snapshots }: FetchDependencies,
  { registry: { name }, status, logger }: RunContext,
  { isThorough = false }: Pick<FetchOptions, 'isThorough'>,
): Promise<Previous> {
  const digest = status.snapshot;
  if (digest === undefined) return {};
  const found = await readStored(snapshots, { name, digest });
  const isWhole =
    found?.isWhole === true &&
    (!isThorough ||
      (await areIntact(snapshots, { registry: name, digests: blobDigests(found.manifest) })));
  if (isWhole) return { ...found, isServed: (await snapshots.readPointer(name)) === digest };
  // No reason to fail: the new snapshot is built from nothing, and is whole again.
  logger.warn(
    { registry: name, snapshot: digest },
    'what is served has lost parts, or cannot be read',
  );
  return { manifest: found?.manifest };
}

async function readStored(
  snapshots: SnapshotStore,
  { name, digest }: { name: string; digest: string },
) {
  const bytes = await snapshots.readManifest(name, digest);
  if (bytes === undefined) return undefined;
  const blob: Blob = { digest, bytes };
  const manifest = decodeIfKnown(blob);
  if (manifest === undefined) return undefined;
  const stored = new Set(await snapshots.listChunks(name));
  return { blob, manifest, isWhole: blobDigests(manifest).every((it) => stored.has(it)) };
}

/** `undefined` for a manifest that is damaged, or of a version that this build does not know. */
function decodeIfKnown(blob: Blob): Manifest | undefined {
  try {
    return decodeManifest(blob);
  } catch (error) {
    if (error instanceof SynclineError && error.code === 'snapshot-corrupt') return undefined;
    throw error;
  }
}

/**
 * Whether the snapshot that is held back has these rows already. Stored anew it would differ in our own
 * stamps, and so in its digest: nobody could approve what he has looked at.
 */
async function isHeldAlready(
  { snapshots }: FetchDependencies,
  { registry, status }: RunContext,
  manifest: Manifest,
): Promise<boolean> {
  if (status.held === undefined) return false;
  const held = await readStored(snapshots, {
    name: registry.name,
    digest: status.held.snapshot,
  });
  return held?.isWhole === true && contentOf(held.manifest) === contentOf(manifest);
}

async function store(
  { snapshots }: FetchDependencies,
  { lease, registry, status, now }: RunContext,
  built: IngestResult,
): Promise<void> {
  const written =
    (await snapshots.writeChunks(lease, built.newChunks)) &&
    (await snapshots.writeManifest(lease, built.manifestBlob)) &&
    (await collectGarbage(snapshots, {
      lease,
      keep: registry.snapshots,
      nowMs: now(),
      spare: [built.manifestBlob.digest, status.held?.snapshot, status.snapshot],
    }));
  if (!written) throw new Interruption('lease-lost', 'a write was refused: the lease is lost');
}

function judge(
  { registry, status }: RunContext,
  {
    content,
    built,
    previous,
  }: { content: SyncedContent; built: IngestResult; previous: Manifest | undefined },
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
  const chunks = blobDigests(built.manifest);
  return { ...content, state: 'stored', publication: { manifest: snapshot, chunks } };
}

function contentOf({ chunks, attachments = [] }: Manifest): string {
  return [...chunks, ...attachments].map(({ contentDigest }) => contentDigest).join();
}

function attachedTo({ attachments = [] }: Manifest): string {
  return attachments.map(({ kind, contentDigest }) => kind + contentDigest).join();
}

function isUnchanged({ diff, manifest }: IngestResult, previous: Manifest | undefined): boolean {
  return (
    diff.added + diff.updated + diff.removed === 0 &&
    manifest.skillCount === previous?.skillCount &&
    manifest.pluginCount === previous.pluginCount &&
    attachedTo(manifest) === attachedTo(previous)
  );
}
