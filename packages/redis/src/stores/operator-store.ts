import type { OperatorStore } from '@syncline/sync';
import { type KeyAccess, storeCall } from '../lua/lua-script.ts';
import { addWakeUp, requestDependents, type SyncQueue } from '../queue/queue.ts';
import { createRegistryReader, redisNowMs } from './registry-reader.ts';

const FIELDS_OF_OPERATORS = ['suspended', 'note', 'author', 'suspendedAt', 'pinned'];

/** Stores suspensions and pins in the control hashes. */
export function createRedisOperatorStore(
  options: KeyAccess & { readonly queue: SyncQueue },
): OperatorStore {
  const { redis, keys, queue } = options;
  const reader = createRegistryReader({ redis, keys });

  return {
    async suspend(registry, suspension) {
      const suspendedAt = new Date(await redisNowMs(redis)).toISOString();
      const key = keys.control(registry);
      // Removes the note of an earlier operator.
      await storeCall(redis, redis.hdel(key, 'note', 'author'));
      await redis.hset(key, { suspended: '1', suspendedAt, ...suspension });
    },

    async resume(registry) {
      await storeCall(redis, redis.hdel(keys.control(registry), ...FIELDS_OF_OPERATORS));
      const since = `resumed-${Date.now()}`;
      await addWakeUp(queue, { kind: 'config', registry, since, delayMs: 0 });
    },

    async pinned(registry) {
      const pinned = await storeCall(redis, redis.hget(keys.control(registry), 'pinned'));
      return pinned ?? undefined;
    },

    async setPinned(registry, snapshot) {
      const key = keys.control(registry);
      if (snapshot === undefined) await redis.hdel(key, 'pinned');
      else await redis.hset(key, 'pinned', snapshot);
    },

    async held(registry) {
      const { registries } = await reader.readMany([registry]);
      return registries.get(registry)?.status.held?.snapshot;
    },

    requestDependents: (catalogs) => storeCall(redis, requestDependents(options, catalogs)),
  };
}
