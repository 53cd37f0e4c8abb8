import type { RegistryConfig } from '@syncline/contract';
import type { Operations } from '@syncline/redis';
import type { Command } from 'commander';
import type { Store } from './open-store.ts';

/**
 * Runs `work` with a store, and closes its connection afterwards. Imports the code for Redis only
 * when called.
 *
 * @throws SynclineError `store-unavailable` if Redis does not respond
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
  const store = createStore(env, await connectToRedis(env.redisUrl));
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Runs `work` on a registry of the config in force. */
export async function withOperations<Result>(
  program: Command,
  name: string,
  work: (operations: Operations, registry: RegistryConfig, store: Store) => Promise<Result>,
): Promise<Result> {
  return withStore(program, async (store) =>
    work(await store.operations(), await store.registry(name), store),
  );
}
