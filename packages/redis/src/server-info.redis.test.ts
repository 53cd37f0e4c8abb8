import { expect, test } from 'vitest';
import { addHint } from './queue.ts';
import { readQueueHealth } from './queue-health.ts';
import { redisNowMs } from './registry-reader.ts';
import { readServerInfo } from './server-info.ts';
import { testQueue, testRedis } from './testing/test-redis.ts';

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
    schedules: new Map(),
    waiting: 0,
    oldestDueAtMs: undefined,
  });
  await addHint(queue, { kind: 'startup', registry: 'one', since: 'x', delayMs: 0 });
  await addHint(queue, { kind: 'request', registry: 'two', request: 1 });
  await redis.set(keys.sweepTurn, 'worker-1');
  const nowMs = await redisNowMs(redis);
  const { waiting, oldestDueAtMs, sweeper } = await readQueueHealth({ redis, keys, queue });
  expect({ waiting, sweeper }).toEqual({ waiting: 2, sweeper: 'worker-1' });
  expect(Math.abs((oldestDueAtMs ?? 0) - nowMs)).toBeLessThan(60_000);
});
