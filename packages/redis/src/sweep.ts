import type { RedisKeys } from '@syncline/contract';
import type { Redis } from 'ioredis';
import { addHint, type SyncQueue } from './queue.ts';
import { redisNowMs } from './registry-reader.ts';

const BATCH_SIZE = 500;

export interface SweepOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly queue: SyncQueue;
  readonly registries: readonly string[];
  /** Names this process among those that sweep. */
  readonly owner: string;
  /** One sweep of the whole fleet in this time. */
  readonly everyMs: number;
}

/**
 * Finds what nobody works on and somebody should: runs whose lease has ended without a word, requests
 * that no run has answered. It adds a hint for each; a worker that takes one finds out the rest.
 *
 * @returns how many hints were added; `undefined` where another process had the turn
 */
export async function sweep(options: SweepOptions): Promise<number | undefined> {
  const { redis, keys, queue, registries, owner, everyMs } = options;
  // A little less than the period, so that the same process can have the next turn too.
  const turn = await redis.set(keys.sweepTurn, owner, 'PX', Math.ceil(everyMs * 0.9), 'NX');
  if (turn === null) return undefined;
  const nowMs = await redisNowMs(redis);
  let hints = 0;
  for (let start = 0; start < registries.length; start += BATCH_SIZE) {
    const batch = registries.slice(start, start + BATCH_SIZE);
    const added = await Promise.all(batch.map((registry) => sweepRegistry(registry)));
    hints += added.reduce((sum, count) => sum + count, 0);
  }
  return hints;

  async function sweepRegistry(registry: string): Promise<number> {
    const [[owned, term, leaseUntil], [requested, handled]] = await Promise.all([
      redis.hmget(keys.status(registry), 'owner', 'term', 'leaseUntil'),
      redis.hmget(keys.control(registry), 'requested', 'handled'),
    ]);
    const isHeld = owned != null && Number(leaseUntil) > nowMs;
    if (isHeld) return 0;
    let added = 0;
    if (owned != null && term != null) {
      await addHint(queue, { kind: 'interrupted', registry, term });
      added += 1;
    }
    const request = Number(requested ?? 0);
    if (request > Number(handled ?? 0)) {
      await addHint(queue, { kind: 'request', registry, request });
      added += 1;
    }
    return added;
  }
}
