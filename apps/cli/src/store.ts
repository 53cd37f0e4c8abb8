import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  type Config,
  dependentsOf,
  type RegistryConfig,
  type RegistryView,
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
  type Operations,
  type Redis,
} from '@syncline/redis';
import { createLogger } from '@syncline/runtime';
import type { Command } from 'commander';
import { readStoreEnv, type StoreEnv } from './environment.ts';
import { describeError } from './errors.ts';

/** What is in Redis, for the length of one command. */
export interface Store {
  readonly env: StoreEnv;
  readonly redis: Redis;
  readonly keys: ReturnType<typeof redisKeys>;
  /** The config in force. @throws SynclineError `config-unreadable` where there is none */
  config(): Promise<Config>;
  /** Every registry of the config in force. @throws SynclineError `config-unreadable` where there is none */
  registries(): Promise<readonly RegistryConfig[]>;
  /** Those, and then the catalogs, as the derived registries that they are built in. */
  targets(): Promise<readonly RegistryConfig[]>;
  /** @throws SynclineError `unknown-registry` */
  registry(name: string): Promise<RegistryConfig>;
  view(registries: readonly RegistryConfig[]): Promise<Views>;
}

export interface Views {
  /** By Redis's clock, epoch milliseconds. */
  readonly nowMs: number;
  readonly views: readonly RegistryView[];
}

/**
 * Does `work` with a connection that is closed afterwards.
 *
 * @throws SynclineError `store-unavailable` where Redis does not answer
 */
export async function withStore<Result>(
  program: Command,
  work: (store: Store) => Promise<Result>,
): Promise<Result> {
  const env = await readStoreEnv(program);
  const redis = await connectToRedis(env.redisUrl);
  try {
    return await work(createStore({ env, redis }));
  } finally {
    redis.disconnect();
  }
}

/** Does `work` to a registry that the config names. */
export async function withOperations<Result>(
  program: Command,
  name: string,
  work: (operations: Operations, registry: RegistryConfig, store: Store) => Promise<Result>,
): Promise<Result> {
  return withStore(program, async (store) => {
    const { redis, keys } = store;
    const registry = await store.registry(name);
    const config = await store.config();
    const queue = createSyncQueue({ redis, keys, onError: () => {} });
    const operations = createOperations({
      redis,
      keys,
      queue,
      runStore: createRedisRunStore({ redis, keys }),
      snapshots: createRedisSnapshotStore({ redis, keys }),
      owner: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
      dependentsOf: (name) => dependentsOf(config, name),
    });
    try {
      return await work(operations, registry, store);
    } finally {
      await queue.close();
    }
  });
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
