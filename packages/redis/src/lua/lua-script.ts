import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  batchesOf,
  isStoreFull,
  keysOfWrongValue,
  type RedisKeys,
  SynclineError,
  toSynclineError,
} from '@syncline/contract';
import type { Redis } from 'ioredis';

/** A Redis connection, and the key names of one Syncline installation. */
export interface KeyAccess {
  readonly redis: Redis;
  readonly keys: RedisKeys;
}

/** The Redis type of each key by its name, see `redisKeys`. */
const TYPES: readonly (readonly [name: RegExp, type: string])[] = [
  [/:(status|control|snapshot:manifests|snapshot:chunks|stored-bytes)$/, 'hash'],
  [/:runs$/, 'stream'],
  [/:(registries|snapshot:history)$/, 'zset'],
];
const OTHER_TYPE = 'string';

/**
 * Awaits the reply to a command. If a key has a value of another type, Redis answers WRONGTYPE without the key. This
 * function then finds the key.
 *
 * @throws SynclineError `store-corrupt`, with the key to delete, or `store-full`
 */
export async function storeCall<Reply>(redis: Redis, reply: Promise<Reply>): Promise<Reply> {
  try {
    return await reply;
  } catch (error) {
    throw await toStoreError(redis, error);
  }
}

/** Returns `store-full`, or `store-corrupt` with the key of another type. Returns any other error unchanged. */
export async function toStoreError(redis: Redis, cause: unknown): Promise<unknown> {
  if (isStoreFull(cause)) return toSynclineError(cause);
  const keys = keysOfWrongValue(cause);
  if (keys === undefined) return cause;
  let message = 'a Redis key of Syncline has a value of the wrong type';
  for (const key of keys) {
    const expected = TYPES.find(([name]) => name.test(key))?.[1] ?? OTHER_TYPE;
    const found = await redis.type(key);
    if (found === expected || found === 'none') continue;
    message = `the key ${key} is a ${found}, but must be a ${expected}. Delete the key, and sync with force`;
    break;
  }
  return new SynclineError('store-corrupt', message, { cause });
}

/** Returns the items of a flat list as pairs. Redis returns hashes and scored members as flat lists. */
export function pairsOf(flat: readonly string[]): (readonly [string, string])[] {
  return [...batchesOf(flat, 2)].map(([first = '', second = '']) => [first, second]);
}

/**
 * Runs a script. The first comment of the script describes the keys, arguments and results.
 *
 * @throws SynclineError `store-corrupt`, see {@link storeCall}
 */
export type LuaScript = (
  redis: Redis,
  keys: readonly string[],
  args: readonly (string | number | Uint8Array)[],
) => Promise<unknown>;

/** Loads a script of this folder. Sends the text only if Redis does not have the script. */
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

/** Returns the bytes as a Buffer, because ioredis sends a Buffer unchanged. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
