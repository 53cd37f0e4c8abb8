import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

/** A Lua script with one changed place. */
export interface Mutation {
  readonly script: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Returns a connection that runs a changed version of one script. Redis gets the script's text with each call, and the
 * connection changes the text. All other commands stay the same.
 *
 * @throws if the script does not contain `from` exactly once
 */
export function mutatedRedis(redis: Redis, { script, from, to }: Mutation): Redis {
  const original = readFileSync(new URL(`../lua/${script}.lua`, import.meta.url), 'utf8');
  const [before, after, ...more] = original.split(from);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(
      `${script}.lua says ${more.length === 0 ? 'nowhere' : 'more than once'}: ${from}`,
    );
  }
  const mutant = before + to + after;
  const replaced: Partial<Record<PropertyKey, unknown>> = {
    evalsha: async () => {
      throw new Error('NOSCRIPT: so that the text is sent');
    },
    eval: (text: string, keyCount: number, ...rest: (string | Buffer | number)[]) =>
      redis.eval(text === original ? mutant : text, keyCount, ...rest),
  };
  return new Proxy(redis, {
    get(target, name) {
      const value: unknown = replaced[name] ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
