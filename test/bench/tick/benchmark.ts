import type { Queue } from 'bullmq';
import type { Lifetime } from '../../support/lifetime.ts';
import { freshPrefix } from '../../support/redis.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import type { Benchmark } from '../benchmark.ts';
import { fileRegistries } from '../measure/file-registries.ts';
import { type MeasuredProcess, startMeasured } from '../measure/measured-process.ts';
import { addTicks, drainRate, openQueue, untilIdle } from '../measure/queue.ts';
import { alternate } from '../measure/statistics.ts';
import { type BenchedSyncline, benchSyncline } from '../measure/syncline.ts';

const TICKS = 20_000;
/** The work that a new worker does once: compiling, and the first tick of each registry. */
const WARM_UP_TICKS = 5_000;
const REGISTRIES = Array.from({ length: 1_000 }, (_, index) => `registry-${index}`);
const CONCURRENCY = 32;
const ROUNDS = 3;

/** What a tick of an unchanged file costs, compared with a job that only makes two round trips to Redis. */
export const tick: Benchmark = {
  name: 'tick',
  about: `${TICKS} ticks of unchanged file registries, against jobs of two PINGs; one worker of ${CONCURRENCY}`,
  run: async ({ lifetime, log }) => {
    const redis = await startRedisServer({ lifetime });
    const prefix = freshPrefix({ url: redis.url, lifetime });
    const queue = openQueue(redis.url, prefix, lifetime);
    const config = await fileRegistries({ names: REGISTRIES, interval: '1h', lifetime });
    const syncline = await benchSyncline(redis, config, lifetime);
    await syncAll(syncline);
    log(`${REGISTRIES.length} registries are synced`);
    const measure =
      (name: string, of: Queue, start: () => Promise<MeasuredProcess>) => async () => {
        const rate = await workOff(of, start);
        log(`${name}: ${Math.round(rate)} jobs/s`);
        return rate;
      };
    const rates = await alternate(ROUNDS, {
      baseline: measure('baseline', queue, () => startBaseline(redis.url, prefix, lifetime)),
      syncline: measure('syncline', syncline.queue, () =>
        syncline.startWorker({ concurrency: CONCURRENCY }),
      ),
    });
    return [{ what: 'ticks', unit: 'jobs/s', ...rates }];
  },
};

/** The first sync of every registry, which is not measured. */
async function syncAll({ queue, startWorker, status }: BenchedSyncline): Promise<void> {
  await addTicks(queue, REGISTRIES, REGISTRIES.length);
  const worker = await startWorker({ concurrency: CONCURRENCY });
  await untilIdle(queue);
  await worker.finish();
  for (const registry of REGISTRIES) {
    const { phase, message } = await status(registry);
    if (phase !== 'Complete') throw new Error(`${registry} is ${phase}: ${message}`);
  }
}

/** Lets a warmed-up worker empty a full queue. */
async function workOff(queue: Queue, start: () => Promise<MeasuredProcess>): Promise<number> {
  const worker = await start();
  await addTicks(queue, REGISTRIES, WARM_UP_TICKS);
  await untilIdle(queue);
  await queue.pause();
  await addTicks(queue, REGISTRIES, TICKS);
  await queue.resume();
  const rate = await drainRate(queue, { count: TICKS });
  await worker.finish();
  return rate;
}

function startBaseline(url: string, prefix: string, lifetime: Lifetime): Promise<MeasuredProcess> {
  return startMeasured({
    name: 'baseline worker',
    entry: 'test/bench/baseline-worker.ts',
    env: {
      REDIS_URL: url,
      SYNCLINE_PREFIX: prefix,
      SYNCLINE_CONCURRENCY: String(CONCURRENCY),
      BASELINE_ROUND_TRIPS: '2',
    },
    lifetime,
  });
}
