import type { Lease } from '@syncline/contract';

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

/** Content-addressed blobs of each registry. Writes are fenced: only the lease's holder can make them. */
export interface SnapshotStore {
  /** Digest of the manifest that is served. */
  readPointer(registry: string): Promise<string | undefined>;
  readManifest(registry: string, digest: string): Promise<Uint8Array | undefined>;
  /** In the order asked; `undefined` where there is none. */
  readChunks(registry: string, digests: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  /** @returns false where the lease is no longer held: nothing, or not everything, was written */
  writeChunks(lease: Lease, chunks: readonly Blob[]): Promise<boolean>;
  writeManifest(lease: Lease, manifest: Blob): Promise<boolean>;
  /** Every manifest that is stored, newest first: also what is held back, and mirrors that only views are made of. */
  history(registry: string): Promise<SnapshotHistoryEntry[]>;
  /** The digests of every chunk that is stored. */
  listChunks(registry: string): Promise<string[]>;
  /** Removes what no kept snapshot needs. @returns false where the lease is no longer held */
  collect(
    lease: Lease,
    garbage: { manifests: readonly string[]; chunks: readonly string[] },
  ): Promise<boolean>;
}

/** A snapshot whose manifests and chunks are all stored. */
export interface Publication {
  readonly manifest: string;
  readonly chunks: readonly string[];
  /** The mirror behind it, if that is another manifest. Its chunks are among `chunks`. */
  readonly mirror?: string | undefined;
  /** Pins the snapshot in the same step: what a rollback does. */
  readonly pin?: boolean;
}
