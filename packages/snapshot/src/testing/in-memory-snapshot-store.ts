import type { Lease } from '@syncline/contract';
import type { SnapshotStore } from '../store.ts';

/** The snapshots of one registry. Tests may change them freely. */
export interface InMemorySnapshots {
  /** The digest of the served manifest. */
  pointer: string | undefined;
  readonly manifests: Map<string, Uint8Array>;
  readonly chunks: Map<string, Uint8Array>;
  /** When the next manifest replaced a manifest, in epoch ms. A served or unpublished manifest has no entry. */
  readonly supersededAtMs: Map<string, number>;
}

export function createInMemorySnapshots(): InMemorySnapshots {
  return {
    pointer: undefined,
    manifests: new Map(),
    chunks: new Map(),
    supersededAtMs: new Map(),
  };
}

export interface InMemorySnapshotState {
  /** Returns the snapshots of a registry, and creates them if necessary. */
  of(registry: string): InMemorySnapshots;
  /** Returns whether the store accepts a write under the lease. */
  isHeld(lease: Lease): boolean;
}

/** Creates a store in memory. The owner of `state` decides which snapshot is served. */
export function createInMemorySnapshotStore(state: InMemorySnapshotState): SnapshotStore {
  return {
    readPointer: async (registry) => state.of(registry).pointer,
    readManifest: async (registry, digest) => state.of(registry).manifests.get(digest),
    async readChunks(registry, digests) {
      const { chunks } = state.of(registry);
      return digests.map((digest) => chunks.get(digest));
    },

    async writeChunks(lease, blobs) {
      const registry = state.of(lease.registry);
      if (!state.isHeld(lease)) return false;
      for (const { digest, bytes } of blobs) registry.chunks.set(digest, bytes);
      return true;
    },
    async writeManifest(lease, { digest, bytes }) {
      const registry = state.of(lease.registry);
      if (!state.isHeld(lease)) return false;
      registry.manifests.set(digest, bytes);
      return true;
    },

    async history(name) {
      const { manifests, supersededAtMs } = state.of(name);
      const at = (manifest: string) => supersededAtMs.get(manifest) ?? Number.POSITIVE_INFINITY;
      return [...manifests.keys()]
        .sort((one, other) => (at(one) < at(other) ? 1 : at(one) > at(other) ? -1 : 0))
        .map((manifest) => ({ manifest, supersededAtMs: supersededAtMs.get(manifest) }));
    },
    listChunks: async (registry) => [...state.of(registry).chunks.keys()],

    async collect(lease, { manifests, chunks }) {
      const registry = state.of(lease.registry);
      if (!state.isHeld(lease)) return false;
      for (const digest of manifests) {
        if (digest === registry.pointer) continue;
        registry.manifests.delete(digest);
        registry.supersededAtMs.delete(digest);
      }
      for (const digest of chunks) registry.chunks.delete(digest);
      return true;
    },
  };
}
