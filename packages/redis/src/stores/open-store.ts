import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Logger, redisKeys } from '@syncline/contract';
import { dependentsOf, type Operations } from '@syncline/sync';
import type { Redis } from 'ioredis';
import { createSyncQueue, type SyncQueue } from '../queue/queue.ts';
import { createConfigFollower } from './config-store.ts';
import { createRedisOperatorStore } from './operator-store.ts';
import { createRegistryReader, createRunLog } from './registry-reader.ts';
import { createRedisRunStore } from './run-store.ts';
import { createRedisSnapshotStore } from './snapshot-store.ts';

export interface OpenStoreOptions {
  /** The connection to Redis. The store closes it. */
  readonly redis: Redis;
  /** The prefix of all keys. */
  readonly prefix: string;
  readonly logger: Logger;
  /** The most bytes of all snapshots. Default: a share of Redis's `maxmemory`. */
  readonly storedBytes?: number | undefined;
}

/** Everything that a process uses of one Syncline installation in Redis. */
export type Store = ReturnType<typeof openStore>;

/** Opens the store of one Syncline installation, by its Redis and prefix. */
export function openStore({ redis, prefix, logger, storedBytes }: OpenStoreOptions) {
  const keys = redisKeys(prefix);
  /** The name of this process as the owner of leases. */
  const owner = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const config = createConfigFollower({ redis, keys, logger });
  const snapshots = createRedisSnapshotStore({ redis, keys, storedBytes });
  const onError = ({ message }: Error) =>
    logger.warn({ reason: message }, 'redis connection failed');
  let queue: SyncQueue | undefined;

  const store = {
    redis,
    keys,
    owner,
    config,
    reader: createRegistryReader({ redis, keys }),
    runs: createRunLog({ redis, keys }),
    snapshots,
    /** Opens on first use. */
    get queue(): SyncQueue {
      queue ??= createSyncQueue({ redis, keys, onError });
      return queue;
    },
    /**
     * Creates the operations.
     *
     * @param options.writes a connection for the large writes of a rollback or an approval; default: the store's own
     */
    async operations({ writes = redis }: { readonly writes?: Redis } = {}): Promise<Operations> {
      // Imported lazily, because the module loads all sync code of a worker.
      const { createOperations } = await import('@syncline/sync/perform');
      return createOperations({
        operators: createRedisOperatorStore(store),
        runStore: createRedisRunStore({ redis: writes, keys }),
        snapshots,
        owner,
        registryOf: async (name) => {
          await config.refresh();
          return config.registry(name);
        },
        dependentsOf: (registry) => dependentsOf(config, registry),
      });
    },
    async close(): Promise<void> {
      await queue?.close();
      redis.disconnect();
    },
  };
  return store;
}
