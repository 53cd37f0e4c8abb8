import {
  JOB_NAME,
  type JobPayloadInput,
  type Lease,
  QUEUE_NAME,
  type Run,
} from '@syncline/contract';
import type { FollowUp, RunStore, Tick, TickResult, TickSource } from '@syncline/sync';
import { createRecordingLogger, testRun } from '@syncline/sync/testing';
import { type Job, Queue, QueueEvents } from 'bullmq';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ScheduleReconciler } from '../recovery/schedules.ts';
import { createRedisRunStore } from '../stores/run-store.ts';
import { connect, testQueue, testRedis } from '../testing/test-redis.ts';
import { addWakeUp } from './queue.ts';
import { type BullTickSourceOptions, createBullTickSource } from './tick-source.ts';

type Handle = (tick: Tick, signal: AbortSignal) => Promise<TickResult>;

/** Creates a queue, its use by a foreign producer, and a function that starts workers. */
async function createTicks() {
  const test = testRedis();
  const { keys } = test;
  const queue = testQueue(test);
  const foreign = new Queue<unknown>(QUEUE_NAME, {
    connection: connect(),
    prefix: keys.queuePrefix,
  });
  const events = new QueueEvents(QUEUE_NAME, { connection: connect(), prefix: keys.queuePrefix });
  onTestFinished(async () => void (await Promise.all([foreign.close(), events.close()])));
  await events.waitUntilReady();
  const start = async (
    handle: Handle,
    jobs: Pick<BullTickSourceOptions, 'idleJobs' | 'maxJobs'> & { concurrency?: number } = {},
  ): Promise<TickSource> => {
    const source = createBullTickSource({
      blocking: connect(),
      redis: test.redis,
      keys,
      queue,
      concurrency: 16,
      logger: createRecordingLogger(),
      ...jobs,
    });
    onTestFinished(() => source.stop({ graceMs: 0 }));
    await source.start(handle);
    return source;
  };
  const add = (payload: unknown): Promise<Job> => foreign.add(JOB_NAME, payload);
  return { ...test, queue, foreign, events, start, add };
}

const ALPHA: Lease = { registry: 'alpha', term: '1770000000000001', owner: 'alice' };

function ran(
  changes: Parameters<typeof testRun>[1] = {},
  followUps: readonly FollowUp[] = [],
): TickResult {
  return { state: 'ran', run: testRun(ALPHA, changes), followUps };
}

test.each<[what: string, payload: JobPayloadInput, tick: Partial<Tick>]>([
  [
    'a job of a foreign producer becomes a request',
    { v: 1, registry: 'alpha' },
    { trigger: 'manual', purpose: { kind: 'request', force: false } },
  ],
  [
    'a forced job of a foreign producer becomes a forced request',
    { v: 1, registry: 'alpha', trigger: 'webhook', force: true },
    { trigger: 'webhook', force: true, purpose: { kind: 'request', force: true } },
  ],
  [
    'a job with a request number becomes a wake-up',
    { v: 1, registry: 'alpha', request: 7 },
    { trigger: 'manual', purpose: { kind: 'wake-up', request: 7 } },
  ],
  [
    'a job with the trigger retry becomes a tick',
    { v: 1, registry: 'alpha', trigger: 'retry' },
    { trigger: 'retry', force: false, purpose: { kind: 'tick' } },
  ],
])('%s', async (_what, payload, tick) => {
  const { start, add, events } = await createTicks();
  const handle = vi.fn<Handle>(async () => ran({ outcome: 'unchanged' }));
  await start(handle);
  const job = await add(payload);
  expect(await job.waitUntilFinished(events)).toBe('unchanged');
  expect(handle).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ registry: 'alpha', ...tick }),
    expect.any(AbortSignal),
  );
});

test('a scheduled job has the time at which it was due', async () => {
  const { start, queue } = await createTicks();
  const ticks: Tick[] = [];
  await start(async (tick) => {
    ticks.push(tick);
    return ran();
  });
  const startMs = Date.now();
  await queue.upsertJobScheduler(
    'alpha',
    { every: 1_000, offset: 1 },
    { name: JOB_NAME, data: { v: 1, registry: 'alpha', trigger: 'schedule' } },
  );
  await vi.waitFor(() => expect(ticks.length).toBeGreaterThan(1));
  expect(ticks[0]).toMatchObject({ trigger: 'schedule', purpose: { kind: 'tick' }, recurs: true });
  for (const { dueAtMs = 0 } of ticks) {
    expect(dueAtMs % 1_000).toBe(1);
    expect(dueAtMs).toBeGreaterThanOrEqual(startMs - 1_000);
    expect(dueAtMs).toBeLessThanOrEqual(Date.now());
  }
});

test('a tick of an overdue registry recurs, and a tick of a foreign producer does not', async () => {
  const { start, queue, add } = await createTicks();
  const ticks = new Map<string, Tick>();
  await start(async (tick) => {
    ticks.set(tick.registry, tick);
    return ran();
  });
  for (const isRepeated of [false, true]) {
    await addWakeUp(queue, { kind: 'overdue', registry: `overdue-${isRepeated}`, isRepeated });
  }
  await add({ v: 1, registry: 'foreign', trigger: 'schedule' });
  await vi.waitFor(() => expect(ticks.size).toBe(3));
  expect([...ticks].map(([registry, { recurs }]) => [registry, recurs]).toSorted()).toEqual([
    ['foreign', false],
    ['overdue-false', true],
    ['overdue-true', true],
  ]);
});

test('several ticks that no worker took become one run', async () => {
  const { start, queue, redis } = await createTicks();
  const reconciler = new ScheduleReconciler({ redis, queue });
  await reconciler.reconcile([{ registry: 'alpha', intervalMs: 1_000 }]);
  const [missed] = await queue.getJobSchedulers();
  const firstMs = missed?.next ?? 0;
  const isLate = () => expect(Date.now()).toBeGreaterThan(firstMs + 2_500);
  await vi.waitFor(isLate, { interval: 100 });
  const startMs = Date.now();
  const dueMs: number[] = [];
  await start(async ({ dueAtMs = 0 }) => {
    dueMs.push(dueAtMs);
    return ran();
  });
  await vi.waitFor(() => expect(dueMs.length).toBeGreaterThan(1));
  expect(dueMs.filter((atMs) => atMs < startMs)).toEqual([firstMs]);
});

test.each([
  ['no payload', undefined],
  ['a payload that is null', null],
  ['a payload that is a string', '{"v":1,"registry":"alpha"}'],
  ['a payload that is an array', [{ v: 1, registry: 'alpha' }]],
  ['a payload that is a number', 7],
  ['a version that is a string', { v: '1', registry: 'alpha' }],
  ['a newer version with another shape', { v: 3, registries: ['alpha'] }],
  ['a registry that is not a string', { v: 1, registry: { name: 'alpha' } }],
  ['NUL in the registry name', { v: 1, registry: 'al\0pha' }],
  ['a force that is not a boolean', { v: 1, registry: 'alpha', force: 'yes' }],
  ['a negative request number', { v: 1, registry: 'alpha', request: -1 }],
  ['a request number that is too large', { v: 1, registry: 'alpha', request: 1e300 }],
  ['a payload of 5 MB', { v: 1, registry: 'x'.repeat(5_000_000) }],
  ['fields in __proto__ only', JSON.parse('{"__proto__":{"v":1,"registry":"alpha"}}')],
  ['another version', { v: 2, registry: 'alpha' }],
  ['no registry', { v: 1 }],
  ['an invalid registry name', { v: 1, registry: '../alpha' }],
  ['an unknown trigger', { v: 1, registry: 'alpha', trigger: 'boredom' }],
])('a job with %s fails without a retry, and runs nothing', async (_what, payload) => {
  const { start, foreign, events } = await createTicks();
  const handle = vi.fn<Handle>();
  await start(handle);
  const job = await foreign.add(JOB_NAME, payload, { attempts: 5 });
  await expect(job.waitUntilFinished(events)).rejects.toThrow(
    /^invalid payload\. Use \{v: 1, registry, .*\}/,
  );
  expect(handle).not.toHaveBeenCalled();
  expect(await foreign.getFailedCount()).toBe(1);
  expect((await foreign.getJob(job.id ?? ''))?.failedReason?.length).toBeLessThan(1_200);
});

test('a job that only waits lets another job begin, up to the limit', async () => {
  const { start, add } = await createTicks();
  const begun: string[] = [];
  let idleJobs = 0;
  const handle: Handle = ({ registry }, signal) => {
    begun.push(registry);
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ state: 'stopped' }), { once: true });
    });
  };
  await start(handle, { concurrency: 1, maxJobs: 2, idleJobs: () => idleJobs });
  for (const registry of ['slow', 'second', 'third']) await add({ v: 1, registry });
  await vi.waitFor(() => expect(begun).toEqual(['slow']));
  idleJobs = 5;
  await vi.waitFor(() => expect(begun).toEqual(['slow', 'second']));
});

test('a worker continues with a valid job after invalid ones', async () => {
  const { start, add, events } = await createTicks();
  await start(async () => ran());
  const bad = [null, 7, { v: 2 }, { v: 1, registry: 'x'.repeat(1_000_000) }].map(add);
  const good = await add({ v: 1, registry: 'alpha', more: 'that is not known yet' });
  for (const job of await Promise.all(bad)) {
    await expect(job.waitUntilFinished(events)).rejects.toThrow('invalid payload');
  }
  expect(await good.waitUntilFinished(events)).toBe('published');
});

test('a job for an unknown registry fails without a retry', async () => {
  const { start, foreign, events } = await createTicks();
  const handle = vi.fn<Handle>(async () => ({ state: 'unknown-registry' }));
  await start(handle);
  const job = await foreign.add(JOB_NAME, { v: 1, registry: 'nobody' }, { attempts: 5 });
  await expect(job.waitUntilFinished(events)).rejects.toThrow(
    'the config has no registry nobody. Check the spelling of the name',
  );
  expect(handle).toHaveBeenCalledOnce();
});

test.each<[TickResult, string]>([
  [{ state: 'busy' }, 'joined: another run is in progress'],
  [{ state: 'handled' }, 'answered by an earlier run'],
  [ran({ outcome: 'published' }), 'published'],
  [ran({ outcome: 'held' }), 'held'],
  [ran({ outcome: 'skipped' }), 'skipped'],
  // This process was not asked to stop: the new holder of the lease continues.
  [ran({ outcome: 'interrupted' }), 'interrupted'],
])('%j completes the job', async (result, told) => {
  const { start, add, events } = await createTicks();
  await start(async () => result);
  expect(await (await add({ v: 1, registry: 'alpha' })).waitUntilFinished(events)).toBe(told);
});

test('a failed run fails its job, and its retry is queued with a delay', async () => {
  const { start, add, events, queue } = await createTicks();
  const run = {
    outcome: 'failed',
    error: { code: 'source-timeout', message: 'no answer' },
  } as const;
  await start(async () => ran(run, [{ kind: 'retry', ...ALPHA, delayMs: 30_000 }]));
  const job = await add({ v: 1, registry: 'alpha' });
  await expect(job.waitUntilFinished(events)).rejects.toThrow('no answer');
  const [retry] = await queue.getDelayed();
  expect(retry).toMatchObject({ data: { v: 1, registry: 'alpha', trigger: 'retry' } });
  expect(retry?.delay).toBeGreaterThanOrEqual(30_000);
  expect(retry?.delay).toBeLessThan(31_000);
});

test('a retry that fails is followed by the next retry', async () => {
  const { start, add } = await createTicks();
  let runs = 0;
  await start(async () => {
    runs += 1;
    const lease = { ...ALPHA, term: String(1_770_000_000_000_000 + runs) };
    const error = { code: 'source-timeout' as const, message: 'no' };
    const run: Run = { ...testRun(lease), outcome: 'failed', error };
    return { state: 'ran', run, followUps: [{ kind: 'retry', ...lease, delayMs: 1_000 }] };
  });
  await add({ v: 1, registry: 'alpha' });
  await vi.waitFor(() => expect(runs).toBeGreaterThan(3));
});

test('a request that is still open after a run wakes a worker', async () => {
  const { start, add } = await createTicks();
  const purposes: Tick['purpose'][] = [];
  await start(async ({ purpose }) => {
    purposes.push(purpose);
    if (purpose.kind === 'wake-up') return ran({ handledRequest: 2 });
    return ran({}, [{ kind: 'request', registry: 'alpha', request: 2 }]);
  });
  await add({ v: 1, registry: 'alpha' });
  await vi.waitFor(() => expect(purposes).toContainEqual({ kind: 'wake-up', request: 2 }));
});

test.each<[what: string, result: TickResult]>([
  ['is interrupted', ran({ outcome: 'interrupted' })],
  ['has not begun', { state: 'stopped' }],
])(
  'the job of a run that %s when its process stops goes to another process',
  async (_what, result) => {
    const { start, add, queue } = await createTicks();
    const running = Promise.withResolvers<void>();
    const first = await start((_tick, signal) => {
      running.resolve();
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(result), { once: true });
      });
    });
    await add({ v: 1, registry: 'alpha' });
    await running.promise;
    await first.stop({ graceMs: 0 });
    expect(await queue.getFailedCount()).toBe(0);
    expect(await queue.getWaitingCount()).toBe(1);

    const second = vi.fn<Handle>(async () => ran());
    await start(second);
    await vi.waitFor(() => expect(second).toHaveBeenCalledOnce());
  },
);

test('a stop lets a run finish within the grace period', async () => {
  const { start, add, events } = await createTicks();
  const running = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const source = await start(async (_tick, signal) => {
    running.resolve();
    await go.promise;
    return ran({ outcome: signal.aborted ? 'interrupted' : 'published' });
  });
  const job = await add({ v: 1, registry: 'alpha' });
  await running.promise;
  const stopped = source.stop({ graceMs: 60_000 });
  go.resolve();
  expect(await job.waitUntilFinished(events)).toBe('published');
  await stopped;
});

test('a failed job does not store the stack of its error', async () => {
  const { start, foreign, events } = await createTicks();
  await start(async ({ registry }) => {
    if (registry === 'broken') throw new TypeError('no such thing');
    if (registry === 'nobody') return { state: 'unknown-registry' };
    return ran({ outcome: 'failed' });
  });
  for (const payload of [
    { v: 2 },
    ...['broken', 'nobody', 'alpha'].map((it) => ({ v: 1, registry: it })),
  ]) {
    const { id = '' } = await foreign.add(JOB_NAME, payload).then(async (job) => {
      await expect(job.waitUntilFinished(events)).rejects.toThrow();
      return job;
    });
    const job = await foreign.getJob(id);
    expect(job?.failedReason).toMatch(/.+/);
    expect(job?.stacktrace).toEqual([]);
  }
});

test('an error of a handler fails its job, and the worker continues', async () => {
  const { start, add, events } = await createTicks();
  await start(async ({ registry }) => {
    if (registry === 'alpha') throw new Error('the store is away');
    return ran();
  });
  const bad = await add({ v: 1, registry: 'alpha' });
  await expect(bad.waitUntilFinished(events)).rejects.toThrow('the store is away');
  expect(await (await add({ v: 1, registry: 'beta' })).waitUntilFinished(events)).toBe('published');
});

/** Creates a handler that acquires a lease, does `work` and finishes, like the domain does. */
function runner(runStore: RunStore, work: () => Promise<void>): { handle: Handle; runs: number[] } {
  const runs: number[] = [];
  const handle: Handle = async ({ registry, purpose }) => {
    const acquisition = await runStore.acquire({
      registry,
      owner: 'alice',
      ttlMs: 60_000,
      purpose,
    });
    if (acquisition.state === 'isolate') throw new Error('no registry dies here');
    if (acquisition.state !== 'acquired') return { state: acquisition.state };
    const { lease, control } = acquisition;
    runs.push(control.requested);
    await work();
    const run = testRun(lease, { handledRequest: control.requested });
    const ending = { changes: {}, run, handledRequest: control.requested };
    const finished = await runStore.finish(lease, ending);
    const request = finished.state === 'finished' ? finished.openRequest : undefined;
    return {
      state: 'ran',
      run,
      followUps: request === undefined ? [] : [{ kind: 'request', registry, request }],
    };
  };
  return { handle, runs };
}

test('ten requests during a run are handled by exactly one more run', async () => {
  const { start, add, foreign, queue, redis, keys } = await createTicks();
  const running = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const { handle, runs } = runner(createRedisRunStore({ redis, keys }), () => {
    running.resolve();
    return go.promise;
  });
  await start(handle);
  await addWakeUp(queue, { kind: 'startup', registry: 'alpha', since: 'x', delayMs: 0 });
  await running.promise;
  const jobs = await Promise.all(
    Array.from({ length: 10 }, () => add({ v: 1, registry: 'alpha' })),
  );
  await vi.waitFor(async () =>
    expect(await redis.hget(keys.control('alpha'), 'requested')).toBe('10'),
  );
  go.resolve();
  await vi.waitFor(async () =>
    expect(await redis.hget(keys.control('alpha'), 'handled')).toBe('10'),
  );
  await vi.waitFor(async () => {
    const counts = await foreign.getJobCounts('waiting', 'active', 'delayed', 'prioritized');
    expect(Object.values(counts)).toEqual([0, 0, 0, 0]);
  });
  expect(runs).toEqual([0, 10]);
  for (const { id } of jobs) expect(await foreign.getJobState(id ?? '')).toBe('completed');
});

test('a wake-up that already exists is not added again', async () => {
  const { queue } = await createTicks();
  for (let time = 0; time < 3; time += 1) {
    await addWakeUp(queue, { kind: 'request', registry: 'alpha', request: 1 });
    await addWakeUp(queue, { kind: 'interrupted', registry: 'alpha', term: '1' });
    await addWakeUp(queue, { kind: 'retry', registry: 'alpha', term: '1', delayMs: 60_000 });
    await addWakeUp(queue, { kind: 'config', registry: 'alpha', since: 'x', delayMs: 60_000 });
  }
  expect(await queue.getWaitingCount()).toBe(2);
  expect(await queue.getDelayedCount()).toBe(2);
});

test('requests run before ticks', async () => {
  const { queue, start } = await createTicks();
  await addWakeUp(queue, { kind: 'startup', registry: 'alpha', since: 'x', delayMs: 0 });
  await addWakeUp(queue, { kind: 'request', registry: 'beta', request: 1 });
  const order: string[] = [];
  await start(async ({ registry }) => {
    order.push(registry);
    return ran();
  });
  await vi.waitFor(() => expect(order).toEqual(['beta', 'alpha']));
});

test('a tick runs even if the next tick cannot be added', async () => {
  const { redis, queue, start } = await createTicks();
  const everyHour = { registry: 'alpha', intervalMs: 3_600_000 };
  await new ScheduleReconciler({ redis, queue }).reconcile([everyHour]);
  // If the schedule is not a hash, BullMQ's script throws, as it does on a full Redis.
  await redis.del(queue.toKey('repeat:alpha'));
  await redis.set(queue.toKey('repeat:alpha'), 'not ours');
  const [tick] = await queue.getDelayed();
  await tick?.promote();
  const taken = Promise.withResolvers<Tick>();
  await start(async (found) => {
    taken.resolve(found);
    return ran();
  });
  expect(await taken.promise).toMatchObject({ registry: 'alpha', trigger: 'schedule' });
});
