import { registryConfigSchema } from '@syncline/contract';
import { nextFiringMs } from '@syncline/sync';
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { redisNowMs } from '../stores/registry-reader.ts';
import { startMonitor } from '../testing/start-monitor.ts';
import { type TestRedis, testQueue, testRedis } from '../testing/test-redis.ts';
import {
  ScheduleReconciler,
  scheduleOffsetMs,
  type WantedSchedule,
  wantedSchedule,
} from './schedules.ts';

const NOTHING = { added: 0, retimed: 0, removed: 0, healed: 0 };
const HOUR_MS = 3_600_000;

function createReconciler() {
  const test = testRedis();
  const queue = testQueue(test);
  const { redis } = test;
  return { ...test, queue, reconciler: new ScheduleReconciler({ redis, queue }) };
}

function wanted(...names: readonly string[]): WantedSchedule[] {
  return names.map((registry) => ({ registry, intervalMs: HOUR_MS }));
}

/** Watches Redis. The returned function gives the commands since then, except `get`. */
async function watchWrites({ redis, prefix }: TestRedis) {
  const monitor = await startMonitor(inject('redisUrl'));
  onTestFinished(() => monitor.disconnect());
  const commands: string[] = [];
  monitor.on('monitor', (_time: string, [command = '', ...args]: string[]) => {
    if (args.some((arg) => arg.includes(prefix))) commands.push(command.toLowerCase());
  });
  return async () => {
    // The monitor shows commands in order: when it shows this one, it has shown all earlier ones.
    const end = `${prefix}:end-of-watch`;
    await redis.get(end);
    await vi.waitFor(() => expect(commands).toContain('get'));
    return commands.filter((command) => command !== 'get');
  };
}

test('a wanted schedule is added once', async () => {
  const { reconciler, queue } = createReconciler();
  expect(await reconciler.reconcile(wanted('alpha', 'beta'))).toEqual({ ...NOTHING, added: 2 });
  expect(await reconciler.reconcile(wanted('alpha', 'beta'))).toEqual(NOTHING);
  expect(await queue.getJobSchedulersCount()).toBe(2);
  const [next] = await queue.getDelayed();
  expect(next).toMatchObject({
    name: 'sync',
    data: { v: 1, trigger: 'schedule' },
    opts: { priority: 10, attempts: 1, removeOnComplete: true },
  });
});

test('ticks come at the fixed phase of the registry', async () => {
  const { reconciler, queue, redis } = createReconciler();
  await reconciler.reconcile(wanted('alpha'));
  const [scheduler] = await queue.getJobSchedulers();
  const nowMs = await redisNowMs(redis);
  const next = scheduler?.next ?? 0;
  expect(next % HOUR_MS).toBe(scheduleOffsetMs({ registry: 'alpha', intervalMs: HOUR_MS }));
  expect(next).toBeGreaterThan(nowMs - 1_000);
  expect(next).toBeLessThanOrEqual(nowMs + HOUR_MS);
});

test('phases are spread over the whole interval', () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `registry-${index}`);
  const offsets = names.map((registry) => scheduleOffsetMs({ registry, intervalMs: 60_000 }));
  expect(Math.min(...offsets)).toBeGreaterThanOrEqual(1);
  expect(Math.max(...offsets)).toBeLessThan(60_000);
  const perSecond = Map.groupBy(offsets, (offset) => Math.floor(offset / 1_000));
  expect(Math.max(...[...perSecond.values()].map((list) => list.length))).toBeLessThan(40);
});

test('a pass without differences writes nothing', async () => {
  const { reconciler, ...redis } = createReconciler();
  await reconciler.reconcile(wanted('alpha', 'beta'));
  const writes = await watchWrites(redis);
  await reconciler.reconcile(wanted('alpha', 'beta'));
  expect(new Set(await writes())).toEqual(new Set(['zrange', 'hmget', 'exists']));
});

test('a changed interval retimes the schedule to its new phase', async () => {
  const { reconciler, queue } = createReconciler();
  await reconciler.reconcile(wanted('alpha'));
  const shorter = { registry: 'alpha', intervalMs: 60_000 };
  expect(await reconciler.reconcile([shorter])).toEqual({ ...NOTHING, retimed: 1 });
  expect(await reconciler.reconcile([shorter])).toEqual(NOTHING);
  const [scheduler] = await queue.getJobSchedulers();
  expect(scheduler?.every).toBe(60_000);
  expect((scheduler?.next ?? 0) % 60_000).toBe(scheduleOffsetMs(shorter));
  expect(await queue.getDelayedCount()).toBe(1);
});

test('a schedule that is no longer wanted is removed with its waiting tick', async () => {
  const { reconciler, queue } = createReconciler();
  await reconciler.reconcile(wanted('alpha', 'beta'));
  expect(await reconciler.reconcile(wanted('beta'))).toEqual({ ...NOTHING, removed: 1 });
  expect(await queue.getJobSchedulersCount()).toBe(1);
  const delayed = await queue.getDelayed();
  expect(delayed.map(({ data }) => data.registry)).toEqual(['beta']);
});

test('a schedule that has lost its next job is healed by the second pass', async () => {
  const { reconciler, queue, redis } = createReconciler();
  await reconciler.reconcile(wanted('alpha', 'beta'));
  const delayed = await queue.getDelayed();
  const lost = delayed.find(({ data }) => data.registry === 'alpha');
  if (lost?.id === undefined) throw new Error('expected a delayed tick of alpha');
  await redis.zrem(queue.toKey('delayed'), lost.id);
  await redis.del(queue.toKey(lost.id));
  // A worker may be adding the job right now, so the first pass changes nothing.
  expect(await reconciler.reconcile(wanted('alpha', 'beta'))).toEqual(NOTHING);
  expect(await reconciler.reconcile(wanted('alpha', 'beta'))).toEqual({ ...NOTHING, healed: 1 });
  expect(await queue.getDelayedCount()).toBe(2);
  expect(await reconciler.reconcile(wanted('alpha', 'beta'))).toEqual(NOTHING);
});

test('a schedule whose late job is in no list of the queue is healed', async () => {
  const { reconciler, queue, redis } = createReconciler();
  await reconciler.reconcile(wanted('alpha'));
  const [lost] = await queue.getDelayed();
  await redis.zrem(queue.toKey('delayed'), lost?.id ?? '');
  const [scheduler] = await queue.getJobSchedulers();
  const lateMs = (scheduler?.next ?? 0) + 61_000;
  expect(await reconciler.reconcile(wanted('alpha'), lateMs)).toEqual(NOTHING);
  expect(await reconciler.reconcile(wanted('alpha'), lateMs)).toEqual({ ...NOTHING, healed: 1 });
});

test.each<[what: string, schedule: WantedSchedule]>([
  ['of an interval', { registry: 'alpha', intervalMs: 60_000 }],
  ['of a cron pattern', { registry: 'alpha', pattern: '* * * * *', timezone: 'UTC' }],
])('a tick %s from a scheduler with a fast clock is replaced', async (_what, schedule) => {
  const { reconciler, queue } = createReconciler();
  const nowMs = Date.now();
  vi.useFakeTimers({ now: nowMs + 4 * 60_000, toFake: ['Date'] });
  try {
    await reconciler.reconcile([schedule]);
    // By its own clock nothing is wrong: two schedulers with different clocks do not undo each other.
    expect(await reconciler.reconcile([schedule])).toEqual(NOTHING);
  } finally {
    vi.useRealTimers();
  }
  expect(await reconciler.reconcile([schedule], nowMs)).toEqual({ ...NOTHING, healed: 1 });
  const [scheduler] = await queue.getJobSchedulers();
  expect(scheduler?.next).toBeLessThanOrEqual(Date.now() + 60_000);
  expect(await queue.getDelayedCount()).toBe(1);
  expect(await reconciler.reconcile([schedule])).toEqual(NOTHING);
});

test('a late job that waits in the queue is left alone', async () => {
  const { reconciler, queue } = createReconciler();
  await reconciler.reconcile(wanted('alpha'));
  const [scheduler] = await queue.getJobSchedulers();
  const lateMs = (scheduler?.next ?? 0) + 61_000;
  expect(await reconciler.reconcile(wanted('alpha'), lateMs)).toEqual(NOTHING);
  expect(await reconciler.reconcile(wanted('alpha'), lateMs)).toEqual(NOTHING);
});

test('several processes can reconcile at the same time', async () => {
  const { redis, queue } = createReconciler();
  const names = Array.from({ length: 50 }, (_, index) => `registry-${index}`);
  const reconcilers = [1, 2, 3].map(() => new ScheduleReconciler({ redis, queue }));
  await Promise.all(reconcilers.map((reconciler) => reconciler.reconcile(wanted(...names))));
  expect(await queue.getDelayedCount()).toBe(50);
  expect(await queue.getJobSchedulersCount()).toBe(50);
  const [first] = reconcilers;
  expect(await first?.reconcile(wanted(...names))).toEqual(NOTHING);
});

test('all schedules are added again after Redis was emptied', async () => {
  const { reconciler, queue } = createReconciler();
  await reconciler.reconcile(wanted('alpha', 'beta'));
  await queue.obliterate({ force: true });
  expect(await reconciler.reconcile(wanted('alpha', 'beta'))).toEqual({ ...NOTHING, added: 2 });
});

describe('a cron pattern', () => {
  const daily = { pattern: '30 2 * * *', timezone: 'Europe/Berlin' };
  const DAILY: WantedSchedule = { registry: 'alpha', ...daily };

  test('is scheduled once, for its next firing in its time zone', async () => {
    const { reconciler, queue } = createReconciler();
    expect(await reconciler.reconcile([DAILY])).toEqual({ ...NOTHING, added: 1 });
    expect(await reconciler.reconcile([DAILY])).toEqual(NOTHING);
    const [scheduler] = await queue.getJobSchedulers();
    expect(scheduler).toMatchObject({ pattern: daily.pattern, tz: daily.timezone });
    expect(scheduler?.next).toBe(nextFiringMs(daily, Date.now()));
    const [next] = await queue.getDelayed();
    expect(next).toMatchObject({
      data: { v: 1, registry: 'alpha', trigger: 'schedule' },
      opts: { priority: 10, attempts: 1, removeOnComplete: true },
    });
  });

  test('can be exchanged with an interval, another pattern or another time zone', async () => {
    const { reconciler, queue } = createReconciler();
    const turns: WantedSchedule[] = [
      { registry: 'alpha', intervalMs: 60_000 },
      DAILY,
      { ...DAILY, pattern: '*/10 * * * * *' },
      { ...DAILY, timezone: 'Asia/Tokyo' },
      { registry: 'alpha', intervalMs: HOUR_MS },
    ];
    await reconciler.reconcile(wanted('alpha'));
    for (const turn of turns) {
      expect(await reconciler.reconcile([turn])).toEqual({ ...NOTHING, retimed: 1 });
      expect(await reconciler.reconcile([turn])).toEqual(NOTHING);
      expect(await queue.getDelayedCount()).toBe(1);
    }
    const [scheduler] = await queue.getJobSchedulers();
    expect(scheduler).toMatchObject({ every: HOUR_MS });
    expect(scheduler?.pattern).toBeUndefined();
  });

  test('that has lost its next job is healed by the second pass', async () => {
    const { reconciler, queue, redis } = createReconciler();
    await reconciler.reconcile([DAILY]);
    const [lost] = await queue.getDelayed();
    await redis.zrem(queue.toKey('delayed'), lost?.id ?? '');
    await redis.del(queue.toKey(lost?.id ?? ''));
    expect(await reconciler.reconcile([DAILY])).toEqual(NOTHING);
    expect(await reconciler.reconcile([DAILY])).toEqual({ ...NOTHING, healed: 1 });
    expect((await queue.getDelayed()).map(({ id }) => id)).toEqual([lost?.id]);
  });

  test('whose next job is in no list of the queue is healed, even if its hash remains', async () => {
    const { reconciler, queue, redis } = createReconciler();
    await reconciler.reconcile([DAILY]);
    const [lost] = await queue.getDelayed();
    await redis.zrem(queue.toKey('delayed'), lost?.id ?? '');
    const lateMs = nextFiringMs(daily, Date.now()) + 61_000;
    expect(await reconciler.reconcile([DAILY], lateMs)).toEqual(NOTHING);
    expect(await reconciler.reconcile([DAILY], lateMs)).toEqual({ ...NOTHING, healed: 1 });
    expect((await queue.getDelayed()).map(({ id }) => id)).toEqual([lost?.id]);
  });

  test('is used instead of the interval if the config has one', () => {
    const config = (changes: object) =>
      registryConfigSchema.parse({ name: 'alpha', file: { path: '/alpha.json' }, ...changes });
    expect(wantedSchedule(config({ schedule: daily }))).toEqual(DAILY);
    expect(wantedSchedule(config({ syncPolicy: { interval: '1h' } }))).toEqual({
      registry: 'alpha',
      intervalMs: HOUR_MS,
    });
  });
});
