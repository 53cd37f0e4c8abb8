import { randomUUID } from 'node:crypto';
import { type ConfigInput, controlSchema, type RedisKeys, redisKeys } from '@syncline/contract';
import { createStaticConfigSource, type StoreHarness } from '@syncline/sync/testing';
import { Redis } from 'ioredis';
import { inject, onTestFinished } from 'vitest';
import { createSyncQueue, type SyncQueue } from '../queue/queue.ts';
import { createRunLog, redisNowMs } from '../stores/registry-reader.ts';
import { createRedisRunStore, createRedisStatusPersistence } from '../stores/run-store.ts';
import { createRedisSnapshotStore } from '../stores/snapshot-store.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A Redis only for this test run. Each test uses its own prefix. */
    redisUrl: string;
  }
}

export interface TestRedis {
  readonly redis: Redis;
  readonly prefix: string;
  readonly keys: RedisKeys;
}

/** Returns a connection and its own prefix. Removes both after the test. */
export function testRedis(): TestRedis {
  const prefix = `test-${randomUUID().slice(0, 13)}`;
  const redis = connect();
  onTestFinished(() => deleteAll(prefix));
  return { redis, prefix, keys: redisKeys(prefix) };
}

/** Returns another connection with the options that BullMQ workers need. The test closes it at the end. */
export function connect(): Redis {
  const redis = new Redis(inject('redisUrl'), { maxRetriesPerRequest: null });
  onTestFinished(() => redis.disconnect());
  return redis;
}

/** Returns the queue of a prefix. The test closes it at the end. */
export function testQueue({ redis, keys }: TestRedis): SyncQueue {
  const queue = createSyncQueue({
    redis,
    keys,
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(() => queue.close());
  return queue;
}

/** Returns a config with file registries of these names. */
export function testConfig(...names: readonly string[]): ConfigInput {
  return {
    registries: names.map((name) => ({ name, file: { path: `/registries/${name}.json` } })),
  };
}

/** Returns the Redis ports for the conformance suites. */
export function redisHarness(test = testRedis()): StoreHarness {
  const { redis, keys } = test;
  const config = createStaticConfigSource(testConfig('alpha', 'beta', 'gamma'));
  const runLog = createRunLog({ redis, keys });
  return {
    runStore: createRedisRunStore({ redis, keys }),
    snapshots: createRedisSnapshotStore({ redis, keys }),
    status: createRedisStatusPersistence({ redis, keys, config }),
    readControl: async (registry) =>
      controlSchema.parse(await redis.hgetall(keys.control(registry))),
    changeControl: async (registry, change) => {
      await redis.hset(
        keys.control(registry),
        'pinned' in change ? { pinned: change.pinned } : { suspended: '1' },
      );
    },
    listRuns: async (registry) => (await runLog.list(registry, { limit: 100 })).runs,
    expireLease: async (registry) => {
      await redis.hset(keys.status(registry), 'leaseUntil', '1');
    },
    losePointer: async (registry) => {
      await redis.del(keys.snapshot(registry));
    },
    loseData: () => deleteAll(test.prefix),
    passTime: async () => {
      const startMs = await redisNowMs(redis);
      while ((await redisNowMs(redis)) === startMs);
    },
  };
}

async function deleteAll(prefix: string): Promise<void> {
  const redis = new Redis(inject('redisUrl'), { maxRetriesPerRequest: 0 });
  try {
    for (const match of [`${prefix}:*`, `{${prefix}:*`]) {
      for await (const found of redis.scanStream({ match, count: 1_000 })) {
        // ioredis documents each item as a list of keys.
        const names = found as string[];
        if (names.length > 0) await redis.unlink(...names);
      }
    }
  } finally {
    redis.disconnect();
  }
}
