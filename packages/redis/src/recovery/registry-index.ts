import { randomUUID } from 'node:crypto';
import { batchesOf } from '@syncline/contract';
import { type KeyAccess, pairsOf, storeCall } from '../lua/lua-script.ts';

const BATCH_SIZE = 1_000;

export interface TrackOptions extends KeyAccess {
  /** The registries of the current config. */
  readonly names: readonly string[];
  /** Epoch milliseconds by Redis's clock. */
  readonly nowMs: number;
  /** How long the data of a registry stays after the config has dropped it. */
  readonly graceMs: number;
}

/**
 * Records which registries have data. Removes the data of registries that the config dropped longer ago than the grace
 * time. A registry that returns earlier keeps its data.
 *
 * @returns the names of the removed registries
 * @throws SynclineError `store-corrupt`
 */
export function trackRegistries(options: TrackOptions): Promise<string[]> {
  return storeCall(options.redis, track(options));
}

async function track({ redis, keys, names, nowMs, graceMs }: TrackOptions): Promise<string[]> {
  for (const batch of batchesOf(names, BATCH_SIZE)) {
    await redis.zadd(keys.registries, ...batch.flatMap((name) => [0, name]));
  }
  const wanted = new Set(names);
  const removed: string[] = [];
  for (const [name, score] of pairsOf(
    await redis.zrange(keys.registries, '0', '-1', 'WITHSCORES'),
  )) {
    const droppedAtMs = Number(score);
    if (wanted.has(name)) continue;
    if (droppedAtMs === 0) await redis.zadd(keys.registries, nowMs, name);
    else if (nowMs - droppedAtMs >= graceMs) {
      await redis.unlink(keys.allOfRegistry(name));
      // Without the sum, stored-bytes.lua adds up the counts again.
      await redis.hdel(keys.storedBytes, name, '');
      await redis.zrem(keys.registries, name);
      removed.push(name);
    }
  }
  return removed;
}

/**
 * Sets the epoch if Redis has none, because it is new or has lost its data.
 *
 * @returns whether this call has set the epoch
 */
export async function claimEpoch({ redis, keys }: KeyAccess): Promise<boolean> {
  return (await redis.set(keys.epoch, randomUUID(), 'NX')) === 'OK';
}
