import type { RedisKeys } from '@syncline/contract';
import type { Redis } from 'ioredis';

/** Says that a scheduler has been at work. Nothing waits for it: it is there to be looked at. */
export async function recordScheduler(
  { redis, keys }: { redis: Redis; keys: RedisKeys },
  { owner, ttlMs }: { owner: string; ttlMs: number },
): Promise<void> {
  await redis.set(keys.scheduler, owner, 'PX', ttlMs);
}
