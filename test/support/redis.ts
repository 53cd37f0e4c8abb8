import { randomUUID } from 'node:crypto';
import { parseRedisUrl } from '@syncline/contract';
import { openRedis, type Redis } from '@syncline/redis';
import { inject } from 'vitest';
import { type Lifetime, testLifetime } from './lifetime.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A Redis that only this test run uses. Each test must use its own prefix. */
    redisUrl: string;
  }
}

/** Returns the URL of the Redis that all tests of this run share. Each test must use its own prefix. */
export function redisUrl(): string {
  const url = inject('redisUrl') ?? process.env['SYNCLINE_TEST_REDIS_URL'];
  if (url === undefined) {
    throw new Error('there is no Redis: this test belongs to a project with redis-global-setup.ts');
  }
  return url;
}

export interface TestRedis {
  readonly url: string;
  /** The prefix of this test's keys. */
  readonly prefix: string;
  readonly client: Redis;
}

export interface TestRedisOptions {
  /** The URL of the Redis. Default: the Redis of the test run. */
  readonly url?: string;
  readonly lifetime?: Lifetime;
}

/**
 * Returns a new prefix and a connection. At the end of the test, the connection is closed and the keys are
 * deleted.
 */
export function testRedis(options: TestRedisOptions = {}): TestRedis {
  const { url = redisUrl(), lifetime = testLifetime } = options;
  const prefix = freshPrefix({ url, lifetime });
  return { url, prefix, client: connect(url, lifetime) };
}

/** Returns a prefix that no other test uses. Its keys are deleted at the end of the test. */
export function freshPrefix(options: TestRedisOptions = {}): string {
  const { url = redisUrl(), lifetime = testLifetime } = options;
  const prefix = `test-${randomUUID().slice(0, 13)}`;
  lifetime.defer(() => deletePrefix(url, prefix));
  return prefix;
}

/** Opens a connection that is closed at the end of the test. */
export function connect(url: string, lifetime: Lifetime = testLifetime): Redis {
  const options = { maxRetriesPerRequest: 1, retryStrategy: () => 100 };
  const client = openRedis(parseRedisUrl(url), options);
  // Tests stop Redis. A command that fails then reports the error itself.
  client.on('error', () => {});
  lifetime.defer(() => client.disconnect());
  return client;
}

/** Returns all keys with a prefix, including those of BullMQ, sorted. */
export async function keysOf(client: Redis, prefix: string): Promise<string[]> {
  const keys = new Set<string>();
  for (const match of [`${prefix}*`, `{${prefix}*`]) {
    for await (const found of client.scanStream({ match, count: 1_000 })) {
      for (const key of found) keys.add(String(key));
    }
  }
  return [...keys].sort();
}

async function deletePrefix(url: string, prefix: string): Promise<void> {
  const client = openRedis(parseRedisUrl(url), {
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
  });
  client.on('error', () => {});
  try {
    const keys = await keysOf(client, prefix);
    while (keys.length > 0) await client.unlink(keys.splice(0, 1_000));
  } catch (error) {
    // If the test has ended Redis, there is nothing to delete.
    if (client.status === 'ready') throw error;
  } finally {
    client.disconnect();
  }
}
