import type { SnapshotStore } from '../ports.ts';
import { type InMemoryState, isHeld } from './in-memory-state.ts';

/** Snapshots in memory; which one is served, the run store of the same state says. */
export function createInMemorySnapshotStore(state: InMemoryState): SnapshotStore {
  return {
    readPointer: async (registry) => state.of(registry).pointer,
    readManifest: async (registry, digest) => state.of(registry).manifests.get(digest),
    async readChunks(registry, digests) {
      const { chunks } = state.of(registry);
      return digests.map((digest) => chunks.get(digest));
    },

    async writeChunks(lease, blobs) {
      const registry = state.of(lease.registry);
      if (!isHeld(registry, lease)) return false;
      for (const { digest, bytes } of blobs) registry.chunks.set(digest, bytes);
      return true;
    },
    async writeManifest(lease, { digest, bytes }) {
      const registry = state.of(lease.registry);
      if (!isHeld(registry, lease)) return false;
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
      if (!isHeld(registry, lease)) return false;
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
