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
 * A port whose errors name the key where Redis found another type of value than ours.
 *
 * @throws SynclineError `store-corrupt` from each of its methods, which must be asynchronous
 */
export function namingKeys<Port extends object>(redis: Redis, port: Port): Port {
  return new Proxy(port, {
    get(target, name, receiver) {
      const method: unknown = Reflect.get(target, name, receiver);
      if (typeof method !== 'function') return method;
      return async (...args: unknown[]) => {
        try {
          return await Reflect.apply(method, target, args);
        } catch (error) {
          throw await toStoreError(redis, error);
        }
      };
    },
  });
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
