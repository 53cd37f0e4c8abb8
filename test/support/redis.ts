import { randomUUID } from 'node:crypto';
import { parseRedisUrl } from '@syncline/contract';
import { openRedis, type Redis } from '@syncline/redis';
import { inject } from 'vitest';
import { type Lifetime, testLifetime } from './lifetime.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A Redis for this test run alone; use your own prefix. */
    redisUrl: string;
  }
}

/** Returns the Redis of this test run, which all tests share: each uses its own prefix. */
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
  /** By default the one of the test run. */
  readonly url?: string;
  readonly lifetime?: Lifetime;
}

/** Returns a fresh prefix, and a connection that is closed at the end of the test, when the keys are deleted. */
export function testRedis(options: TestRedisOptions = {}): TestRedis {
  const { url = redisUrl(), lifetime = testLifetime } = options;
  const prefix = freshPrefix({ url, lifetime });
  return { url, prefix, client: connect(url, lifetime) };
}

/** Returns a prefix that nobody else uses. The keys under it are deleted at the end of the test. */
export function freshPrefix(options: TestRedisOptions = {}): string {
  const { url = redisUrl(), lifetime = testLifetime } = options;
  const prefix = `test-${randomUUID().slice(0, 13)}`;
  lifetime.defer(() => deletePrefix(url, prefix));
  return prefix;
}

/** A connection that is closed at the end of the test. */
export function connect(url: string, lifetime: Lifetime = testLifetime): Redis {
  const options = { maxRetriesPerRequest: 1, retryStrategy: () => 100 };
  const client = openRedis(parseRedisUrl(url), options);
  // Tests stop Redis; a command that fails reports it itself.
  client.on('error', () => {});
  lifetime.defer(() => client.disconnect());
  return client;
}

/** All keys of a prefix, BullMQ's among them, sorted. */
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
    // A Redis that the test has ended has nothing to delete.
    if (client.status === 'ready') throw error;
  } finally {
    client.disconnect();
  }
}
