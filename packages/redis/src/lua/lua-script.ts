import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { batchesOf, keysOfWrongValue, type RedisKeys, SynclineError } from '@syncline/contract';
import type { Redis } from 'ioredis';

/** A Redis, and the names of the keys of one Syncline in it. */
export interface KeyAccess {
  readonly redis: Redis;
  readonly keys: RedisKeys;
}

/** The type of each key of Syncline, by its name; see `redisKeys`. */
const TYPES: readonly (readonly [name: RegExp, type: string])[] = [
  [/:(status|control|snapshot:manifests|snapshot:chunks)$/, 'hash'],
  [/:runs$/, 'stream'],
  [/:(registries|snapshot:history)$/, 'zset'],
];
const OTHER_TYPE = 'string';

/**
 * Awaits the reply to a command. If a key has a value of another type, Redis answers WRONGTYPE without the key, so
 * nobody could tell which key to delete.
 *
 * @throws SynclineError `store-corrupt` instead, which names the key
 */
export async function storeCall<Reply>(redis: Redis, reply: Promise<Reply>): Promise<Reply> {
  try {
    return await reply;
  } catch (error) {
    throw await toStoreError(redis, error);
  }
}

/** Returns `store-corrupt` with the key if a key has a value of another type; any other error as it is. */
export async function toStoreError(redis: Redis, cause: unknown): Promise<unknown> {
  const keys = keysOfWrongValue(cause);
  if (keys === undefined) return cause;
  let message = 'a key of Syncline holds a value of another type';
  for (const key of keys) {
    const expected = TYPES.find(([name]) => name.test(key))?.[1] ?? OTHER_TYPE;
    const found = await redis.type(key);
    if (found === expected || found === 'none') continue;
    message = `the key ${key} holds a ${found} instead of a ${expected}. Delete the key, and sync with force`;
    break;
  }
  return new SynclineError('store-corrupt', message, { cause });
}

/** Returns the items of a flat list two by two, as Redis returns hashes and scored members. */
export function pairsOf(flat: readonly string[]): (readonly [string, string])[] {
  return [...batchesOf(flat, 2)].map(([first = '', second = '']) => [first, second]);
}

/**
 * Calls a script. The head of its file describes keys, arguments and results.
 *
 * @throws SynclineError `store-corrupt`, see {@link storeCall}
 */
export type LuaScript = (
  redis: Redis,
  keys: readonly string[],
  args: readonly (string | number | Uint8Array)[],
) => Promise<unknown>;

/** Loads a script of this folder. Sends its text only to a Redis that does not have it yet. */
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

/** Returns the same bytes as a Buffer, which ioredis sends as it is. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
