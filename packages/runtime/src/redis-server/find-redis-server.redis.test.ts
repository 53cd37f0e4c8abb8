import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findFetchedRedis } from './debian-packages.ts';
import { findRedisServer, PROJECT_CACHE_DIR } from './find-redis-server.ts';

const run = promisify(execFile);
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'syncline-find-redis-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function putServer(name: string, version: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, `#!/bin/sh\necho 'Redis server v=${version} sha=0'\n`);
  await chmod(file, 0o755);
  return file;
}

describe('the Redis server to run', () => {
  test('is the one on the PATH', async () => {
    const file = await putServer('redis-server', '6.2.0');

    expect(await findRedisServer({ path: `/nowhere:${directory}` })).toEqual({
      path: file,
      env: {},
    });
  });

  test('can be Valkey', async () => {
    const file = await putServer('valkey-server', '8.1.0');

    expect((await findRedisServer({ path: directory })).path).toBe(file);
  });

  test('is not a server that is too old', async () => {
    const old = await putServer('redis-server', '6.0.16');
    const recent = await putServer('valkey-server', '7.2.0');

    const { path } = await findRedisServer({ path: directory });

    expect(path).toBe(recent);
    expect(path).not.toBe(old);
  });

  test('is a previously downloaded one if the PATH has none', async (context) => {
    const fetched = await findFetchedRedis(join(PROJECT_CACHE_DIR, 'redis'));
    if (fetched === undefined) return context.skip('nothing was downloaded here');

    const { path, env } = await findRedisServer({ path: directory });

    expect(path).toBe(fetched.path);
    expect((await run(path, ['--version'], { env })).stdout).toContain('Redis server v=');
  });
});
