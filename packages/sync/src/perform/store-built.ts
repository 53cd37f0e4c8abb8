import { type Diff, type QuarantinedRow, SynclineError } from '@syncline/contract';
import {
  areIntact,
  type Blob,
  blobDigests,
  collectGarbage,
  decodeManifest,
  type Manifest,
  type Publication,
  type SnapshotStore,
} from '@syncline/snapshot';
import { filterHash } from '../decide/hashes.ts';
import type { IngestResult } from '../ingest/messages.ts';
import type { RunContext } from '../ports/run-context.ts';
import { Interruption } from '../run/lease-keeper.ts';
import { checkGuard } from './guard.ts';

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

export interface StoreDependencies {
  readonly snapshots: SnapshotStore;
}

/** The part of a run that reads, and writes nothing. */
export type ReadContext = Omit<RunContext, 'lease' | 'onEnd'>;

/** What is served now; nothing where a registry was never published. */
export interface Previous {
  readonly blob?: Blob;
  /** Whether readers are given it: the pointer may be lost, too. */
  readonly isServed?: boolean;
  readonly manifest?: Manifest | undefined;
}

export interface BuiltContent {
  readonly built: IngestResult;
  readonly revision: string | undefined;
  readonly previous: Previous;
}

/** Holds a snapshot that was built against what is served and against the guard, and stores it. */
export async function storeBuilt(
  deps: StoreDependencies,
  context: RunContext,
  { built, revision, previous }: BuiltContent,
): Promise<StoreResult> {
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

/** What is served, to build upon; without its blob where parts of it are lost, damaged or not known. */
export async function readPrevious(
  { snapshots }: StoreDependencies,
  { registry: { name }, status, logger }: ReadContext,
  { isThorough }: { isThorough: boolean },
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

/** Whether an error tells that what is stored cannot be built upon. */
export function isDamage(error: unknown): boolean {
  return (
    error instanceof SynclineError &&
    (error.code === 'snapshot-corrupt' || error.code === 'snapshot-incomplete')
  );
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
  return held?.isWhole === true && contentOf(held.manifest) === contentOf(manifest);
}

async function store(
  { snapshots }: StoreDependencies,
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

/** Whether publishing it would change anything. */
export function isUnchanged(
  { diff, manifest }: IngestResult,
  previous: Manifest | undefined,
): boolean {
  return (
    diff.added + diff.updated + diff.removed === 0 &&
    manifest.skillCount === previous?.skillCount &&
    manifest.pluginCount === previous.pluginCount &&
    attachedTo(manifest) === attachedTo(previous)
  );
}
