import { randomUUID } from 'node:crypto';
import { batchesOf } from '@syncline/contract';
import { type KeyAccess, pairsOf, storeCall } from '../lua/lua-script.ts';

const BATCH_SIZE = 1_000;

export interface TrackOptions extends KeyAccess {
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
      await redis.zrem(keys.registries, name);
      removed.push(name);
    }
  }
  return removed;
}

/**
 * Sets the epoch of a Redis that has none: it is new, or it has lost its data.
 *
 * @returns whether this call has set it
 */
export async function claimEpoch({ redis, keys }: KeyAccess): Promise<boolean> {
  return (await redis.set(keys.epoch, randomUUID(), 'NX')) === 'OK';
}
