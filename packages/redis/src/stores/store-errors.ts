import { keysOfWrongValue, SynclineError } from '@syncline/contract';
import type { Redis } from 'ioredis';

/** What each of our keys holds. Its name says which it is: see `redisKeys`. */
const TYPES: readonly (readonly [name: RegExp, type: string])[] = [
  [/:(status|control|snapshot:manifests|snapshot:chunks)$/, 'hash'],
  [/:runs$/, 'stream'],
  [/:(registries|snapshot:history)$/, 'zset'],
];
const OTHER_TYPE = 'string';

/**
 * The reply to a command. Redis answers a command on a key that holds another type with WRONGTYPE, and names
 * no key; whoever reads that cannot tell which key to delete.
 *
 * @throws SynclineError `store-corrupt` instead, which names the key, what it holds, and what it should hold
 */
export async function storeCall<Reply>(redis: Redis, reply: Promise<Reply>): Promise<Reply> {
  try {
    return await reply;
  } catch (error) {
    throw await toStoreError(redis, error);
  }
}

/** `store-corrupt`, with the key, for a value of another type than ours; any other error as it is. */
export async function toStoreError(redis: Redis, error: unknown): Promise<unknown> {
  const keys = keysOfWrongValue(error);
  if (keys === undefined) return error;
  for (const key of keys) {
    const expected = TYPES.find(([name]) => name.test(key))?.[1] ?? OTHER_TYPE;
    const found = await redis.type(key);
    if (found === expected || found === 'none') continue;
    return new SynclineError('store-corrupt', `the key ${key} holds a ${found}`, {
      expected: `a ${expected}; delete the key, and sync with force`,
      cause: error,
    });
  }
  return new SynclineError('store-corrupt', 'a key of ours holds what is not ours', {
    cause: error,
  });
}
