import { batchesOf, type Lease } from '@syncline/contract';
import type { Blob, SnapshotStore } from '@syncline/snapshot';
import { type KeyAccess, luaScript, pairsOf, storeCall } from '../lua/lua-script.ts';

const writeBlobsScript = luaScript('write-blobs');
const collectScript = luaScript('collect');

/** The most bytes of one script call, because Redis serves no other client during the call. */
const WRITE_BATCH_BYTES = 512 * 1024;
const READ_BATCH_SIZE = 64;
const COLLECT_BATCH_SIZE = 1_000;

/** Stores snapshots in Redis. Each registry has one hash of chunks and one hash of manifests. */
export function createRedisSnapshotStore({ redis, keys }: KeyAccess): SnapshotStore {
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

    writeChunks: (lease, chunks) => write(lease, keys.snapshotChunks(lease.registry), chunks),
    writeManifest: (lease, manifest) =>
      write(lease, keys.snapshotManifests(lease.registry), [manifest]),

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
      ];
      // Removes manifests before chunks, because a listed snapshot must never lack a chunk.
      let reply = await collectScript(redis, names, [term, owner, manifests.length, ...manifests]);
      for (const batch of batchesOf(chunks, COLLECT_BATCH_SIZE)) {
        if (reply !== 1) break;
        reply = await collectScript(redis, names, [term, owner, 0, ...batch]);
      }
      return reply === 1;
    },
  };

  async function write(
    { registry, term, owner }: Lease,
    key: string,
    blobs: readonly Blob[],
  ): Promise<boolean> {
    for (const batch of batches(blobs)) {
      const args = batch.flatMap(({ digest, bytes }) => [digest, bytes]);
      const reply = await writeBlobsScript(
        redis,
        [keys.status(registry), key],
        [term, owner, ...args],
      );
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
