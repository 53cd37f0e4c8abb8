import { batchesOf, type Lease, SynclineError, sha256 } from '@syncline/contract';
import { blobDigests, decodeManifest, type Manifest } from './encoding/manifest.ts';

/** Bytes, and their SHA-256 in hex, which is the storage key. */
export interface Blob {
  readonly digest: string;
  readonly bytes: Uint8Array;
}

export interface SnapshotHistoryEntry {
  readonly manifest: string;
  /** Epoch milliseconds. `undefined` while the manifest is served, or before its publication. */
  readonly supersededAtMs: number | undefined;
}

/** How many bytes of manifests and chunks are stored, and what limits them. */
export interface StoredBytes {
  readonly registry: number;
  /** The bytes of all registries. */
  readonly total: number;
  /** The number of registries that have or had data. */
  readonly registryCount: number;
  /** The most bytes of all registries. */
  readonly totalLimit: number;
  /** How many more bytes fit before the store counts as full. `Infinity` if the store has no limit. */
  readonly free: number;
}

/** The most bytes that may be stored after a write. */
export interface ByteLimits {
  readonly registry: number;
  /** The limit of all registries. */
  readonly total: number;
}

/**
 * The blobs of each registry, stored by digest. Every write needs the registry's lease. A write that would exceed the
 * given limits throws `registry-over-quota` or `store-over-quota`. A store without free memory throws `store-full`.
 */
export interface SnapshotStore {
  /** Returns the digest of the served manifest. */
  readPointer(registry: string): Promise<string | undefined>;
  readManifest(registry: string, digest: string): Promise<Uint8Array | undefined>;
  /** Returns chunks in the order of `digests`, with `undefined` for each missing chunk. */
  readChunks(registry: string, digests: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  /** Writes chunks. @returns false if the lease is lost. Some or all chunks may then be missing */
  writeChunks(lease: Lease, chunks: readonly Blob[], limits?: ByteLimits): Promise<boolean>;
  writeManifest(lease: Lease, manifest: Blob, limits?: ByteLimits): Promise<boolean>;
  readStoredBytes(registry: string): Promise<StoredBytes>;
  /** Returns the bytes of these chunks together. A missing chunk has none. */
  sizeOfChunks(registry: string, digests: readonly string[]): Promise<number>;
  /** Returns every stored manifest, newest first, including held manifests and mirrors of views. */
  history(registry: string): Promise<SnapshotHistoryEntry[]>;
  /** Returns the digest of every stored chunk. */
  listChunks(registry: string): Promise<string[]>;
  /** Removes manifests and chunks. @returns false if the lease is lost */
  collect(
    lease: Lease,
    garbage: { manifests: readonly string[]; chunks: readonly string[] },
  ): Promise<boolean>;
}

/** A snapshot whose manifests and chunks are all stored. */
export interface Publication {
  readonly manifest: string;
  readonly chunks: readonly string[];
  /** The manifest of the snapshot's mirror, if it is another one. `chunks` includes its chunks. */
  readonly mirror?: string | undefined;
  /** Whether to pin the snapshot in the same step, as a rollback does. */
  readonly pin?: boolean;
}

/** Returns chunks in the order of `digests`. @throws SynclineError `snapshot-incomplete` */
export async function readChunkBlobs(
  store: Pick<SnapshotStore, 'readChunks'>,
  { registry, digests }: { registry: string; digests: readonly string[] },
): Promise<Blob[]> {
  const found = await store.readChunks(registry, digests);
  return digests.map((digest, index) => {
    const bytes = found[index];
    if (bytes !== undefined) return { digest, bytes };
    throw new SynclineError(
      'snapshot-incomplete',
      `the store has no chunk ${digest} for ${registry}`,
    );
  });
}

const VERIFY_BATCH_SIZE = 64;

/** Returns whether all blobs are stored and match their digests. Reads the blobs in batches. */
export async function areIntact(
  store: Pick<SnapshotStore, 'readChunks'>,
  { registry, digests }: { registry: string; digests: readonly string[] },
): Promise<boolean> {
  for (const batch of batchesOf(digests, VERIFY_BATCH_SIZE)) {
    const found = await store.readChunks(registry, batch);
    const isIntact = (digest: string, index: number) => {
      const bytes = found[index];
      return bytes !== undefined && sha256(bytes) === digest;
    };
    if (!batch.every(isIntact)) return false;
  }
  return true;
}

/** How long a reader may still use a snapshot after the next publication. */
const READER_GRACE_MS = 10 * 60_000;

export interface CollectOptions {
  readonly lease: Lease;
  /** How many published snapshots to keep. */
  readonly keep: number;
  /** Manifests to keep at any age, such as held manifests and manifests that a run is about to publish. */
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
  options: CollectOptions,
): Promise<boolean> {
  const garbage = await findGarbage(snapshots, options);
  if (garbage.manifests.length + garbage.chunks.length === 0) return true;
  return snapshots.collect(options.lease, garbage);
}

/** Returns what {@link collectGarbage} removes. */
export async function findGarbage(
  snapshots: SnapshotStore,
  { lease: { registry }, keep, spare, nowMs }: CollectOptions,
): Promise<{ manifests: string[]; chunks: string[] }> {
  const history = await snapshots.history(registry);
  const isKept = keptManifests(history, { keep, spare, nowMs });
  const stored = await snapshots.listChunks(registry);
  const kept = new Set(history.filter(isKept).map(({ manifest }) => manifest));
  const needed = new Set<string>();
  // The loop also visits members that it adds, because a mirror must stay as long as its view.
  for (const digest of kept) {
    const manifest = await readManifest(snapshots, { registry, digest });
    if (manifest?.mirror !== undefined) kept.add(manifest.mirror);
    for (const blob of manifest === undefined ? [] : blobDigests(manifest)) needed.add(blob);
  }
  const manifests = history.map(({ manifest }) => manifest).filter((it) => !kept.has(it));
  return { manifests, chunks: stored.filter((digest) => !needed.has(digest)) };
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

/** Returns `undefined` for a damaged manifest. A damaged manifest cannot be served, so it needs no chunks. */
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
