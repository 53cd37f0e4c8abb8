import { expect, test } from 'vitest';
import { addWakeUp } from '../queue/queue.ts';
import { readQueueHealth } from '../queue/queue-health.ts';
import { redisNowMs } from '../stores/registry-reader.ts';
import { testQueue, testRedis } from '../testing/test-redis.ts';
import { readServerInfo } from './server-info.ts';

test('reads the version, the role and the memory settings of a Redis', async () => {
  const { redis } = testRedis();
  expect(await readServerInfo(redis)).toMatchObject({
    version: expect.stringMatching(/^\d+\.\d+/),
    role: 'master',
    isLoading: false,
    isCluster: false,
    isAppendOnlyFileGood: true,
    usedMemoryBytes: expect.any(Number),
    maxMemoryPolicy: expect.any(String),
  });
});

test('reads a Redis that refuses CONFIG without its settings', async () => {
  const { redis } = testRedis();
  redis.config = async () => {
    throw new Error('ERR unknown command CONFIG');
  };
  expect((await readServerInfo(redis)).appendFsync).toBeUndefined();
});

test('reads the waiting jobs, the sweeper and the scheduler of the queue', async () => {
  const context = testRedis();
  const { redis, keys } = context;
  const queue = testQueue(context);
  const empty = await readQueueHealth({ redis, keys, queue });
  expect(empty).toEqual({
    workers: 0,
    sweeper: undefined,
    scheduler: undefined,
    schedules: new Map(),
    waiting: 0,
    oldestDueAtMs: undefined,
  });
  await addWakeUp(queue, { kind: 'startup', registry: 'one', since: 'x', delayMs: 0 });
  await addWakeUp(queue, { kind: 'request', registry: 'two', request: 1 });
  await redis.set(keys.sweepTurn, 'worker-1');
  await redis.set(keys.scheduler, 'scheduler-1', 'PX', 60_000);
  const nowMs = await redisNowMs(redis);
  const { waiting, oldestDueAtMs, ...seen } = await readQueueHealth({ redis, keys, queue });
  expect(waiting).toBe(2);
  expect(seen).toMatchObject({ sweeper: 'worker-1', scheduler: 'scheduler-1' });
  expect(Math.abs((oldestDueAtMs ?? 0) - nowMs)).toBeLessThan(60_000);
});
