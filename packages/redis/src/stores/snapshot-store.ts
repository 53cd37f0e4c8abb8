import { batchesOf, type Lease } from '@syncline/contract';
import { type Blob, type ByteLimits, overQuota, type SnapshotStore } from '@syncline/snapshot';
import { type KeyAccess, luaScript, pairsOf, storeCall } from '../lua/lua-script.ts';
import { readStoredBytes } from './stored-bytes.ts';

const writeBlobsScript = luaScript('write-blobs');
const collectScript = luaScript('collect');

/** The most bytes of one script call, because Redis serves no other client during the call. */
const WRITE_BATCH_BYTES = 512 * 1024;
const READ_BATCH_SIZE = 64;
const COLLECT_BATCH_SIZE = 1_000;
const NO_LIMITS: ByteLimits = {
  registry: Number.MAX_SAFE_INTEGER,
  total: Number.MAX_SAFE_INTEGER,
};

export interface SnapshotStoreOptions extends KeyAccess {
  /** The most bytes of all registries. Default: a share of Redis's `maxmemory`. */
  readonly storedBytes?: number | undefined;
}

/** Stores snapshots in Redis. Each registry has one hash of chunks and one hash of manifests. */
export function createRedisSnapshotStore({
  redis,
  keys,
  storedBytes,
}: SnapshotStoreOptions): SnapshotStore {
  return {
    async readPointer(registry) {
      return (await storeCall(redis, redis.get(keys.snapshot(registry)))) ?? undefined;
    },

    async readManifest(registry, digest) {
      const key = keys.snapshotManifests(registry);
      return (await storeCall(redis, redis.hgetBuffer(key, digest))) ?? undefined;
    },

    async readChunks(registry, digests) {
      const key = keys.snapshotChunks(registry);
      const found: (Uint8Array | undefined)[] = [];
      for (const batch of batchesOf(digests, READ_BATCH_SIZE)) {
        const values = await storeCall(redis, redis.hmgetBuffer(key, ...batch));
        for (const value of values) found.push(value ?? undefined);
      }
      return found;
    },

    writeChunks: (lease, chunks, limits) =>
      write(lease, keys.snapshotChunks(lease.registry), { blobs: chunks, limits }),
    writeManifest: (lease, manifest, limits) =>
      write(lease, keys.snapshotManifests(lease.registry), { blobs: [manifest], limits }),

    readStoredBytes: (registry) => readStoredBytes({ redis, keys, storedBytes }, registry),

    async sizeOfChunks(registry, digests) {
      const key = keys.snapshotChunks(registry);
      let size = 0;
      for (const batch of batchesOf(digests, COLLECT_BATCH_SIZE)) {
        const sizes = batch.map((digest) => redis.hstrlen(key, digest));
        for (const bytes of await storeCall(redis, Promise.all(sizes))) size += bytes;
      }
      return size;
    },

    async history(registry) {
      const reply = Promise.all([
        redis.hkeys(keys.snapshotManifests(registry)),
        redis.zrevrange(keys.snapshotHistory(registry), 0, -1, 'WITHSCORES'),
      ]);
      const [manifests, scored] = await storeCall(redis, reply);
      const supersededAtMs = new Map<string, number>();
      for (const [manifest, score] of pairsOf(scored)) {
        // `inf`, which is not a finite number, marks the served snapshot.
        if (Number.isFinite(Number(score))) supersededAtMs.set(manifest, Number(score));
      }
      const at = (manifest: string) => supersededAtMs.get(manifest) ?? Number.POSITIVE_INFINITY;
      return manifests
        .sort((a, b) => (at(a) < at(b) ? 1 : at(a) > at(b) ? -1 : 0))
        .map((manifest) => ({ manifest, supersededAtMs: supersededAtMs.get(manifest) }));
    },

    listChunks: (registry) => storeCall(redis, redis.hkeys(keys.snapshotChunks(registry))),

    async collect(lease, { manifests, chunks }) {
      const { registry, term, owner } = lease;
      const names = [
        keys.status(registry),
        keys.snapshot(registry),
        keys.snapshotManifests(registry),
        keys.snapshotChunks(registry),
        keys.snapshotHistory(registry),
        keys.storedBytes,
      ];
      const by = [term, owner, registry];
      // Removes manifests before chunks, because a listed snapshot must never lack a chunk.
      let reply = await collectScript(redis, names, [...by, manifests.length, ...manifests]);
      for (const batch of batchesOf(chunks, COLLECT_BATCH_SIZE)) {
        if (reply !== 1) break;
        reply = await collectScript(redis, names, [...by, 0, ...batch]);
      }
      return reply === 1;
    },
  };

  async function write(
    { registry, term, owner }: Lease,
    key: string,
    { blobs, limits = NO_LIMITS }: { blobs: readonly Blob[]; limits: ByteLimits | undefined },
  ): Promise<boolean> {
    for (const batch of batches(blobs)) {
      const args = batch.flatMap(({ digest, bytes }) => [digest, bytes]);
      const reply = await writeBlobsScript(
        redis,
        [keys.status(registry), key, keys.storedBytes],
        [term, owner, registry, limits.registry, limits.total, ...args],
      );
      if (reply === 2) throw overQuota(registry, 'registry', limits);
      if (reply === 3) throw overQuota(registry, 'total', limits);
      if (reply !== 1) return false;
    }
    return true;
  }
}

function* batches(blobs: readonly Blob[]): Generator<Blob[]> {
  let batch: Blob[] = [];
  let size = 0;
  for (const blob of blobs) {
    batch.push(blob);
    size += blob.bytes.length;
    if (size < WRITE_BATCH_BYTES) continue;
    yield batch;
    batch = [];
    size = 0;
  }
  if (batch.length > 0) yield batch;
}
