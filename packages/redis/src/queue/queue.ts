import {
  type CountedRequest,
  countRequest,
  JOB_NAME,
  type JobPayloadInput,
  QUEUE_NAME,
  requestJob,
  type Trigger,
} from '@syncline/contract';
import type { Queue as BullQueue, JobsOptions } from 'bullmq';
import { Queue } from 'bullmq';
import type { KeyAccess } from '../lua/lua-script.ts';

/** The priority of ticks and of wake-ups that replace ticks. Requests have no priority, so that they run first. */
export const TICK_PRIORITY = 10;

/** How many registries start per second at most, if many are due. */
export const STARTS_PER_SECOND = 50;

/** How many failed jobs the queue keeps, unless a job sets another limit. */
export const FAILED_KEPT = 1_000;

export type SyncQueue = BullQueue<JobPayloadInput>;

export interface QueueOptions extends KeyAccess {
  readonly onError: (error: Error) => void;
}

/** Opens the queue of the workers. A lost job loses no request, because the control hashes count requests. */
export function createSyncQueue(options: QueueOptions): SyncQueue {
  return openQueue(QUEUE_NAME, options);
}

/** Opens a queue under Syncline's prefix. */
export function openQueue<Payload>(
  name: string,
  { redis, keys, onError }: QueueOptions,
): BullQueue<Payload> {
  const queue = new Queue<Payload>(name, {
    connection: redis,
    prefix: keys.queuePrefix,
    skipVersionCheck: true,
  });
  queue.on('error', onError);
  return queue;
}

interface RunReference {
  readonly registry: string;
  readonly term: string;
}

/** A job outside the schedule. */
export type WakeUp =
  /** The request `request` is open. */
  | ({ readonly kind: 'request' } & CountedRequest)
  /** The process of the run `term` has died. */
  | ({ readonly kind: 'interrupted' } & RunReference)
  /** The run `term` has failed. The next attempt is due in `delayMs`. */
  | ({ readonly kind: 'retry'; readonly delayMs: number } & RunReference)
  /**
   * No run tried the registry when it was due. `isRepeated`: a worker has taken the first wake-up, and may have lost
   * it.
   */
  | { readonly kind: 'overdue'; readonly registry: string; readonly isRepeated: boolean }
  /** The registry was never synced, is overdue, or has a new config. Equal `since` values identify one occasion. */
  | {
      readonly kind: 'startup' | 'config';
      readonly registry: string;
      readonly since: string;
      readonly delayMs: number;
    };

/**
 * Requests a run of each dependent catalog after a member has published. If the catalog is running, the request causes
 * another run.
 */
export async function requestDependents(
  { redis, keys, queue }: KeyAccess & { readonly queue: SyncQueue },
  dependents: readonly string[],
): Promise<void> {
  for (const registry of dependents) {
    const request = await countRequest({ redis, keys }, { registry });
    await addWakeUp(queue, { kind: 'request', registry, request, trigger: 'change' });
  }
}

/** Matches the ids of wake-ups for overdue registries. */
export const OVERDUE_JOB_ID = /^overdue(\.again)?-/;

/** Returns the id of a wake-up. The queue contains at most one first and one repeated wake-up per registry. */
export function overdueJobId(
  registry: string,
  { isRepeated }: { readonly isRepeated: boolean },
): string {
  return `overdue${isRepeated ? '.again' : ''}-${registry}`;
}

/** Adds a wake-up. The id comes from its reason, so that the queue never contains the same wake-up twice. */
export async function addWakeUp(queue: SyncQueue, wakeUp: WakeUp): Promise<void> {
  const { name, data, opts } = wakeUp.kind === 'request' ? requestJob(wakeUp) : jobOf(wakeUp);
  await queue.add(name, data, opts);
}

function jobOf(wakeUp: Exclude<WakeUp, { readonly kind: 'request' }>) {
  const { registry, kind } = wakeUp;
  const job = (trigger: Trigger, opts: JobsOptions) => ({
    name: JOB_NAME,
    data: { v: 1, registry, trigger } as const,
    opts: { attempts: 1, removeOnComplete: true, ...opts },
  });
  const asTick = { priority: TICK_PRIORITY, removeOnFail: { count: FAILED_KEPT } };
  switch (kind) {
    case 'interrupted':
      return job('retry', { jobId: `interrupted-${registry}-${wakeUp.term}`, removeOnFail: true });
    case 'overdue':
      return job('schedule', {
        ...asTick,
        jobId: overdueJobId(registry, wakeUp),
        removeOnFail: true,
      });
    case 'retry':
      return job('retry', {
        ...asTick,
        jobId: `retry-${registry}-${wakeUp.term}`,
        delay: wakeUp.delayMs,
      });
    case 'startup':
    case 'config':
      return job(kind, {
        ...asTick,
        jobId: `${kind}-${registry}-${wakeUp.since}`,
        delay: wakeUp.delayMs,
      });
  }
}
