import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { storeCall } from '../stores/store-errors.ts';

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

/** A script of the folder `lua/`. Redis is sent its text only where it does not know it yet. */
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
