import { redisKeys, sha256 } from '@syncline/contract';
import {
  createRedisRequestBudgets,
  createRedisRunStore,
  createRedisSnapshotStore,
  type Redis,
} from '@syncline/redis';
import type { Blob } from '@syncline/snapshot';
import type { Acquisition } from '@syncline/sync';
import { connect, startRedisServer } from '@syncline/test/support';
import { beforeEach, expect, test } from 'vitest';

const keys = redisKeys('full');
const TTL = { ttlMs: 60_000 };
let redis: Redis;
let runStore: ReturnType<typeof createRedisRunStore>;
let snapshots: ReturnType<typeof createRedisSnapshotStore>;
beforeEach(async () => {
  redis = connect((await startRedisServer()).url);
  runStore = createRedisRunStore({ redis, keys });
  snapshots = createRedisSnapshotStore({ redis, keys });
});

function blobOf(text: string): Blob {
  const bytes = Buffer.from(text);
  return { digest: sha256(bytes), bytes };
}

async function acquire(registry = 'alpha') {
  const acquired: Acquisition = await runStore.acquire({
    registry,
    owner: 'alice',
    ...TTL,
    purpose: { kind: 'request', force: true },
  });
  if (acquired.state !== 'acquired') throw new Error(`the lease is ${acquired.state}`);
  return acquired.lease;
}

async function fill(): Promise<void> {
  await redis.config('SET', 'maxmemory', '1');
  await expect(redis.set('any', 'value')).rejects.toThrow('OOM');
}

async function stage(lease: Awaited<ReturnType<typeof acquire>>, name: string) {
  const [manifest, chunk] = [blobOf(`manifest ${name}`), blobOf(`chunk ${name}`)];
  await snapshots.writeChunks(lease, [chunk]);
  await snapshots.writeManifest(lease, manifest);
  return { manifest: manifest.digest, chunks: [chunk.digest] };
}

test('in a full Redis, runs start, renew their leases and end, but store nothing', async () => {
  await fill();
  const lease = await acquire();
  expect(await runStore.renew([lease], TTL)).toEqual([{ held: true, stop: false }]);
  await expect(snapshots.writeChunks(lease, [blobOf('new')])).rejects.toMatchObject({
    code: 'store-full',
  });
  const ending = { changes: { phase: 'Failed' as const, message: 'Redis is full' } };
  expect(await runStore.finish(lease, ending)).toMatchObject({ state: 'finished' });
  expect(await redis.hget(keys.status('alpha'), 'message')).toBe('Redis is full');
  const { term } = lease;
  await redis.hdel(keys.control('alpha'), 'requested');
  expect(await runStore.confirmUnchanged('alpha', { term, changes: { reason: 'suspended' } })).toBe(
    true,
  );
});

test('in a full Redis, a run removes what it has stored, and its bytes no longer count', async () => {
  const lease = await acquire();
  await snapshots.readStoredBytes('alpha');
  const { manifest, chunks } = await stage(lease, 'one');
  await fill();
  expect((await snapshots.readStoredBytes('alpha')).free).toBeLessThan(0);
  expect(await snapshots.collect(lease, { manifests: [manifest], chunks })).toBe(true);
  expect(await snapshots.readStoredBytes('alpha')).toMatchObject({ registry: 0, total: 0 });
});

test('in a full Redis, a snapshot that is stored already is published', async () => {
  const lease = await acquire();
  const first = await stage(lease, 'one');
  await runStore.publishAndFinish(lease, { changes: {} }, first);
  const next = await acquire();
  const second = await stage(next, 'two');
  await fill();
  expect(await runStore.publishAndFinish(next, { changes: {} }, second)).toMatchObject({
    state: 'finished',
  });
  expect(await snapshots.readPointer('alpha')).toBe(second.manifest);
  expect(await snapshots.history('alpha')).toHaveLength(2);
});

test('in a full Redis, requests to upstreams still keep their budgets', async () => {
  const budgets = createRedisRequestBudgets({
    redis,
    keys,
    budgets: () => [{ host: 'upstream.example', concurrency: 1, requestsPerSecond: 1_000 }],
  });
  await fill();
  const { signal } = new AbortController();
  using place = await budgets.take('upstream.example', { signal, holdMs: 1_000 });
  expect(place).toBeDefined();
});

test('the limit of all registries follows maxmemory, unless it is set', async () => {
  const limit = async (storedBytes?: number) => {
    const store = createRedisSnapshotStore({ redis, keys, storedBytes });
    return (await store.readStoredBytes('alpha')).totalLimit;
  };
  expect(await limit()).toBe(4 * 1024 ** 3);
  await redis.config('SET', 'maxmemory', '100000000');
  expect(await limit()).toBe(70_000_000);
  expect(await limit(50_000_000)).toBe(50_000_000);
});
