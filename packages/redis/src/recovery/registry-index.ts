import { randomUUID } from 'node:crypto';
import { batchesOf, type RedisKeys } from '@syncline/contract';
import type { ChainableCommander, Redis } from 'ioredis';
import { storeCall } from '../lua/lua-script.ts';

const BATCH_SIZE = 1_000;

export interface TrackOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  /** The registries of the config in force. */
  readonly names: readonly string[];
  /** Epoch milliseconds by Redis's clock. */
  readonly nowMs: number;
  /** How long the data of a registry stays after the config dropped it. */
  readonly graceMs: number;
}

/**
 * Records which registries have data. Removes the data of registries that the config dropped long ago. A registry that
 * returns before that keeps its data.
 *
 * @returns the registries whose data was removed
 * @throws SynclineError `store-corrupt`
 */
export function trackRegistries(options: TrackOptions): Promise<string[]> {
  return storeCall(options.redis, track(options));
}

async function track(options: TrackOptions): Promise<string[]> {
  const { redis, keys, names, nowMs, graceMs } = options;
  for (const batch of batchesOf(names, BATCH_SIZE)) {
    await redis.zadd(keys.registries, ...batch.flatMap((name) => [0, name]));
  }
  const wanted = new Set(names);
  const known = await redis.zrange(keys.registries, '0', '-1');
  const dropped = known.filter((name) => !wanted.has(name));
  const removed: string[] = [];
  for (const name of dropped) {
    const droppedAtMs = Number(await redis.zscore(keys.registries, name));
    if (droppedAtMs === 0) await redis.zadd(keys.registries, nowMs, name);
    else if (nowMs - droppedAtMs >= graceMs) {
      await forgetRegistry({ redis, keys }, name);
      removed.push(name);
    }
  }
  return removed;
}

async function forgetRegistry(
  { redis, keys }: { redis: Redis; keys: RedisKeys },
  registry: string,
): Promise<void> {
  await redis.unlink(keys.allOfRegistry(registry));
  await redis.zrem(keys.registries, registry);
}

/**
 * Sets the epoch of a Redis that has none: it is new, or it has lost its data.
 *
 * @returns whether this call has set it
 */
export async function claimEpoch({
  redis,
  keys,
}: {
  redis: Redis;
  keys: RedisKeys;
}): Promise<boolean> {
  return (await redis.set(keys.epoch, randomUUID(), 'NX')) === 'OK';
}

/**
 * Runs a transaction: `multi`, and commands.
 *
 * @throws the error of the first command that failed. ioredis itself does not throw it
 */
export async function execute(transaction: ChainableCommander): Promise<void> {
  for (const [error] of (await transaction.exec()) ?? []) {
    if (error !== null) throw error;
  }
}
