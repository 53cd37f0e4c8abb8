import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
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
 * no key, so a reader of that error could not tell which key to delete.
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
  return new SynclineError('store-corrupt', 'a key of Syncline holds a value of another type', {
    cause: error,
  });
}

/**
 * Calls a script; what it takes and gives is written at the head of its file.
 *
 * @throws SynclineError `store-corrupt`, see {@link storeCall}
 */
export type LuaScript = (
  redis: Redis,
  keys: readonly string[],
  args: readonly (string | number | Uint8Array)[],
) => Promise<unknown>;

/** Loads a script of this folder. Redis gets its text only if it does not have it yet. */
export function luaScript(name: string): LuaScript {
  const text = readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
  const sha = createHash('sha1').update(text).digest('hex');
  return async (redis, keys, args) => {
    const rest = args.map((arg) => (arg instanceof Uint8Array ? asBuffer(arg) : arg));
    const reply = redis.evalsha(sha, keys.length, ...keys, ...rest).catch((error: unknown) => {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return redis.eval(text, keys.length, ...keys, ...rest);
    });
    return storeCall(redis, reply);
  };
}

/** The same bytes, as the class that ioredis sends verbatim. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
