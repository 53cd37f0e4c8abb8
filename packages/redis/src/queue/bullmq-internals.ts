import type { JobPayloadInput } from '@syncline/contract';
import type { Job, JobJson } from 'bullmq';
import type { Redis } from 'ioredis';
import { Worker } from './bullmq.ts';
import type { SyncQueue } from './queue.ts';

/*
 * All that Syncline knows of BullMQ beyond its documented interface. A test compares the version; on an upgrade,
 * check each of these in BullMQ's source, and run the tests of schedules/, queue/ and recovery/ against it:
 *
 * - Keys of Job Schedulers: the sorted set `repeat` (id, scored with the next firing in ms), and a hash
 *   `repeat:<id>` with the fields `every`, `offset`, `pattern`, `tz` (classes/job-scheduler.ts).
 * - Ids of scheduled jobs: `repeat:<id>:<due ms>`. The job's hash is the key of that name.
 * - `getJobState` says `unknown` of a job that has a hash but is in no list (commands/getState-8.lua).
 * - `offset` 0 counts as none; a pattern gets an offset of its own; an upsert keeps the phase of the old interval.
 * - `nextJobFromJobData` is on every way to a job, and drops the job of a schedule whose next job it cannot make
 *   (classes/worker.ts).
 */

/** The version that all of this was checked against. */
export const BULLMQ_VERSION = '6.7.0';

/** A queue, and the Redis that it lies in. */
export interface QueueAccess {
  readonly redis: Redis;
  readonly queue: SyncQueue;
}

/** The job that a Job Scheduler fires at a time. */
export interface ScheduledJob {
  readonly registry: string;
  readonly nextAtMs: number;
}

/** The options of a Job Scheduler as Redis keeps them; `null` for one that is not set. */
export interface StoredRepeat {
  readonly every: string | null;
  readonly offset: string | null;
  readonly pattern: string | null;
  readonly tz: string | null;
}

/** The next job of every Job Scheduler. */
export async function listScheduledJobs({ redis, queue }: QueueAccess): Promise<ScheduledJob[]> {
  const flat = await redis.zrange(queue.toKey('repeat'), '0', '-1', 'WITHSCORES');
  const jobs: ScheduledJob[] = [];
  for (let index = 0; index < flat.length; index += 2) {
    jobs.push({ registry: flat[index] ?? '', nextAtMs: Number(flat[index + 1]) });
  }
  return jobs;
}

/** The options of a Job Scheduler, and whether the hash of its next job is there. */
export async function readSchedule(
  { redis, queue }: QueueAccess,
  job: ScheduledJob,
): Promise<{ repeat: StoredRepeat; hasNextJob: boolean }> {
  const [[every = null, offset = null, pattern = null, tz = null], jobs] = await Promise.all([
    redis.hmget(queue.toKey(`repeat:${job.registry}`), 'every', 'offset', 'pattern', 'tz'),
    redis.exists(queue.toKey(jobId(job))),
  ]);
  return { repeat: { every, offset, pattern, tz }, hasNextJob: jobs === 1 };
}

/** Where a scheduled job is; `unknown` if no list of the queue has it. */
export function stateOfScheduledJob({ queue }: QueueAccess, job: ScheduledJob): Promise<string> {
  return queue.getJobState(jobId(job));
}

/** Where the next tick of a registry is; `unknown` if there is none. */
export async function stateOfNextTick(access: QueueAccess, registry: string): Promise<string> {
  const nextAtMs = await access.redis.zscore(access.queue.toKey('repeat'), registry);
  if (nextAtMs === null) return 'unknown';
  return stateOfScheduledJob(access, { registry, nextAtMs: Number(nextAtMs) });
}

/** Removes a job that no list of the queue has: BullMQ leaves it, and makes no other of that id. */
export async function removeOrphan(access: QueueAccess, job: ScheduledJob): Promise<void> {
  if ((await stateOfScheduledJob(access, job)) !== 'unknown') return;
  await access.redis.unlink(access.queue.toKey(jobId(job)));
}

/** When a job was due, if a Job Scheduler has made it. Epoch milliseconds. */
export function dueAtMsOf(id: string | undefined): number | undefined {
  const [, dueAtMs] = /^repeat:.+:(\d+)$/.exec(id ?? '') ?? [];
  return dueAtMs === undefined ? undefined : Number(dueAtMs);
}

function jobId({ registry, nextAtMs }: ScheduledJob): string {
  return `repeat:${registry}:${nextAtMs}`;
}

/** What can be seen of a worker from outside, to tell whether it still does its work. */
export interface Pulse {
  /** Grows whenever Redis has told the worker what is next, be it nothing: at rest, every ten seconds. */
  readonly turns: number;
  /** Whether it does as much at once as it may. It does not ask for more then. */
  readonly isFull: boolean;
}

/**
 * A BullMQ worker that counts the turns of its loop, since a connection that is open does not say that it turns;
 * and that does each job that it has taken. BullMQ's own lets go of the job of a schedule whose next job it could
 * not make, as on a Redis that is full, and nobody has it until its lock has ended.
 */
export class TurningWorker extends Worker<JobPayloadInput, string, string> {
  #turns = 0;

  get turns(): number {
    return this.#turns;
  }

  /** Every way to a job, and every answer that there is none, leads through here. */
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
