import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

/** A script of ours, changed in one place. */
export interface Mutation {
  readonly script: string;
  readonly from: string;
  readonly to: string;
}

/**
 * A connection that runs one script in another version than ours: it is sent the text each time, and
 * changes that on the way. All else is as it is.
 *
 * @throws where the script does not say, once, what is to be changed
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
