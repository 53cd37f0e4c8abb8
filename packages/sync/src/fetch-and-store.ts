import type { Diff, QuarantinedRow } from '@syncline/contract';
import { checkGuard } from './guard.ts';
import { filterHash } from './hashes.ts';
import type { IngestPool, OpenOptions } from './ingest/ingest-pool.ts';
import type { IngestResult } from './ingest/messages.ts';
import { OutOfOrder } from './ingest/row-collector.ts';
import type { Slot } from './ingest/slots.ts';
import { Interruption } from './lease-keeper.ts';
import type { Blob, Publication, RunContext, SnapshotStore } from './ports.ts';
import { collectGarbage } from './snapshot/collect.ts';
import { decodeManifest, type Manifest } from './snapshot/manifest.ts';
import { readChunkBlobs } from './snapshot/reader.ts';
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

export interface FetchWork extends Pick<OpenOptions, 'detail'> {
  readonly source: Source;
  readonly slot: Slot;
  readonly previous: Previous;
}

/** The part of a run that reads, and writes nothing. */
export type ReadContext = Omit<RunContext, 'lease'>;

/** What is served now; nothing where a registry was never published. */
export interface Previous {
  readonly blob?: Blob;
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
  { source, slot }: { source: Source; slot: Slot },
): Promise<StoreResult> {
  const previous = await readPrevious(deps, context);
  const { revision, built } = await fetchAndBuild(deps, context, { source, slot, previous });
  const content = { ...built, revision };
  if (previous.blob !== undefined && isUnchanged(built, previous.manifest)) {
    return { ...content, state: 'unchanged', manifest: previous.manifest ?? built.manifest };
  }
  const result = judge(context, { content, built, previous: previous.manifest });
  if (result.state === 'held' && (await isHeldAlready(deps, context, built.manifest))) {
    return { ...result, snapshot: context.status.held?.snapshot ?? result.snapshot };
  }
  await context.timePhase('store', () => store(deps, context, built));
  return result;
}

/** Most upstreams give their rows in order; what one that does not gives is read once more, to be sorted. */
export async function fetchAndBuild(
  deps: FetchDependencies,
  context: ReadContext,
  work: FetchWork,
) {
  try {
    return await fetchInOrder(deps, context, { ...work, order: 'arrival' });
  } catch (error) {
    if (!(error instanceof OutOfOrder)) throw error;
    return await fetchInOrder(deps, context, { ...work, order: 'buffered' });
  }
}

async function fetchInOrder(
  { ingest, snapshots }: FetchDependencies,
  context: ReadContext,
  { source, slot, previous, order, detail }: FetchWork & Pick<OpenOptions, 'order'>,
) {
  const { registry, signal, timePhase, now } = context;
  const { filter, name } = registry;
  const session = ingest.open({ filter, signal, slot, order, detail, previous: previous.blob });
  try {
    const take: TakeBody = (body) => session.add(body);
    const { revision } = await timePhase('fetch', () => source.fetch(take, context));
    const readChunks = (digests: readonly string[]) =>
      readChunkBlobs(snapshots, { registry: name, digests });
    const built = await timePhase('build', () => session.build({ nowMs: now(), readChunks }));
    return { revision, built };
  } finally {
    session.close();
  }
}

/** What is served, to build upon; without its blob where parts of it are lost. */
export async function readPrevious(
  { snapshots }: FetchDependencies,
  { registry, status, logger }: ReadContext,
): Promise<Previous> {
  const digest = status.snapshot;
  const found =
    digest === undefined ? undefined : await readStored(snapshots, { name: registry.name, digest });
  if (digest === undefined || found?.isWhole === true) return { ...found };
  // No reason to fail: the new snapshot is built from nothing, and is whole again.
  logger.warn({ registry: registry.name, snapshot: digest }, 'what is served has lost parts');
  return { manifest: found?.manifest };
}

async function readStored(
  snapshots: SnapshotStore,
  { name, digest }: { name: string; digest: string },
) {
  const bytes = await snapshots.readManifest(name, digest);
  if (bytes === undefined) return undefined;
  const blob: Blob = { digest, bytes };
  const manifest = decodeManifest(blob);
  const stored = new Set(await snapshots.listChunks(name));
  return { blob, manifest, isWhole: manifest.chunks.every((chunk) => stored.has(chunk.digest)) };
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
  const chunks = built.manifest.chunks.map(({ digest }) => digest);
  return { ...content, state: 'stored', publication: { manifest: snapshot, chunks } };
}

function contentOf({ chunks }: Manifest): string {
  return chunks.map(({ contentDigest }) => contentDigest).join();
}

/** Whether publishing it would change anything. */
export function isUnchanged(
  { diff, manifest }: IngestResult,
  previous: Manifest | undefined,
): boolean {
  return (
    diff.added + diff.updated + diff.removed === 0 &&
    manifest.skillCount === previous?.skillCount &&
    manifest.pluginCount === previous.pluginCount
  );
}
