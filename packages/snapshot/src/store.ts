import { batchesOf, type Lease, SynclineError, sha256 } from '@syncline/contract';

/** Bytes and the SHA-256, in hex, that they are stored under. */
export interface Blob {
  readonly digest: string;
  readonly bytes: Uint8Array;
}

export interface SnapshotHistoryEntry {
  readonly manifest: string;
  /** Epoch milliseconds; `undefined` while it is served, or has not been published. */
  readonly supersededAtMs: number | undefined;
}

/** Content-addressed blobs of each registry. Writes are fenced: they need the registry's lease. */
export interface SnapshotStore {
  /** Returns the digest of the served manifest. */
  readPointer(registry: string): Promise<string | undefined>;
  readManifest(registry: string, digest: string): Promise<Uint8Array | undefined>;
  /** Returns chunks in the order of `digests`; `undefined` for each that is missing. */
  readChunks(registry: string, digests: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  /** @returns false if the lease is lost: nothing, or not everything, was written */
  writeChunks(lease: Lease, chunks: readonly Blob[]): Promise<boolean>;
  writeManifest(lease: Lease, manifest: Blob): Promise<boolean>;
  /** Returns every stored manifest, newest first: also held ones, and mirrors behind views. */
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
  /** The manifest of the mirror behind it, if it is another one. Its chunks are among `chunks`. */
  readonly mirror?: string | undefined;
  /** Pins the snapshot in the same step, as a rollback does. */
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
    throw new SynclineError('snapshot-incomplete', `${registry} lacks the chunk ${digest}`);
  });
}

const VERIFY_BATCH_SIZE = 64;

/** Returns whether all these blobs are stored and match their digests. Reads them all, in batches. */
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
