import type { Queue } from 'bullmq';
import { freshPrefix, type Lifetime, startRedisServer } from '../../support/index.ts';
import type { Benchmark } from '../benchmark.ts';
import { type MeasuredProcess, startMeasured } from '../measure/measured-process.ts';
import { addTicks, drainRate, openQueue } from '../measure/queue.ts';
import { median } from '../measure/statistics.ts';

const TICKS = 20_000;
const REGISTRIES = Array.from({ length: 1_000 }, (_, index) => `registry-${index}`);
const CONCURRENCY = 32;
const ROUNDS = 3;

/** What a tick of a file that has not changed costs over a job that only goes to Redis twice. */
export const tick: Benchmark = {
  name: 'tick',
  about: `${TICKS} ticks of unchanged file registries, against jobs of two PINGs; one worker of ${CONCURRENCY}`,
  run: async ({ lifetime, log }) => {
    const redis = await startRedisServer({ lifetime });
    const prefix = freshPrefix({ url: redis.url, lifetime });
    const queue = openQueue(redis.url, prefix, lifetime);
    const rates: number[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const rate = await workOff(queue, () => startBaseline(redis.url, prefix, lifetime));
      log(`round ${round} of ${ROUNDS}: ${Math.round(rate)} jobs/s`);
      rates.push(rate);
    }
    return [{ what: 'ticks', unit: 'jobs/s', baseline: median(rates) }];
  },
};

/** Fills the queue, and has a worker that is started for it work it off. */
async function workOff(queue: Queue, start: () => Promise<MeasuredProcess>): Promise<number> {
  await addTicks(queue, REGISTRIES, TICKS);
  const worker = await start();
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
