import { type Lease, SynclineError } from '@syncline/contract';
import { blobDigests, decodeManifest } from './encoding/manifest.ts';
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
  const stored = await snapshots.listChunks(registry);
  const kept = new Set(history.filter(isKept).map(({ manifest }) => manifest));
  const needed = new Set<string>();
  // A set goes on with what is added meanwhile: the mirror behind each snapshot is kept as long as that.
  for (const manifest of kept) {
    const { mirror, blobs } = await needsOf(snapshots, { registry, manifest });
    if (mirror !== undefined) kept.add(mirror);
    for (const digest of blobs) needed.add(digest);
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

async function needsOf(
  snapshots: SnapshotStore,
  { registry, manifest }: { registry: string; manifest: string },
): Promise<{ mirror?: string | undefined; blobs: readonly string[] }> {
  const bytes = await snapshots.readManifest(registry, manifest);
  if (bytes === undefined) return { blobs: [] };
  try {
    const decoded = decodeManifest({ digest: manifest, bytes });
    return { mirror: decoded.mirror, blobs: blobDigests(decoded) };
  } catch (error) {
    // It cannot be read, so it cannot be served either: its chunks are not needed for it.
    if (error instanceof SynclineError && error.code === 'snapshot-corrupt') return { blobs: [] };
    throw error;
  }
}
