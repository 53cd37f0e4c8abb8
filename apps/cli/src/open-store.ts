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

/** Connects to a Redis and waits for its first answer. @throws SynclineError `store-unavailable` */
export async function connectToRedis(url: string): Promise<Redis> {
  let firstError: Error | undefined;
  const onError = (error: Error) => {
    firstError ??= error;
  };
  const redis = connectRedis({ url, manner: 'prompt', onError });
  try {
    // If no sentinel answers, the connection keeps asking, and the command would wait for it.
    const failed = Promise.withResolvers<never>();
    redis.once('error', failed.reject);
    await Promise.race([redis.ping(), failed.promise]);
    return redis;
  } catch (cause) {
    redis.disconnect();
    // The error of the command says only that it was given up. The connection knows the cause.
    const message = `cannot use the Redis at ${redisPlace(url)}: ${describeError(firstError ?? cause)}`;
    throw new SynclineError('store-unavailable', message, { cause });
  }
}

/** What is in Redis, for the length of one command. */
export type Store = ReturnType<typeof createStore>;

/** Opens what is in that Redis under the prefix of the environment. */
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
  const store = openStore({ redis, prefix: env.prefix, logger });
  return Object.assign(store, {
    env,
    /** Returns the config in force. @throws SynclineError `config-unreadable` if Redis has no config */
    async currentConfig() {
      await store.config.refresh();
      return currentConfig(store.config);
    },
    /** @throws SynclineError `unknown-registry` */
    async registry(name: string) {
      await store.config.refresh();
      return findRegistry(store.config, name);
    },
    view: (configs: readonly RegistryConfig[]) => viewRegistries(store.reader, configs),
  });
}
