import { QUEUE_NAME, type RegistryConfig, registryConfigSchema } from '@syncline/contract';
import { acquire } from '@syncline/sync/testing';
import { Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { redisHarness, testQueue, testRedis } from '../testing/test-redis.ts';
import { wakeOverdue } from './overdue.ts';
import { ScheduleReconciler, wantedSchedule } from './schedules.ts';

const NOW_MS = Date.now();
const ago = (seconds: number) => new Date(NOW_MS - seconds * 1_000).toISOString();
const LONG_AGO = ago(300);
const EVERY_MINUTE = { syncPolicy: { interval: '1m' } };

function registry(given: object = EVERY_MINUTE, name = 'alpha'): RegistryConfig {
  return registryConfigSchema.parse({ name, file: { path: '/x.json' }, ...given });
}

function createWorld() {
  const test = testRedis();
  const queue = testQueue(test);
  return {
    ...test,
    ...redisHarness(test),
    queue,
    wakeUp: (...registries: readonly RegistryConfig[]) =>
      wakeOverdue({ ...test, queue, registries, knownForMs: () => 60_000, everyMs: 4_000 }),
    wakeUps: async () => (await queue.getJobs(['prioritized'])).map(({ data }) => data),
  };
}

test.each<[what: string, config: object, status: object, control: object, wakeUps: number]>([
  ['it was never tried', EVERY_MINUTE, {}, {}, 1],
  ['it was tried too long ago', EVERY_MINUTE, { lastAttemptAt: LONG_AGO }, {}, 1],
  ['it is late by a few seconds', EVERY_MINUTE, { lastAttemptAt: ago(65) }, {}, 0],
  ['it was tried in time', EVERY_MINUTE, { lastAttemptAt: ago(30) }, {}, 0],
  ['a long interval is not over', {}, { lastAttemptAt: LONG_AGO }, {}, 0],
  [
    'it is failing, and its next try is in the future',
    EVERY_MINUTE,
    { lastAttemptAt: LONG_AGO, nextDueAt: ago(-60) },
    {},
    0,
  ],
  [
    'it is failing, and its next try is overdue',
    EVERY_MINUTE,
    { lastAttemptAt: LONG_AGO, nextDueAt: ago(100) },
    {},
    1,
  ],
  ['it is suspended', EVERY_MINUTE, { lastAttemptAt: LONG_AGO }, { suspended: '1' }, 0],
  ['it is no longer suspended', EVERY_MINUTE, { lastAttemptAt: LONG_AGO }, { suspended: '0' }, 1],
  ['it is pinned', EVERY_MINUTE, { lastAttemptAt: LONG_AGO }, { pinned: 'a' }, 0],
  [
    'it is suspended in the config',
    { ...EVERY_MINUTE, suspended: true },
    { lastAttemptAt: LONG_AGO },
    {},
    0,
  ],
  [
    'a cron pattern has fired since',
    { schedule: { pattern: '* * * * *', timezone: 'UTC' } },
    { lastAttemptAt: LONG_AGO },
    {},
    1,
  ],
  [
    'a cron pattern has not fired since',
    { schedule: { pattern: '0 0 1 1 *', timezone: 'UTC' } },
    { lastAttemptAt: LONG_AGO },
    {},
    0,
  ],
])('only an overdue registry is woken: %s', async (_what, config, status, control, expected) => {
  const { redis, keys, wakeUp, wakeUps } = createWorld();
  if (Object.keys(status).length > 0) await redis.hset(keys.status('alpha'), status);
  if (Object.keys(control).length > 0) await redis.hset(keys.control('alpha'), control);
  expect(await wakeUp(registry(config))).toBe(expected);
  expect(await wakeUps()).toEqual(
    expected === 0 ? [] : [{ v: 1, registry: 'alpha', trigger: 'schedule' }],
  );
});

test('a wake-up is added again only after the previous one is gone', async () => {
  const { wakeUp, wakeUps, queue } = createWorld();
  await wakeUp(registry());
  await wakeUp(registry());
  expect(await wakeUps()).toHaveLength(1);
  const [job] = await queue.getJobs(['prioritized']);
  await job?.remove();
  await wakeUp(registry());
  expect(await wakeUps()).toHaveLength(1);
});

test('a wake-up that a silent worker has taken is added again for other workers', async () => {
  const { wakeUp, wakeUps, redis, keys } = createWorld();
  await wakeUp(registry());
  const worker = new Worker(QUEUE_NAME, undefined, {
    connection: redis,
    prefix: keys.queuePrefix,
    skipVersionCheck: true,
  });
  onTestFinished(() => worker.close());
  expect(await worker.getNextJob('token')).toBeDefined();
  await wakeUp(registry());
  await wakeUp(registry());
  expect(await wakeUps()).toHaveLength(1);
});

test('a new registry that was never tried is not woken yet', async () => {
  const { redis, keys, queue, wakeUps } = createWorld();
  const registries = ['new', 'tried', 'old'].map((name) => registry(EVERY_MINUTE, name));
  await redis.hset(keys.status('tried'), { lastAttemptAt: LONG_AGO });
  const knownForMs = (name: string) => (name === 'old' ? 60_000 : 10_000);
  const options = { redis, keys, queue, registries, knownForMs, everyMs: 4_000 };
  expect(await wakeOverdue(options)).toBe(2);
  const woken = (await wakeUps()).map((wakeUp) => wakeUp.registry);
  expect(woken.toSorted()).toEqual(['old', 'tried']);
});

test('a registry is not woken during a run', async () => {
  const world = createWorld();
  await acquire(world, 'alpha');
  expect(await world.wakeUp(registry())).toBe(0);
});

test('a registry whose due tick waits in the queue is not woken', async () => {
  const { redis, queue, wakeUp } = createWorld();
  await new ScheduleReconciler({ redis, queue }).reconcile([wantedSchedule(registry())]);
  // The tick is not due yet, so the registry does not wait for it.
  expect(await wakeUp(registry())).toBe(1);
  const [tick] = await queue.getDelayed();
  await tick?.promote();
  expect(await wakeUp(registry())).toBe(0);
});

test('at most 200 of many overdue registries are woken at a time', async () => {
  const { wakeUp } = createWorld();
  const registries = Array.from({ length: 600 }, (_, index) =>
    registry(EVERY_MINUTE, `registry-${index}`),
  );
  expect(await wakeUp(...registries)).toBe(200);
});

test('keys of another type do not hide other registries', async () => {
  const { redis, keys, wakeUp } = createWorld();
  await redis.set(keys.status('alpha'), 'not ours');
  expect(await wakeUp(registry(), registry(EVERY_MINUTE, 'beta'))).toBe(1);
});
