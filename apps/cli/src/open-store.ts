import { type RegistryConfig, redisPlace, SynclineError } from '@syncline/contract';
import {
  connectRedis,
  currentConfig,
  findRegistry,
  openStore,
  type Redis,
  viewRegistries,
} from '@syncline/redis';
import { createLogger } from '@syncline/runtime';
import type { StoreEnv } from './environment.ts';
import { describeError } from './report-error.ts';

/** Connects to a Redis and waits for its first reply. @throws SynclineError `store-unavailable` */
export async function connectToRedis(url: string): Promise<Redis> {
  let firstError: Error | undefined;
  const onError = (error: Error) => {
    firstError ??= error;
  };
  const redis = connectRedis({ url, manner: 'prompt', onError });
  try {
    // If no sentinel replies, ioredis retries forever and the PING never fails. So the first error ends
    // the wait.
    const failed = Promise.withResolvers<never>();
    redis.once('error', failed.reject);
    await Promise.race([redis.ping(), failed.promise]);
    return redis;
  } catch (cause) {
    redis.disconnect();
    // The PING's error says only that the command failed. The connection's first error has the cause.
    const message = `cannot use the Redis server at ${redisPlace(url)}: ${describeError(firstError ?? cause)}`;
    throw new SynclineError('store-unavailable', message, { cause });
  }
}

/** The data in Redis, opened for one command. */
export type Store = ReturnType<typeof createStore>;

/** Opens the stores in a Redis, with the key prefix of the environment. */
export function createStore(
  env: StoreEnv,
  redis: Redis,
  { logLevel = 'error' }: { readonly logLevel?: 'error' | 'silent' } = {},
) {
  const logger = createLogger({
    name: 'syncline',
    level: logLevel,
    destination: process.stderr,
  });
  const store = openStore({ redis, prefix: env.prefix, storedBytes: env.storedBytes, logger });
  return Object.assign(store, {
    env,
    /** Returns the config in force. @throws SynclineError `config-unreadable` if Redis has no config */
    async currentConfig() {
      await store.config.refresh();
      return currentConfig(store.config);
    },
    /** Returns a registry or a catalog. @throws SynclineError `unknown-registry` */
    async registry(name: string) {
      await store.config.refresh();
      return findRegistry(store.config, name);
    },
    view: (configs: readonly RegistryConfig[]) => viewRegistries(store.reader, configs),
  });
}
