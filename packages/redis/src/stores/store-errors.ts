import { SynclineError } from '@syncline/contract';
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
  if (!(error instanceof Error) || !error.message.includes('WRONGTYPE')) return error;
  for (const key of keysOf(error)) {
    const expected = TYPES.find(([name]) => name.test(key))?.[1] ?? OTHER_TYPE;
    const found = await redis.type(key);
    if (found === expected || found === 'none') continue;
    return new SynclineError('store-corrupt', `the key ${key} holds a ${found}`, {
      expected: `a ${expected}; delete the key, and sync with force`,
      cause: error,
    });
  }
  return new SynclineError('store-corrupt', 'a key of ours holds another type of value', {
    cause: error,
  });
}

/** The keys of the command that failed: of a script, those that it was given; else the first argument. */
function keysOf(error: Error): string[] {
  // As ioredis documents it, for errors that Redis has replied with.
  const { command } = error as { command?: { name: string; args: readonly unknown[] } };
  if (command === undefined) return [];
  const [first, second, ...rest] = command.args;
  const isScript = /^eval(sha)?$/i.test(command.name);
  return (isScript ? rest.slice(0, Number(second)) : [first]).map(String);
}
