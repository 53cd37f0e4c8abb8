import {
  type JobPayload,
  type JobPayloadInput,
  jobPayloadSchema,
  type Logger,
  QUEUE_NAME,
} from '@syncline/contract';
import type { LeasePurpose, Ran, Tick, TickHandler, TickSource } from '@syncline/sync';
import type { Job } from 'bullmq';
import { UnrecoverableError, WaitingError } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { KeyAccess } from '../lua/lua-script.ts';
import { closeWorker, dueAtMsOf, type Pulse, TurningWorker } from './bullmq-internals.ts';
import {
  addWakeUp,
  FAILED_KEPT,
  OVERDUE_JOB_ID,
  requestDependents,
  type SyncQueue,
} from './queue.ts';

/**
 * Longer than any pause of a healthy event loop, because a job that loses its lock runs twice. If a worker dies,
 * another worker takes its job after the lock expires and one check for stalled jobs. Both fit into the minute that a
 * registry may be late.
 */
const LOCK_DURATION_MS = 30_000;
const STALLED_LOOK_EVERY_MS = 10_000;
/** How long interrupted runs have to write their outcome. */
const INTERRUPTED_GRACE_MS = 5_000;
/** How many completed jobs the queue keeps if their producers set no limit. */
const COMPLETED_KEPT = 200;
/** How often the worker looks at the jobs that only wait. */
const LEND_EVERY_MS = 500;

export interface BullTickSourceOptions extends KeyAccess {
  /** A connection for the worker only, because blocking commands use it. */
  readonly blocking: Redis;
  readonly queue: SyncQueue;
  readonly concurrency: number;
  /**
   * Returns how many of the running jobs only wait, for an upstream or for memory. They do not count for the
   * concurrency. Default: none.
   */
  readonly idleJobs?: () => number;
  /** The most jobs at once, including those that only wait. Default: {@link concurrency}. */
  readonly maxJobs?: number;
  readonly logger: Logger;
}

/** A {@link TickSource} that shows whether it still takes jobs. */
export interface BullTickSource extends TickSource {
  pulse(): Pulse;
}

/** Creates a source that takes ticks from the BullMQ queue: scheduled jobs, wake-ups, and jobs of other producers. */
export function createBullTickSource(options: BullTickSourceOptions): BullTickSource {
  const { blocking, redis, keys, queue, concurrency, logger } = options;
  const { idleJobs = () => 0, maxJobs = concurrency } = options;
  let worker: TurningWorker | undefined;
  let lending: NodeJS.Timeout | undefined;
  const running = new RunningJobs();

  return {
    async start(handle) {
      const started = new TurningWorker(
        QUEUE_NAME,
        // BullMQ passes the signal only to a processor that declares all three parameters.
        (job, token, signal) =>
          running
            .track(processJob({ redis, keys, queue, logger, handle }, { job, token, signal }))
            .catch(rethrowWithoutStack),
        {
          connection: blocking,
          prefix: keys.queuePrefix,
          concurrency,
          lockDuration: LOCK_DURATION_MS,
          stalledInterval: STALLED_LOOK_EVERY_MS,
          removeOnComplete: { count: COMPLETED_KEPT },
          removeOnFail: { count: FAILED_KEPT },
        },
      );
      worker = started;
      started.on('error', ({ message }) =>
        logger.warn({ reason: message }, 'error in the queue worker, which continues'),
      );
      // BullMQ does not abort the signal when a job loses its lock.
      started.on('lockRenewalFailed', (jobIds) => {
        for (const jobId of jobIds) started.cancelJob(jobId, 'the lock of the job is lost');
      });
      await started.waitUntilReady();
      lending = setInterval(() => {
        started.setConcurrency(Math.min(concurrency + idleJobs(), maxJobs));
      }, LEND_EVERY_MS);
    },

    pulse: () => ({
      turns: worker?.turns ?? 0,
      isFull: running.size >= (worker?.concurrency ?? concurrency),
    }),

    async stop({ graceMs }) {
      const stopping = worker;
      if (stopping === undefined) return;
      clearInterval(lending);
      const grace = setTimeout(() => stopping.cancelAllJobs('stopping'), graceMs);
      const limitMs = graceMs + INTERRUPTED_GRACE_MS;
      const whenIdle = () => running.whenNone();
      await closeWorker(stopping, { connection: blocking, limitMs, whenIdle }).finally(() =>
        clearTimeout(grace),
      );
    },
  };
}

/** The jobs that this process is running. */
class RunningJobs {
  readonly #running = new Set<Promise<unknown>>();

  track<Result>(job: Promise<Result>): Promise<Result> {
    const ended = job.finally(() => this.#running.delete(ended));
    this.#running.add(ended);
    return ended;
  }

  get size(): number {
    return this.#running.size;
  }

  async whenNone(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }
}

interface Processing extends KeyAccess {
  readonly queue: SyncQueue;
  readonly logger: Logger;
  readonly handle: TickHandler;
}

/** Processes one job. Bull Board shows the result. */
async function processJob(
  processing: Processing,
  {
    job,
    token,
    signal = new AbortController().signal,
  }: { job: Job<JobPayloadInput>; token: string | undefined; signal: AbortSignal | undefined },
): Promise<string> {
  const parsed = jobPayloadSchema.safeParse(job.data);
  if (!parsed.success) throw new UnrecoverableError(unknownPayload(parsed.error));
  const { registry } = parsed.data;
  const result = await processing
    .handle(tickOf(job, parsed.data), signal)
    .catch((error: unknown) => {
      processing.logger.error({ err: error, registry }, 'job failed');
      throw error;
    });
  switch (result.state) {
    case 'busy':
      return 'joined: another run is in progress';
    case 'handled':
    case 'superseded':
      return 'answered by an earlier run';
    case 'no-op':
      return 'unchanged';
    case 'unknown-registry':
      throw new UnrecoverableError(
        `the config has no registry ${registry}. Check the spelling of the name`,
      );
    case 'stopped':
      return putBack(job, token);
    case 'ran':
      break;
  }
  const { run } = result;
  await carryOut(processing, result);
  if (run.outcome === 'failed') throw new Error(run.error?.message ?? 'failed');
  if (run.outcome === 'interrupted' && signal.aborted) return putBack(job, token);
  return run.outcome;
}

/** Removes the stack, because Bull Board shows the stack of a job's error to everyone. The log has the stack. */
function rethrowWithoutStack(error: unknown): never {
  if (error instanceof Error) error.stack = '';
  throw error;
}

const MAX_PROBLEM_CHARACTERS = 1_000;

/** Describes an invalid payload for Bull Board, without any value of the payload. */
function unknownPayload(error: z.ZodError): string {
  const problems = z.prettifyError(error).slice(0, MAX_PROBLEM_CHARACTERS);
  return `invalid payload. Use {v: 1, registry, trigger?, force?, request?}\n${problems}`;
}

/** Returns the job to the queue, so that another worker takes it. */
async function putBack(job: Job, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

/** Adds the follow-up wake-ups of a run. If adding fails, the sweep or the next tick replaces them. */
async function carryOut(processing: Processing, { run, followUps }: Ran): Promise<void> {
  try {
    for (const followUp of followUps) {
      if (followUp.kind === 'dependent') await requestDependents(processing, [followUp.registry]);
      else await addWakeUp(processing.queue, followUp);
    }
  } catch (error) {
    processing.logger.warn({ err: error, registry: run.registry }, 'wake-up not added');
  }
}

function tickOf(job: Job, { registry, trigger, force, request }: JobPayload): Tick {
  const purpose = purposeOf({ trigger, force, request });
  const dueAtMs = dueAtMsOf(job.id);
  const recurs = dueAtMs !== undefined || OVERDUE_JOB_ID.test(job.id ?? '');
  const due = dueAtMs === undefined ? {} : { dueAtMs };
  return { registry, trigger, force, purpose, recurs, ...due };
}

function purposeOf({
  trigger,
  force,
  request,
}: Pick<JobPayload, 'trigger' | 'force' | 'request'>): LeasePurpose {
  if (request !== undefined) return { kind: 'wake-up', request };
  return trigger === 'manual' || trigger === 'webhook'
    ? { kind: 'request', force }
    : { kind: 'tick' };
}
