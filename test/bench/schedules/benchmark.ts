import { setTimeout as sleep } from 'node:timers/promises';
import { ScheduleReconciler } from '@syncline/redis';
import type { Queue } from 'bullmq';
import { connect, freshPrefix } from '../../support/redis.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import type { Benchmark, BenchmarkContext } from '../benchmark.ts';
import { fileRegistries } from '../measure/file-registries.ts';
import { watchLateness } from '../measure/lateness.ts';
import { type MeasuredProcess, startMeasured } from '../measure/measured-process.ts';
import { addTicks, openQueue, untilIdle } from '../measure/queue.ts';
import { quantile } from '../measure/statistics.ts';
import { benchSyncline } from '../measure/syncline.ts';
import { buildBareSchedulers } from './bare-schedulers.ts';

const REGISTRIES = Array.from({ length: 10_000 }, (_, index) => `registry-${index}`);
const INTERVAL_MS = 60_000;
/** One interval: each registry ticks once. */
const WATCHED_MS = INTERVAL_MS;
const CONCURRENCY = 32;

interface Measured {
  readonly buildMs: number;
  /** How long it takes to find that everything is right. */
  readonly checkMs?: number;
  readonly latenessMs: readonly number[];
}

/** What it costs to keep schedules in step with the config, compared with BullMQ's schedulers alone. */
export const schedules: Benchmark = {
  name: 'schedules',
  about: `${REGISTRIES.length} registries every ${INTERVAL_MS / 1_000} s, against bare BullMQ Job Schedulers`,
  run: async (context) => {
    const baseline = await measureBare(context);
    const syncline = await measureSyncline(context);
    const lateness = (of: (latenessMs: readonly number[]) => number) => ({
      baseline: of(baseline.latenessMs),
      syncline: of(syncline.latenessMs),
    });
    return [
      { what: 'build', unit: 'ms', baseline: baseline.buildMs, syncline: syncline.buildMs },
      { what: 'check that nothing differs', unit: 'ms', syncline: syncline.checkMs ?? 0 },
      { what: 'lateness of a tick, median', unit: 'ms', ...lateness((all) => quantile(all, 0.5)) },
      { what: 'lateness of a tick, 99 %', unit: 'ms', ...lateness((all) => quantile(all, 0.99)) },
      { what: 'lateness of a tick, most', unit: 'ms', ...lateness((all) => Math.max(...all)) },
    ];
  },
};

async function measureBare({ log }: BenchmarkContext): Promise<Measured> {
  await using lifetime = new AsyncDisposableStack();
  const redis = await startRedisServer({ lifetime });
  const { url } = redis;
  const prefix = freshPrefix({ url, lifetime });
  const queue = openQueue(url, prefix, lifetime);
  await queue.waitUntilReady();
  const buildMs = await timeOf(() => buildBareSchedulers(queue, REGISTRIES, INTERVAL_MS));
  log(`baseline: built in ${Math.round(buildMs)} ms`);
  const worker = await startMeasured({
    name: 'baseline worker',
    entry: 'test/bench/baseline-worker.ts',
    env: {
      REDIS_URL: url,
      SYNCLINE_PREFIX: prefix,
      SYNCLINE_CONCURRENCY: String(CONCURRENCY),
      BASELINE_ROUND_TRIPS: '0',
    },
    lifetime,
  });
  await worker.process.waitForLog(({ msg }) => msg === 'started');
  return { buildMs, latenessMs: await watchTicks({ url, prefix, queue, worker, log }) };
}

async function measureSyncline({ log }: BenchmarkContext): Promise<Measured> {
  await using lifetime = new AsyncDisposableStack();
  const redis = await startRedisServer({ lifetime });
  const { url } = redis;
  const interval = `${INTERVAL_MS / 1_000}s`;
  const config = await fileRegistries({ names: REGISTRIES, interval, lifetime });
  const { prefix, queue, startWorker } = await benchSyncline(redis, config, lifetime);
  await queue.waitUntilReady();

  const worker = await startWorker({ concurrency: CONCURRENCY });
  await addTicks(queue, REGISTRIES, REGISTRIES.length);
  await untilIdle(queue);
  log('syncline: every registry is synced');

  const reconciler = new ScheduleReconciler({ redis: connect(url, lifetime), queue });
  const wanted = REGISTRIES.map((registry) => ({ registry, intervalMs: INTERVAL_MS }));
  const buildMs = await timeOf(() => reconciler.reconcile(wanted));
  const checkMs = await timeOf(async () => {
    const { added, retimed, removed, healed } = await reconciler.reconcile(wanted);
    if (added + retimed + removed + healed > 0) throw new Error('expected nothing to differ');
  });
  log(`syncline: built in ${Math.round(buildMs)} ms, checked in ${Math.round(checkMs)} ms`);
  return { buildMs, checkMs, latenessMs: await watchTicks({ url, prefix, queue, worker, log }) };
}

async function watchTicks({
  url,
  prefix,
  queue,
  worker,
  log,
}: {
  url: string;
  prefix: string;
  queue: Queue;
  worker: MeasuredProcess;
  log: BenchmarkContext['log'];
}): Promise<readonly number[]> {
  // Ticks that fell due while the worker started do not count as late.
  await untilIdle(queue);
  await using lifetime = new AsyncDisposableStack();
  const { latenessMs, stop } = watchLateness(url, prefix, lifetime);
  await sleep(WATCHED_MS);
  await stop();
  await worker.finish();
  log(`${latenessMs.length} ticks`);
  if (latenessMs.length < REGISTRIES.length * 0.9) throw new Error('expected a tick of each');
  return latenessMs;
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const begunAt = performance.now();
  await work();
  return performance.now() - begunAt;
}
