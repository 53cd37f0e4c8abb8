import type { KeyAccess } from '../lua/lua-script.ts';
import { listScheduledJobs } from './bullmq-internals.ts';
import type { SyncQueue } from './queue.ts';

export type QueueHealth = Awaited<ReturnType<typeof readQueueHealth>>;

/** Reads which processes keep the schedules and do the work, and what waits. */
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
    /** Workers that take jobs; undefined if Redis refuses the list of its clients. */
    workers,
    /** The worker whose turn it was to sweep, within the last seconds. */
    sweeper: sweeper ?? undefined,
    /** The scheduler that last repaired the schedules; undefined if there was none for some passes. */
    scheduler: scheduler ?? undefined,
    /** When the schedule of each registry fires next, epoch milliseconds. */
    schedules: new Map(scheduled.map(({ registry, nextAtMs }) => [registry, nextAtMs])),
    waiting: Object.values(counts).reduce((sum, count) => sum + count, 0),
    /** When the job that is next in turn was due, epoch milliseconds; undefined if no job waits. */
    oldestDueAtMs: dueAtMs.length === 0 ? undefined : Math.min(...dueAtMs),
  };
}
