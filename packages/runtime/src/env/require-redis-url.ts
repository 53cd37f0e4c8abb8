import { SynclineError } from '@syncline/contract';
import type { Env } from './env.ts';

/**
 * The URL of the Redis to use.
 *
 * @throws SynclineError `config-invalid`: only `syncline up` brings a Redis of its own
 */
export function requireRedisUrl({ redisUrl }: Pick<Env, 'redisUrl'>): string {
  if (redisUrl !== undefined) return redisUrl;
  throw new SynclineError('config-invalid', 'REDIS_URL is not set', {
    expected: 'the URL of a Redis, such as redis://127.0.0.1:6379; `syncline up` brings its own',
  });
}
