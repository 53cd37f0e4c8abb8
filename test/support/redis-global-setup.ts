import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findRedisServer, startRedisProcess } from '@syncline/runtime/redis-server';
import type { TestProject } from 'vitest/node';

/**
 * Starts one Redis for all tests that need one. Tests get its URL from `inject('redisUrl')`, and the processes
 * of tests from SYNCLINE_TEST_REDIS_URL. If that variable is already set, uses that Redis instead.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['SYNCLINE_TEST_REDIS_URL'];
  if (given !== undefined) {
    project.provide('redisUrl', given);
    return async () => {};
  }
  const directory = await mkdtemp(join(tmpdir(), 'syncline-test-redis-'));
  const server = await findRedisServer({ onProgress: (line) => console.log(line) });
  const redis = await startRedisProcess({ server, directory });
  process.env['SYNCLINE_TEST_REDIS_URL'] = redis.url;
  project.provide('redisUrl', redis.url);
  return async () => {
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  };
}
