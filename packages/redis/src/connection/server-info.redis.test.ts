import { expect, test } from 'vitest';
import { addHint } from '../queue/queue.ts';
import { readQueueHealth } from '../queue/queue-health.ts';
import { redisNowMs } from '../stores/registry-reader.ts';
import { recordScheduler } from '../stores/scheduler-heartbeat.ts';
import { testQueue, testRedis } from '../testing/test-redis.ts';
import { readServerInfo } from './server-info.ts';

test('a Redis says what matters to us', async () => {
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

test('a Redis that keeps its settings to itself is asked all the same', async () => {
  const { redis } = testRedis();
  redis.config = async () => {
    throw new Error('ERR unknown command CONFIG');
  };
  expect((await readServerInfo(redis)).appendFsync).toBeUndefined();
});

test('what waits, and who works, is seen in Redis', async () => {
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
  await addHint(queue, { kind: 'startup', registry: 'one', since: 'x', delayMs: 0 });
  await addHint(queue, { kind: 'request', registry: 'two', request: 1 });
  await redis.set(keys.sweepTurn, 'worker-1');
  await recordScheduler({ redis, keys }, { owner: 'scheduler-1', ttlMs: 60_000 });
  expect(await redis.pttl(keys.scheduler)).toBeGreaterThan(0);
  const nowMs = await redisNowMs(redis);
  const { waiting, oldestDueAtMs, ...seen } = await readQueueHealth({ redis, keys, queue });
  expect(waiting).toBe(2);
  expect(seen).toMatchObject({ sweeper: 'worker-1', scheduler: 'scheduler-1' });
  expect(Math.abs((oldestDueAtMs ?? 0) - nowMs)).toBeLessThan(60_000);
});
