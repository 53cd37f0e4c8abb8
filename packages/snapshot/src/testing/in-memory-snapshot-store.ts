import type { Lease } from '@syncline/contract';
import { overQuota } from '../quota.ts';
import type { Blob, ByteLimits, SnapshotStore } from '../store.ts';

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
  readonly registries: ReadonlyMap<string, InMemorySnapshots>;
  /** Returns the snapshots of a registry, and creates them if necessary. */
  of(registry: string): InMemorySnapshots;
  /** Returns whether the store accepts a write under the lease. */
  isHeld(lease: Lease): boolean;
}

/** Creates a store in memory. The owner of `state` decides which snapshot is served. */
export function createInMemorySnapshotStore(
  state: InMemorySnapshotState,
  { totalLimit = Number.POSITIVE_INFINITY }: { totalLimit?: number } = {},
): SnapshotStore {
  const totalBytes = () => [...state.registries.values()].reduce((sum, it) => sum + sizeOf(it), 0);
  const write = (
    lease: Lease,
    kind: 'chunks' | 'manifests',
    { blobs, limits }: { blobs: readonly Blob[]; limits: ByteLimits | undefined },
  ) => {
    const registry = state.of(lease.registry);
    if (!state.isHeld(lease)) return false;
    const written = new Map(blobs.map(({ digest, bytes }) => [digest, bytes]));
    const known = [...written.keys()].map((digest) => registry[kind].get(digest)?.length ?? 0);
    const added = bytesOf(written.values()) - known.reduce((sum, it) => sum + it, 0);
    if (limits !== undefined && added > 0) {
      const { registry: name } = lease;
      if (sizeOf(registry) + added > limits.registry) throw overQuota(name, 'registry', limits);
      if (totalBytes() + added > limits.total) throw overQuota(name, 'total', limits);
    }
    for (const [digest, bytes] of written) registry[kind].set(digest, bytes);
    return true;
  };
  return {
    readPointer: async (registry) => state.of(registry).pointer,
    readManifest: async (registry, digest) => state.of(registry).manifests.get(digest),
    async readChunks(registry, digests) {
      const { chunks } = state.of(registry);
      return digests.map((digest) => chunks.get(digest));
    },

    writeChunks: async (lease, blobs, limits) => write(lease, 'chunks', { blobs, limits }),
    writeManifest: async (lease, blob, limits) =>
      write(lease, 'manifests', { blobs: [blob], limits }),
    readStoredBytes: async (registry) => ({
      registry: sizeOf(state.of(registry)),
      total: totalBytes(),
      registryCount: state.registries.size,
      totalLimit,
      free: Number.POSITIVE_INFINITY,
    }),
    sizeOfChunks: async (name, digests) => {
      const { chunks } = state.of(name);
      return digests.reduce((sum, digest) => sum + (chunks.get(digest)?.length ?? 0), 0);
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

function sizeOf({ chunks, manifests }: InMemorySnapshots): number {
  return bytesOf(chunks.values()) + bytesOf(manifests.values());
}

function bytesOf(blobs: Iterable<Uint8Array>): number {
  let sum = 0;
  for (const { length } of blobs) sum += length;
  return sum;
}
