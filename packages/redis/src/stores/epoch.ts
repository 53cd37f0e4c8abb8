import { randomUUID } from 'node:crypto';
import type { RedisKeys } from '@syncline/contract';
import type { Redis } from 'ioredis';

/**
 * Claims a Redis that has no epoch: it is new, or it has lost its data.
 *
 * @returns whether this call was the one that claimed it
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
