import {
  type Config,
  type RegistryConfig,
  type RegistryView,
  redisPlace,
  registryView,
  SynclineError,
  syncTargets,
} from '@syncline/contract';
import {
  connectRedis,
  type Operations,
  openStore,
  type Redis,
  type Store as RedisStore,
} from '@syncline/redis';
import { createLogger } from '@syncline/runtime';
import type { Command } from 'commander';
import { readStoreEnv, type StoreEnv } from './environment.ts';
import { describeError } from './errors.ts';

/** What is in Redis, for the length of one command. */
export interface Store extends RedisStore {
  readonly env: StoreEnv;
  /** The config in force. @throws SynclineError `config-unreadable` where there is none */
  currentConfig(): Promise<Config>;
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
  const store = createStore({ env, redis: await connectToRedis(env.redisUrl) });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Does `work` to a registry that the config names. */
export async function withOperations<Result>(
  program: Command,
  name: string,
  work: (operations: Operations, registry: RegistryConfig, store: Store) => Promise<Result>,
): Promise<Result> {
  return withStore(program, async (store) =>
    work(store.operations(), await store.registry(name), store),
  );
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
export function createStore({
  env,
  redis,
  logLevel: level = 'error',
}: {
  env: StoreEnv;
  redis: Redis;
  logLevel?: 'error' | 'silent';
}): Store {
  const logger = createLogger({ name: 'syncline', level, destination: process.stderr });
  const opened = openStore({ redis, prefix: env.prefix, logger });
  const { config: follower, reader } = opened;

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

  return Object.assign(opened, {
    env,
    currentConfig,
    registries: async () => (await currentConfig()).registries,
    targets: async () => syncTargets(await currentConfig()),
    async registry(name: string) {
      const { registries: known } = await currentConfig();
      const found = follower.registry(name);
      if (found !== undefined) return found;
      const names = known.slice(0, 10).map((registry) => registry.name);
      throw new SynclineError('unknown-registry', `the config names no registry ${name}`, {
        expected: `${names.join(', ')}${known.length > names.length ? ', …' : ''}`,
      });
    },
    async view(configs: readonly RegistryConfig[]) {
      const { nowMs, registries: stored } = await reader.readMany(configs.map(({ name }) => name));
      const views = configs.flatMap((config) => {
        const found = stored.get(config.name);
        return found === undefined ? [] : [registryView(config, found, nowMs)];
      });
      return { nowMs, views };
    },
  });
}
