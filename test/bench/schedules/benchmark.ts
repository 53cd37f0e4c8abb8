import { setTimeout as sleep } from 'node:timers/promises';
import { freshPrefix, startRedisServer } from '../../support/index.ts';
import type { Benchmark } from '../benchmark.ts';
import { watchLateness } from '../measure/lateness.ts';
import { startMeasured } from '../measure/measured-process.ts';
import { openQueue, untilIdle } from '../measure/queue.ts';
import { quantile } from '../measure/statistics.ts';
import { buildBareSchedulers } from './bare-schedulers.ts';

const REGISTRIES = Array.from({ length: 10_000 }, (_, index) => `registry-${index}`);
const INTERVAL_MS = 60_000;
/** One interval: each registry ticks once. */
const WATCHED_MS = INTERVAL_MS;

/** What keeping schedules in step with the config costs over BullMQ's schedulers alone. */
export const schedules: Benchmark = {
  name: 'schedules',
  about: `${REGISTRIES.length} registries every ${INTERVAL_MS / 1_000} s, against bare BullMQ Job Schedulers`,
  run: async ({ lifetime, log }) => {
    const redis = await startRedisServer({ lifetime });
    const prefix = freshPrefix({ url: redis.url, lifetime });
    const queue = openQueue(redis.url, prefix, lifetime);
    await queue.waitUntilReady();

    const begunAt = performance.now();
    await buildBareSchedulers(queue, REGISTRIES, INTERVAL_MS);
    const buildMs = performance.now() - begunAt;
    log(`built in ${Math.round(buildMs)} ms; watching the ticks for ${WATCHED_MS / 1_000} s`);

    const worker = await startMeasured({
      name: 'baseline worker',
      entry: 'test/bench/baseline-worker.ts',
      env: {
        REDIS_URL: redis.url,
        SYNCLINE_PREFIX: prefix,
        SYNCLINE_CONCURRENCY: '32',
        BASELINE_ROUND_TRIPS: '0',
      },
      lifetime,
    });
    await worker.process.waitForLog(({ msg }) => msg === 'started');
    // What fell due while the worker started is late by no fault of its own.
    await untilIdle(queue);
    const { latenessMs, stop } = watchLateness(redis.url, prefix, lifetime);
    await sleep(WATCHED_MS);
    await stop();
    await worker.finish();
    log(`${latenessMs.length} ticks`);
    return [
      { what: 'build', unit: 'ms', baseline: buildMs },
      { what: 'lateness of a tick, median', unit: 'ms', baseline: quantile(latenessMs, 0.5) },
      { what: 'lateness of a tick, 99 %', unit: 'ms', baseline: quantile(latenessMs, 0.99) },
      { what: 'lateness of a tick, most', unit: 'ms', baseline: Math.max(...latenessMs) },
    ];
  },
};
