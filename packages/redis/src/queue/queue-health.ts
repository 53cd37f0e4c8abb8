import type { KeyAccess } from '../lua/lua-script.ts';
import { listScheduledJobs } from './bullmq-internals.ts';
import type { SyncQueue } from './queue.ts';

export type QueueHealth = Awaited<ReturnType<typeof readQueueHealth>>;

/** Reads which processes maintain the schedules and take the jobs, and how many jobs wait. */
export async function readQueueHealth({
  redis,
  keys,
  queue,
}: KeyAccess & { readonly queue: SyncQueue }) {
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
    /** The number of workers that take jobs. Undefined if Redis refuses CLIENT LIST. */
    workers,
    /** The worker that swept during the last seconds. */
    sweeper: sweeper ?? undefined,
    /** The scheduler that last repaired the schedules. Undefined after several missed passes. */
    scheduler: scheduler ?? undefined,
    /** When the schedule of each registry fires next, in epoch milliseconds. */
    schedules: new Map(scheduled.map(({ registry, nextAtMs }) => [registry, nextAtMs])),
    waiting: Object.values(counts).reduce((sum, count) => sum + count, 0),
    /** When the next job in the queue was due, in epoch milliseconds. Undefined if no job waits. */
    oldestDueAtMs: dueAtMs.length === 0 ? undefined : Math.min(...dueAtMs),
  };
}
