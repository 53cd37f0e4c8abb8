import {
  JOB_NAME,
  type JobPayloadInput,
  parseRedisUrl,
  QUEUE_NAME,
  redisKeys,
} from '@syncline/contract';
import { openRedis } from '@syncline/redis';
import { Queue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import type { Lifetime } from '../../support/lifetime.ts';
import { until } from '../../support/until.ts';

const BATCH = 1_000;

/** Opens the system's queue under a prefix. */
export function openQueue(url: string, prefix: string, lifetime: Lifetime): Queue {
  const connection = openRedis(parseRedisUrl(url), { maxRetriesPerRequest: null });
  const queue = new Queue(QUEUE_NAME, { connection, prefix: redisKeys(prefix).queuePrefix });
  // Benchmarks take Redis away; a call that fails reports it itself.
  queue.on('error', () => {});
  lifetime.defer(async () => {
    await queue.close();
    connection.disconnect();
  });
  return queue;
}

/** Adds ticks, in turn for each of the registries, with the options that the scheduler gives them. */
export async function addTicks(
  queue: Queue,
  registries: readonly string[],
  count: number,
): Promise<void> {
  for (let start = 0; start < count; start += BATCH) {
    const jobs = Array.from({ length: Math.min(BATCH, count - start) }, (_, index) => ({
      name: JOB_NAME,
      data: {
        v: 1,
        registry: registries[(start + index) % registries.length] ?? '',
        trigger: 'schedule',
      } satisfies JobPayloadInput,
      opts: { priority: 10, attempts: 1, removeOnComplete: true },
    }));
    await queue.addBulk(jobs);
  }
}

/** Runs one registry, and waits for the end. Returns the milliseconds from the job's addition to its end. */
export async function runTick(
  { queue, url, prefix }: { queue: Queue; url: string; prefix: string },
  registry: string,
  { timeoutMs = 120_000 } = {},
): Promise<number> {
  // A separate connection, because it blocks.
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  const { queuePrefix } = redisKeys(prefix);
  const events = new QueueEvents(QUEUE_NAME, { connection, prefix: queuePrefix });
  await using ends = new AsyncDisposableStack();
  ends.defer(() => connection.disconnect());
  ends.defer(() => events.close());
  await events.waitUntilReady();
  const begunAt = performance.now();
  const job = await queue.add(
    JOB_NAME,
    { v: 1, registry, trigger: 'startup' } satisfies JobPayloadInput,
    { attempts: 1, removeOnComplete: true },
  );
  await job.waitUntilFinished(events, timeoutMs);
  return performance.now() - begunAt;
}

/** Waits until no job waits to be taken. */
export async function untilIdle(queue: Queue): Promise<void> {
  await until(
    async (see) => {
      const counts = await queue.getJobCounts('wait', 'prioritized', 'active');
      see(counts);
      return Object.values(counts).every((count) => count === 0);
    },
    { what: 'an idle queue', timeoutMs: 600_000 },
  );
}

export interface DrainOptions {
  /** How many jobs there were. */
  readonly count: number;
  readonly timeoutMs?: number;
}

/** Waits until a filled queue is empty. Returns jobs per second, from the first one on. */
export async function drainRate(
  queue: Queue,
  { count, timeoutMs = 300_000 }: DrainOptions,
): Promise<number> {
  const left = async (see: (seen: unknown) => void) => {
    const counts = await queue.getJobCounts('wait', 'prioritized', 'active', 'delayed');
    see(counts);
    return Object.values(counts).reduce((sum, part) => sum + part, 0);
  };
  const remaining = await until(
    async (see) => {
      const now = await left(see);
      return now < count && now;
    },
    { what: 'the first job', timeoutMs },
  );
  const begunAt = performance.now();
  await until(async (see) => (await left(see)) === 0, { what: 'the last job', timeoutMs });
  return remaining / ((performance.now() - begunAt) / 1_000);
}
