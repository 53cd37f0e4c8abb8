import {
  type RegistryConfig,
  redisPlace,
  registryView,
  SynclineError,
  syncTargets,
} from '@syncline/contract';
import { connectRedis, openStore, type Redis } from '@syncline/redis';
import { createLogger } from '@syncline/runtime';
import type { StoreEnv } from './environment.ts';
import { describeError } from './report-error.ts';
import type { Store } from './store.ts';

/** Connects to a Redis and waits for its first answer. @throws SynclineError `store-unavailable` */
export async function connectToRedis(url: string): Promise<Redis> {
  let trouble: Error | undefined;
  const onError = (error: Error) => {
    trouble ??= error;
  };
  const redis = connectRedis({ url, manner: 'prompt', onError });
  try {
    // If no sentinel answers, the connection keeps asking, and the command would wait for it.
    const failed = Promise.withResolvers<never>();
    redis.once('error', failed.reject);
    await Promise.race([redis.ping(), failed.promise]);
    return redis;
  } catch (error) {
    redis.disconnect();
    // The error of the command says only that it was given up; the connection knows the cause.
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

/** Opens what is in that Redis under the prefix of the environment. */
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
      `no config in this Redis under the prefix ${env.prefix}. Start a scheduler, or check REDIS_URL and SYNCLINE_PREFIX`,
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
