import { randomUUID } from 'node:crypto';
import { digestOf, type Run, redisKeys, runId } from '@syncline/contract';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { createSynclineClient } from './client.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A Redis for this test run alone; take a prefix of your own. */
    redisUrl: string;
  }
}

/** Creates a client, and the Redis that it shares with a Syncline, whose part the test plays. */
async function createShared() {
  const prefix = `test-${randomUUID().slice(0, 13)}`;
  const keys = redisKeys(prefix);
  const redis = new Redis(inject('redisUrl'), { maxRetriesPerRequest: null });
  const queue = new Queue('registry-sync', { connection: redis, prefix: keys.queuePrefix });
  const client = createSynclineClient({ redis: inject('redisUrl'), prefix });
  onTestFinished(async () => {
    await client.close();
    await queue.close();
    const used = [...(await redis.keys(`${prefix}:*`)), ...(await redis.keys(`{${prefix}:*`))];
    if (used.length > 0) await redis.unlink(...used);
    redis.disconnect();
  });
  const config = async (...registries: object[]) => {
    const digest = digestOf({ registries });
    await redis.set(keys.configDocument(digest), JSON.stringify({ registries }));
    await redis.set(keys.config, digest);
  };
  await config({ name: 'alpha', file: { path: '/alpha.json' } });

  /** Adds a run that has ended and has handled requests up to `handledRequest`. */
  async function answer(term: string, handledRequest: number, changes: Partial<Run> = {}) {
    const run: Run = {
      id: runId('alpha', term),
      registry: 'alpha',
      term,
      owner: 'worker',
      trigger: 'manual',
      outcome: 'published',
      startedAt: '2026-02-01T12:00:00.000Z',
      finishedAt: '2026-02-01T12:00:01.000Z',
      durationMs: 1_000,
      handledRequest,
      upstream: { requests: 1, bytes: 1 },
      ...changes,
    };
    await redis.xadd(keys.runs('alpha'), `${term}-0`, 'run', JSON.stringify(run));
    await redis.hset(keys.control('alpha'), 'handled', handledRequest);
    return run;
  }
  return { client, redis, keys, queue, config, answer };
}

test('a request is counted, and wakes a worker', async () => {
  const { client, redis, keys, queue } = await createShared();
  expect(await client.requestSync('alpha')).toEqual({ request: 1, state: 'queued' });
  expect(await client.requestSync('alpha', { force: true })).toEqual({
    request: 2,
    state: 'queued',
  });
  expect(await redis.hgetall(keys.control('alpha'))).toEqual({ requested: '2', force: '1' });
  const jobs = await queue.getWaiting();
  expect(
    jobs.map(({ name, data }) => ({ name, ...data })).sort((a, b) => a.request - b.request),
  ).toEqual([
    { name: 'sync', v: 1, registry: 'alpha', trigger: 'manual', force: false, request: 1 },
    { name: 'sync', v: 1, registry: 'alpha', trigger: 'manual', force: true, request: 2 },
  ]);
});

test('a request during a run has the state joined', async () => {
  const { client, redis, keys } = await createShared();
  await redis.hset(keys.status('alpha'), { phase: 'Syncing', leaseUntil: Date.now() + 60_000 });
  expect(await client.requestSync('alpha')).toMatchObject({ state: 'joined' });
  await redis.hset(keys.status('alpha'), { leaseUntil: 1 });
  expect(await client.requestSync('alpha')).toMatchObject({ state: 'queued' });
});

test('each of several concurrent requests gets its own number', async () => {
  const { client } = await createShared();
  const requests = await Promise.all(Array.from({ length: 20 }, () => client.requestSync('alpha')));
  expect(new Set(requests.map(({ request }) => request)).size).toBe(20);
});

test.each(['config', 'operator', 'rollback'])(
  'a request for a registry suspended by %s is rejected and not counted',
  async (by) => {
    const { client, redis, keys, queue, config } = await createShared();
    if (by === 'config') {
      await config({ name: 'alpha', file: { path: '/alpha.json' }, suspended: true });
    } else {
      await redis.hset(
        keys.control('alpha'),
        by === 'operator' ? { suspended: '1' } : { pinned: 'a' },
      );
    }
    await expect(client.requestSync('alpha')).rejects.toMatchObject({ code: 'registry-suspended' });
    expect(await redis.hexists(keys.control('alpha'), 'requested')).toBe(0);
    expect(await queue.getWaitingCount()).toBe(0);
  },
);

test('a registry that is not in the config is rejected as unknown', async () => {
  const { client, redis, keys } = await createShared();
  const unknown = { code: 'unknown-registry' };
  await expect(client.requestSync('nobody')).rejects.toMatchObject(unknown);
  await expect(client.getStatus('nobody')).rejects.toMatchObject(unknown);
  await redis.del(keys.config);
  await expect(client.requestSync('alpha')).rejects.toMatchObject(unknown);
});

test('a new config takes effect at the next call', async () => {
  const { client, config } = await createShared();
  await client.getStatus('alpha');
  await config({ name: 'beta', file: { path: '/b' } });
  expect(await client.getStatus('beta')).toMatchObject({ phase: 'Pending' });
  await expect(client.getStatus('alpha')).rejects.toMatchObject({ code: 'unknown-registry' });
});

test('getStatus rejects with store-corrupt if the config cannot be read', async () => {
  const { client, redis, keys } = await createShared();
  await redis.set(keys.config, 'lost');
  await expect(client.getStatus('alpha')).rejects.toMatchObject({ code: 'store-corrupt' });
  const planted = { registries: [{ name: 'alpha', file: { path: '/etc/shadow' } }] };
  await redis.set(keys.configDocument('planted'), JSON.stringify(planted));
  await redis.set(keys.config, 'planted');
  await expect(client.getStatus('alpha')).rejects.toMatchObject({
    code: 'store-corrupt',
    message: expect.stringContaining('find out which program changed the config'),
  });
  await redis.set(keys.configDocument('broken'), '{');
  await redis.set(keys.config, 'broken');
  await expect(client.getStatus('alpha')).rejects.toMatchObject({ code: 'store-corrupt' });
});

test('waitForRun returns the run that handles the request', async () => {
  const { client, answer } = await createShared();
  await answer('1', 0);
  const { request } = await client.requestSync('alpha');
  const waiting = client.waitForRun('alpha', request, { timeoutMs: 120_000 });
  const run = await answer('2', 1);
  await answer('3', 1, { trigger: 'schedule' });
  expect(await waiting).toEqual(run);
  expect(await client.waitForRun('alpha', request, { timeoutMs: 0 })).toEqual(run);
});

test('waitForRun returns the same run for several requests that it handles', async () => {
  const { client, answer } = await createShared();
  for (let made = 0; made < 3; made += 1) await client.requestSync('alpha');
  const run = await answer('1', 3);
  for (const request of [1, 2, 3]) {
    expect(await client.waitForRun('alpha', request, { timeoutMs: 120_000 })).toEqual(run);
  }
});

test('waitForRun ignores an interrupted run', async () => {
  const { client, answer } = await createShared();
  const run = await answer('1', 1);
  await answer('2', 1, { outcome: 'interrupted' });
  expect(await client.waitForRun('alpha', 1, { timeoutMs: 120_000 })).toEqual(run);
});

test('waitForRun finds a run that is many runs back', async () => {
  const { client, answer } = await createShared();
  const run = await answer('1', 1);
  for (let term = 2; term < 130; term += 1) await answer(String(term), 2);
  expect(await client.waitForRun('alpha', 1, { timeoutMs: 120_000 })).toEqual(run);
});

test('waitForRun ends at its timeout, and when its signal is aborted', async () => {
  const { client } = await createShared();
  const { request } = await client.requestSync('alpha');
  expect(await client.waitForRun('alpha', request, { timeoutMs: 60 })).toBeUndefined();
  const abort = new AbortController();
  const waiting = client.waitForRun('alpha', request, { timeoutMs: 60_000, signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});

test('a run whose process died is not shown as Syncing', async () => {
  const { client, redis, keys } = await createShared();
  await redis.hset(keys.status('alpha'), {
    phase: 'Syncing',
    term: '1',
    owner: 'x',
    leaseUntil: 1,
  });
  expect(await client.getStatus('alpha')).toMatchObject({
    phase: 'Pending',
    message: expect.stringContaining('interrupted'),
  });
});

test('requestSync rejects with store-unavailable if Redis cannot be reached', async () => {
  const client = createSynclineClient({ redis: 'redis://127.0.0.1:1' });
  onTestFinished(() => client.close());
  await expect(client.requestSync('alpha')).rejects.toMatchObject({ code: 'store-unavailable' });
});

test('a connection of the caller is used, and close leaves it open', async () => {
  const { redis, keys } = await createShared();
  const client = createSynclineClient({ redis, prefix: keys.config.split(':')[0] ?? '' });
  expect(await client.getStatus('alpha')).toMatchObject({ phase: 'Pending' });
  await client.close();
  await vi.waitFor(async () => expect(await redis.ping()).toBe('PONG'));
});
