import { type Lease, SynclineError } from '@syncline/contract';
import { blobDigests, decodeManifest } from './manifest.ts';
import type { SnapshotHistoryEntry, SnapshotStore } from './store.ts';

/** A reader may still be on a snapshot for this long after another one took its place. */
const READER_GRACE_MS = 10 * 60_000;

export interface CollectOptions {
  readonly lease: Lease;
  /** How many published snapshots are kept. */
  readonly keep: number;
  /** Manifests that are kept whatever their age: what is being published, what is held. */
  readonly spare: readonly (string | undefined)[];
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
}

/**
 * Removes the snapshots that nobody needs any more, and the chunks that no other snapshot shares.
 *
 * @returns false where the lease is no longer held
 */
export async function collectGarbage(
  snapshots: SnapshotStore,
  { lease, keep, spare, nowMs }: CollectOptions,
): Promise<boolean> {
  const { registry } = lease;
  const history = await snapshots.history(registry);
  const isKept = keptManifests(history, { keep, spare, nowMs });
  const [kept, dropped] = [history.filter(isKept), history.filter((entry) => !isKept(entry))];
  const stored = await snapshots.listChunks(registry);
  const needed = new Set<string>();
  for (const { manifest } of kept) {
    for (const digest of await chunksOf(snapshots, { registry, manifest })) needed.add(digest);
  }
  const chunks = stored.filter((digest) => !needed.has(digest));
  if (dropped.length + chunks.length === 0) return true;
  return snapshots.collect(lease, { manifests: dropped.map(({ manifest }) => manifest), chunks });
}

function keptManifests(
  history: readonly SnapshotHistoryEntry[],
  { keep, spare, nowMs }: Omit<CollectOptions, 'lease'>,
): (entry: SnapshotHistoryEntry) => boolean {
  const newest = new Set(
    history
      .filter(({ supersededAtMs }) => supersededAtMs !== undefined)
      .slice(0, Math.max(keep - 1, 0))
      .map(({ manifest }) => manifest),
  );
  return ({ manifest, supersededAtMs }) =>
    newest.has(manifest) ||
    spare.includes(manifest) ||
    (supersededAtMs !== undefined && nowMs - supersededAtMs < READER_GRACE_MS);
}

async function chunksOf(
  snapshots: SnapshotStore,
  { registry, manifest }: { registry: string; manifest: string },
): Promise<string[]> {
  const bytes = await snapshots.readManifest(registry, manifest);
  if (bytes === undefined) return [];
  try {
    return blobDigests(decodeManifest({ digest: manifest, bytes }));
  } catch (error) {
    // It cannot be read, so it cannot be served either: its chunks are not needed for it.
    if (error instanceof SynclineError && error.code === 'snapshot-corrupt') return [];
    throw error;
  }
}
