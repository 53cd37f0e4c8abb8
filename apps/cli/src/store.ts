import type { Config, RegistryConfig, RegistryView } from '@syncline/contract';
import type { Operations, Store as RedisStore } from '@syncline/redis';
import type { Command } from 'commander';
import type { StoreEnv } from './environment.ts';

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
 * Does `work` with a connection that is closed afterwards. The code for Redis is loaded only then.
 *
 * @throws SynclineError `store-unavailable` if Redis does not answer
 */
export async function withStore<Result>(
  program: Command,
  work: (store: Store) => Promise<Result>,
): Promise<Result> {
  const [{ connectToRedis, createStore }, { readStoreEnv }] = await Promise.all([
    import('./open-store.ts'),
    import('./environment.ts'),
  ]);
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
    work(await store.operations(), await store.registry(name), store),
  );
}
