import type { JobPayloadInput } from '@syncline/contract';
import type { Worker as BullWorker, Job, JobJson } from 'bullmq';
import { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { pairsOf } from '../lua/lua-script.ts';
import type { SyncQueue } from './queue.ts';

/*
 * Everything that Syncline knows of BullMQ beyond its documented interface. A test compares the version. On an upgrade,
 * check each of these points in BullMQ's source, and run the tests of queue/ and recovery/:
 *
 * - Keys of Job Schedulers: the sorted set `repeat` (id, scored with the next firing in ms), and a hash
 *   `repeat:<id>` with the fields `every`, `offset`, `pattern`, `tz` (classes/job-scheduler.ts).
 * - Ids of scheduled jobs: `repeat:<id>:<due ms>`. The key of the job's hash has the same name.
 * - `getJobState` returns `unknown` for a job that has a hash but is in no list (commands/getState-8.lua).
 * - `offset` 0 counts as absent. BullMQ gives a pattern its own offset. An upsert keeps the phase of the old interval.
 * - The loop waits for an entry of `mainLoopQueue` while all jobs run. An entry without a job makes it look at
 *   `concurrency` again (classes/worker.ts).
 * - Every job passes through `nextJobFromJobData`. This function drops a scheduled job if it cannot make the next job
 *   of the schedule (classes/worker.ts).
 */

/** The version for which these points are true. */
export const BULLMQ_VERSION = '6.7.0';

/** A queue, and its Redis connection. */
export interface QueueAccess {
  readonly redis: Redis;
  readonly queue: SyncQueue;
}

/** The next job of a Job Scheduler. */
export interface ScheduledJob {
  readonly registry: string;
  readonly nextAtMs: number;
}

/** The options of a Job Scheduler in Redis. An unset option is `null`. */
interface StoredRepeat {
  readonly every: string | null;
  readonly offset: string | null;
  readonly pattern: string | null;
  readonly tz: string | null;
}

/** Returns the next job of every Job Scheduler. */
export async function listScheduledJobs({ redis, queue }: QueueAccess): Promise<ScheduledJob[]> {
  const flat = await redis.zrange(queue.toKey('repeat'), '0', '-1', 'WITHSCORES');
  return pairsOf(flat).map(([registry, score]) => ({ registry, nextAtMs: Number(score) }));
}

/** A Job Scheduler in Redis. */
export interface StoredSchedule extends ScheduledJob {
  readonly repeat: StoredRepeat;
  /** Whether the next job exists. Without a next job, the schedule is dead. */
  readonly hasNextJob: boolean;
}

const option = z.string().nullable();
const repeatSchema = z
  .tuple([option, option, option, option])
  .transform(([every, offset, pattern, tz]): StoredRepeat => ({ every, offset, pattern, tz }));

/** Reads the Job Schedulers of these jobs in one pipeline. Separate commands take up to three times as long. */
export async function readSchedules(
  { redis, queue }: QueueAccess,
  jobs: readonly ScheduledJob[],
): Promise<StoredSchedule[]> {
  const pipeline = redis.pipeline();
  for (const job of jobs) {
    pipeline.hmget(queue.toKey(`repeat:${job.registry}`), 'every', 'offset', 'pattern', 'tz');
    pipeline.exists(queue.toKey(jobId(job)));
  }
  const replies = (await pipeline.exec()) ?? [];
  const valueAt = (index: number): unknown => {
    const [error, value] = replies[index] ?? [new Error('Redis gave no answer')];
    if (error !== null) throw error;
    return value;
  };
  return jobs.map((job, index) => ({
    ...job,
    repeat: repeatSchema.parse(valueAt(2 * index)),
    hasNextJob: valueAt(2 * index + 1) === 1,
  }));
}

/** Returns the state of a scheduled job, or `unknown` if it is in no list of the queue. */
export function stateOfScheduledJob({ queue }: QueueAccess, job: ScheduledJob): Promise<string> {
  return queue.getJobState(jobId(job));
}

/** Returns the state of a registry's next tick, or `unknown` without one. */
export async function stateOfNextTick(access: QueueAccess, registry: string): Promise<string> {
  const nextAtMs = await access.redis.zscore(access.queue.toKey('repeat'), registry);
  if (nextAtMs === null) return 'unknown';
  return stateOfScheduledJob(access, { registry, nextAtMs: Number(nextAtMs) });
}

/** Removes a job that is in no list of the queue. Otherwise, BullMQ would never create another job with the same id. */
export async function removeOrphan(access: QueueAccess, job: ScheduledJob): Promise<void> {
  if ((await stateOfScheduledJob(access, job)) !== 'unknown') return;
  await access.redis.unlink(access.queue.toKey(jobId(job)));
}

/** Returns when a job of a Job Scheduler was due, in epoch milliseconds. Returns `undefined` for any other job. */
export function dueAtMsOf(id: string | undefined): number | undefined {
  const [, dueAtMs] = /^repeat:.+:(\d+)$/.exec(id ?? '') ?? [];
  return dueAtMs === undefined ? undefined : Number(dueAtMs);
}

function jobId({ registry, nextAtMs }: ScheduledJob): string {
  return `repeat:${registry}:${nextAtMs}`;
}

/** Shows whether a worker still takes jobs. */
export interface Pulse {
  /** Grows with each answer about the next job, even if there is no job. An idle worker asks every ten seconds. */
  readonly turns: number;
  /** Whether the number of running jobs has reached the concurrency. The worker then asks for no more jobs. */
  readonly isFull: boolean;
}

/**
 * A BullMQ worker that counts the iterations of its loop, because an open connection does not prove that the loop runs.
 * It also processes every job that it has taken. BullMQ's own worker drops a scheduled job if it cannot make the next
 * job of the schedule, for example because Redis is full. The job then stays unprocessed until its lock expires.
 */
export class TurningWorker extends Worker<JobPayloadInput, string, string> {
  #turns = 0;

  get turns(): number {
    return this.#turns;
  }

  /** Changes how many jobs run at once. BullMQ notices a higher number only when a job ends, so this wakes its loop. */
  setConcurrency(count: number): void {
    const isMore = count > this.concurrency;
    this.concurrency = count;
    if (isMore) this['mainLoopQueue']?.add(Promise.resolve(undefined));
  }

  /** BullMQ calls this for every job, and for every answer without a job. */
  protected override async nextJobFromJobData(
    data?: JobJson,
    id?: string,
    token?: string,
  ): Promise<Job<JobPayloadInput, string, string>> {
    const job = await super.nextJobFromJobData(data, id, token);
    this.#turns += 1;
    if (job !== undefined || data === undefined || data === null || id === undefined) return job;
    const taken = this.createJob(data, id);
    if (token !== undefined) taken.token = token;
    return taken;
  }
}

/**
 * Closes a worker after its jobs. Without Redis, BullMQ's `close` never resolves. This function then resolves when
 * `whenIdle` resolves, or at the latest after `limitMs`. The locks of the remaining jobs expire.
 */
export async function closeWorker(
  worker: BullWorker,
  {
    connection,
    limitMs,
    whenIdle,
  }: { connection: Redis; limitMs: number; whenIdle: () => Promise<void> },
): Promise<void> {
  const givenUp = Promise.withResolvers<void>();
  const limit = setTimeout(givenUp.resolve, limitMs);
  const onAway = () => void whenIdle().then(givenUp.resolve);
  if (connection.status !== 'ready') onAway();
  connection.once('close', onAway);
  try {
    await Promise.race([worker.close(), givenUp.promise]);
  } finally {
    clearTimeout(limit);
    connection.off('close', onAway);
  }
}
