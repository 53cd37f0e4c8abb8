import {
  parseHash,
  type RedisKeys,
  type SyncStatus,
  statusFields,
  statusSchema,
} from '@syncline/contract';
import type { ConfigSource, StatusPersistence } from '@syncline/sync';
import type { Redis } from 'ioredis';
import { luaScript } from '../lua/lua-script.ts';
import { createRegistryReader } from './registry-reader.ts';
import { storeCall } from './store-errors.ts';

const saveStatusScript = luaScript('save-status');

/** Status in Redis hashes, one a registry, for anyone to read; each write is fenced. */
export function createRedisStatusPersistence({
  redis,
  keys,
  config,
}: {
  redis: Redis;
  keys: RedisKeys;
  config: Pick<ConfigSource, 'targets'>;
}): StatusPersistence {
  const reader = createRegistryReader({ redis, keys });
  return {
    async load(registry) {
      const fields = await storeCall(redis, redis.hgetall(keys.status(registry)));
      return Object.keys(fields).length === 0 ? undefined : parseHash(statusSchema, fields).value;
    },

    async save(registry, changes, { expected }) {
      const { set, remove } = statusFields(changes);
      const fields = Object.entries(set);
      const reply = await saveStatusScript(
        redis,
        [keys.status(registry)],
        [expected ?? '', fields.length, ...fields.flat(), ...remove],
      );
      return reply === 1;
    },

    async list() {
      const names = config.targets().map(({ name }) => name);
      const { registries } = await reader.readMany(names);
      const statuses = new Map<string, SyncStatus>();
      for (const [name, { status }] of registries) {
        if (status.term !== undefined) statuses.set(name, status);
      }
      return statuses;
    },
  };
}
