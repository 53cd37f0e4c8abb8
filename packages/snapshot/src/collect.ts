import { type Lease, SynclineError } from '@syncline/contract';
import { blobDigests, decodeManifest, type Manifest } from './encoding/manifest.ts';
import type { SnapshotHistoryEntry, SnapshotStore } from './store.ts';

/** How long a reader may still use a snapshot after another one was published. */
const READER_GRACE_MS = 10 * 60_000;

export interface CollectOptions {
  readonly lease: Lease;
  /** How many published snapshots are kept. */
  readonly keep: number;
  /** Manifests that are kept at any age: those being published, and held ones. */
  readonly spare: readonly (string | undefined)[];
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
}

/**
 * Removes snapshots that are no longer needed, and chunks that no other snapshot shares.
 *
 * @returns false if the lease is lost
 */
export async function collectGarbage(
  snapshots: SnapshotStore,
  { lease, keep, spare, nowMs }: CollectOptions,
): Promise<boolean> {
  const { registry } = lease;
  const history = await snapshots.history(registry);
  const isKept = keptManifests(history, { keep, spare, nowMs });
  const stored = await snapshots.listChunks(registry);
  const kept = new Set(history.filter(isKept).map(({ manifest }) => manifest));
  const needed = new Set<string>();
  // The loop also visits members that it adds: a mirror is kept as long as its view.
  for (const digest of kept) {
    const manifest = await readManifest(snapshots, { registry, digest });
    if (manifest?.mirror !== undefined) kept.add(manifest.mirror);
    for (const blob of manifest === undefined ? [] : blobDigests(manifest)) needed.add(blob);
  }
  const manifests = history.map(({ manifest }) => manifest).filter((it) => !kept.has(it));
  const chunks = stored.filter((digest) => !needed.has(digest));
  if (manifests.length + chunks.length === 0) return true;
  return snapshots.collect(lease, { manifests, chunks });
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

/** Returns `undefined` for a damaged manifest: it cannot be served, so it needs no chunks. */
async function readManifest(
  snapshots: SnapshotStore,
  { registry, digest }: { registry: string; digest: string },
): Promise<Manifest | undefined> {
  const bytes = await snapshots.readManifest(registry, digest);
  if (bytes === undefined) return undefined;
  try {
    return decodeManifest({ digest, bytes });
  } catch (error) {
    if (error instanceof SynclineError && error.code === 'snapshot-corrupt') return undefined;
    throw error;
  }
}
