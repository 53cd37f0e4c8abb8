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

/** The priority of ticks and of the wake-ups that replace them. Requests have no priority, so they run first. */
export const TICK_PRIORITY = 10;

/** The most registries that begin per second, if very many are due. */
export const STARTS_PER_SECOND = 50;

/** How many failed jobs the queue keeps of each kind that sets no other limit. */
export const FAILED_KEPT = 1_000;

export type SyncQueue = BullQueue<JobPayloadInput>;

export interface QueueOptions extends KeyAccess {
  readonly onError: (error: Error) => void;
}

/** Opens the queue that workers take jobs from. A lost job loses nothing: requests are in the control hashes. */
export function createSyncQueue(options: QueueOptions): SyncQueue {
  return openQueue(QUEUE_NAME, options);
}

/** Opens a queue under the prefix of Syncline. */
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

/** A job beside the schedule. */
export type WakeUp =
  /** Request `request` is open. */
  | ({ readonly kind: 'request' } & CountedRequest)
  /** The run of `term` has died. */
  | ({ readonly kind: 'interrupted' } & RunReference)
  /** The run of `term` has failed; the next try is due in `delayMs`. */
  | ({ readonly kind: 'retry'; readonly delayMs: number } & RunReference)
  /**
   * The registry was not tried when it was due. `isRepeated`: a worker has taken the first wake-up, and may have
   * lost it.
   */
  | { readonly kind: 'overdue'; readonly registry: string; readonly isRepeated: boolean }
  /** The registry was never synced, is overdue, or has a new config. Equal `since` means the same occasion. */
  | {
      readonly kind: 'startup' | 'config';
      readonly registry: string;
      readonly since: string;
      readonly delayMs: number;
    };

/**
 * Requests a run of each catalog, because one of its registries has published. A request during a build of the
 * catalog causes another run.
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

/** The ids of wake-ups of overdue registries. */
export const OVERDUE_JOB_ID = /^overdue(\.again)?-/;

/** Returns the id of a wake-up: the queue holds at most the first and the repeated one. */
export function overdueJobId(
  registry: string,
  { isRepeated }: { readonly isRepeated: boolean },
): string {
  return `overdue${isRepeated ? '.again' : ''}-${registry}`;
}

/** Adds a wake-up. Its id is made of its reason, so the same wake-up is never in the queue twice. */
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
