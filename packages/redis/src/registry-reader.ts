import {
  type Control,
  controlSchema,
  type RedisKeys,
  type SyncStatus,
  statusSchema,
} from '@syncline/contract';
import type { Redis } from 'ioredis';

/** What Redis knows of registries, as of one moment by its own clock. */
export interface StoredRegistries {
  /** Epoch milliseconds. */
  readonly nowMs: number;
  /** One entry for each name asked for; a registry that never ran has a status all the same. */
  readonly registries: Map<string, { status: SyncStatus; control: Control }>;
}

export interface RegistryReader {
  readMany(names: readonly string[]): Promise<StoredRegistries>;
}

/** So many registries are asked for at once, so that others are served in between. */
const BATCH_SIZE = 500;

export function createRegistryReader({
  redis,
  keys,
}: {
  redis: Redis;
  keys: RedisKeys;
}): RegistryReader {
  return {
    async readMany(names) {
      const nowMs = await redisNowMs(redis);
      const registries: StoredRegistries['registries'] = new Map();
      for (let start = 0; start < names.length; start += BATCH_SIZE) {
        const batch = names.slice(start, start + BATCH_SIZE);
        const stored = await Promise.all(
          batch.map((name) =>
            Promise.all([redis.hgetall(keys.status(name)), redis.hgetall(keys.control(name))]),
          ),
        );
        for (const [index, name] of batch.entries()) {
          const [status, control] = stored[index] ?? [];
          registries.set(name, {
            status: statusSchema.parse(status ?? {}),
            control: controlSchema.parse(control ?? {}),
          });
        }
      }
      return { nowMs, registries };
    },
  };
}

/** Redis's clock, epoch milliseconds. */
export async function redisNowMs(redis: Redis): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
}
