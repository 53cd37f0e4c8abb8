import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  followersOf,
  redisKeys,
  redisPlace,
  registryView,
  SynclineError,
  syncTargets,
} from '@syncline/contract';
import {
  connectRedis,
  createConfigFollower,
  createOperations,
  createRedisRunStore,
  createRedisSnapshotStore,
  createRegistryReader,
  createSyncQueue,
  type Redis,
} from '@syncline/redis';
import { createLogger } from '@syncline/runtime';
import type { Command } from 'commander';
import { readStoreEnv, type StoreEnv } from './environment.ts';
import { describeError } from './report-error.ts';
import type { Store } from './store.ts';

/** @throws SynclineError `store-unavailable` if Redis does not answer */
export async function openStore(program: Command): Promise<Store> {
  const env = await readStoreEnv(program);
  return createStore({ env, redis: await connectToRedis(env.redisUrl) });
}

/** What operators do to registries, by the config in force. */
export async function openOperations({ redis, keys, config: readConfig }: Store) {
  const config = await readConfig();
  const queue = createSyncQueue({ redis, keys, onError: () => {} });
  const operations = createOperations({
    redis,
    keys,
    queue,
    runStore: createRedisRunStore({ redis, keys }),
    snapshots: createRedisSnapshotStore({ redis, keys }),
    owner: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
    followersOf: (name) => followersOf(config, name),
  });
  return { operations, close: () => queue.close() };
}

/** A connection to a Redis that has answered. @throws SynclineError `store-unavailable` */
export async function connectToRedis(url: string): Promise<Redis> {
  let trouble: Error | undefined;
  const onError = (error: Error) => {
    trouble ??= error;
  };
  const redis = connectRedis({ url, manner: 'prompt', onError });
  try {
    // Where no sentinel answers, the connection goes on asking, and the command would wait for it.
    const failed = Promise.withResolvers<never>();
    redis.once('error', failed.reject);
    await Promise.race([redis.ping(), failed.promise]);
    return redis;
  } catch (error) {
    redis.disconnect();
    // The command fails because it was given up on; the connection knows why.
    const why = describeError(trouble ?? error);
    throw new SynclineError(
      'store-unavailable',
      `cannot use the Redis at ${redisPlace(url)}: ${why}`,
      {
        cause: error,
      },
    );
  }
}

/** What is in that Redis, under the prefix of the environment. */
export function createStore({ env, redis }: { env: StoreEnv; redis: Redis }): Store {
  const keys = redisKeys(env.prefix);
  const reader = createRegistryReader({ redis, keys });
  const logger = createLogger({ name: 'syncline', level: 'error', destination: process.stderr });
  const follower = createConfigFollower({ redis, keys, logger });

  async function currentConfig() {
    await follower.refresh();
    const config = follower.current();
    if (config !== undefined) return config;
    throw new SynclineError(
      'config-unreadable',
      `there is no config in this Redis under the prefix ${env.prefix}`,
      { expected: 'a scheduler to have stored one' },
    );
  }

  return {
    env,
    redis,
    keys,
    config: currentConfig,
    registries: async () => (await currentConfig()).registries,
    targets: async () => syncTargets(await currentConfig()),
    async registry(name) {
      const { registries: known } = await currentConfig();
      const found = follower.registry(name);
      if (found !== undefined) return found;
      const names = known.slice(0, 10).map((registry) => registry.name);
      throw new SynclineError('unknown-registry', `the config names no registry ${name}`, {
        expected: `${names.join(', ')}${known.length > names.length ? ', …' : ''}`,
      });
    },
    async view(configs) {
      const { nowMs, registries: stored } = await reader.readMany(configs.map(({ name }) => name));
      const views = configs.flatMap((config) => {
        const found = stored.get(config.name);
        return found === undefined ? [] : [registryView(config, found, nowMs)];
      });
      return { nowMs, views };
    },
  };
}
