import type { RedisKeys } from '@syncline/contract';
import type { Redis } from 'ioredis';
import { listScheduledJobs } from './bullmq-internals.ts';
import type { SyncQueue } from './queue.ts';

/** What can be seen in Redis of those who keep the schedules and do the work. */
export interface QueueHealth {
  /** Workers that take jobs; undefined if Redis refuses the list of its clients. */
  readonly workers: number | undefined;
  /** The worker whose turn it was to sweep, within the last seconds. */
  readonly sweeper: string | undefined;
  /** The scheduler that last repaired the schedules; undefined if there was none for some passes. */
  readonly scheduler: string | undefined;
  /** When the schedule of each registry fires next, epoch milliseconds. */
  readonly schedules: ReadonlyMap<string, number>;
  readonly waiting: number;
  /** When the job that is next in turn was due, epoch milliseconds; undefined where none waits. */
  readonly oldestDueAtMs: number | undefined;
}

export async function readQueueHealth({
  redis,
  keys,
  queue,
}: {
  redis: Redis;
  keys: RedisKeys;
  queue: SyncQueue;
}): Promise<QueueHealth> {
  const [workers, sweeper, scheduler, scheduled, counts, next] = await Promise.all([
    queue.getWorkersCount().catch(() => undefined),
    redis.get(keys.sweepTurn),
    redis.get(keys.scheduler),
    listScheduledJobs({ redis, queue }),
    queue.getJobCounts('waiting', 'prioritized'),
    queue.getJobs(['waiting', 'prioritized'], 0, 0, true),
  ]);
  const dueAtMs = next.filter((job) => job !== undefined).map((job) => job.timestamp + job.delay);
  return {
    workers,
    sweeper: sweeper ?? undefined,
    scheduler: scheduler ?? undefined,
    schedules: new Map(scheduled.map(({ registry, nextAtMs }) => [registry, nextAtMs])),
    waiting: Object.values(counts).reduce((sum, count) => sum + count, 0),
    oldestDueAtMs: dueAtMs.length === 0 ? undefined : Math.min(...dueAtMs),
  };
}
