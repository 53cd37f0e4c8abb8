import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Logger, type RedisKeys, redisKeys } from '@syncline/contract';
import type { SnapshotStore } from '@syncline/snapshot';
import { dependentsOf, type Operations } from '@syncline/sync';
import type { Redis } from 'ioredis';
import { createSyncQueue, type SyncQueue } from '../queue/queue.ts';
import { type ConfigFollower, createConfigFollower } from './config-store.ts';
import { createRedisOperatorStore } from './operator-store.ts';
import {
  createRegistryReader,
  createRunLog,
  type RegistryReader,
  type RunLog,
} from './registry-reader.ts';
import { createRedisRunStore } from './run-store.ts';
import { createRedisSnapshotStore } from './snapshot-store.ts';

export interface OpenStoreOptions {
  /** The store closes it. */
  readonly redis: Redis;
  /** What all keys begin with. */
  readonly prefix: string;
  readonly logger: Logger;
}

/** All that Syncline keeps in one Redis under one prefix, as every process needs it. */
export interface Store {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  /** Names this process as the owner of leases. */
  readonly owner: string;
  readonly config: ConfigFollower;
  readonly reader: RegistryReader;
  readonly runs: RunLog;
  readonly snapshots: SnapshotStore;
  /** Opened at its first use. */
  readonly queue: SyncQueue;
  /** @param options.writes a connection for the large writes of a rollback or an approval; default: the store's own */
  operations(options?: { readonly writes?: Redis }): Promise<Operations>;
  close(): Promise<void>;
}

export function openStore({ redis, prefix, logger }: OpenStoreOptions): Store {
  const keys = redisKeys(prefix);
  const owner = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const config = createConfigFollower({ redis, keys, logger });
  const snapshots = createRedisSnapshotStore({ redis, keys });
  const onError = ({ message }: Error) =>
    logger.warn({ reason: message }, 'redis connection failed');
  let queue: SyncQueue | undefined;

  const store: Store = {
    redis,
    keys,
    owner,
    config,
    reader: createRegistryReader({ redis, keys }),
    runs: createRunLog({ redis, keys }),
    snapshots,
    get queue() {
      queue ??= createSyncQueue({ redis, keys, onError });
      return queue;
    },
    operations: async ({ writes = redis } = {}) => {
      // Imported when it is needed: it loads all that a worker syncs with.
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
    close: async () => {
      await queue?.close();
      redis.disconnect();
    },
  };
  return store;
}
