import {
  type CountedRequest,
  countRequest,
  JOB_NAME,
  type JobPayloadInput,
  QUEUE_NAME,
  type RedisKeys,
  requestJob,
} from '@syncline/contract';
import type { Queue as BullQueue, JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { Queue } from './bullmq.ts';

/** The priority of ticks and of the wake-ups that replace them. Requests have no priority, so they run first. */
export const TICK_PRIORITY = 10;

/** The most registries that begin per second, if very many are due. */
export const STARTS_PER_SECOND = 50;

export type SyncQueue = BullQueue<JobPayloadInput>;

export interface QueueOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
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

/** A job beside the schedule. */
export type WakeUp =
  /** Request `request` is open. */
  | ({ readonly kind: 'request' } & CountedRequest)
  /** The run of `term` has died. */
  | { readonly kind: 'interrupted'; readonly registry: string; readonly term: string }
  /** The run of `term` has failed; the next try is due in `delayMs`. */
  | {
      readonly kind: 'retry';
      readonly registry: string;
      readonly term: string;
      readonly delayMs: number;
    }
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
  { redis, keys, queue }: { redis: Redis; keys: RedisKeys; queue: SyncQueue },
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
  const { registry } = wakeUp;
  const options: JobsOptions = {
    attempts: 1,
    removeOnComplete: true,
    removeOnFail: { count: 1_000 },
  };
  switch (wakeUp.kind) {
    case 'request': {
      const { name, data, opts } = requestJob(wakeUp);
      await queue.add(name, data, opts);
      return;
    }
    case 'interrupted': {
      const jobId = `interrupted-${registry}-${wakeUp.term}`;
      const payload = { v: 1, registry, trigger: 'retry' } as const;
      await queue.add(JOB_NAME, payload, { ...options, jobId, removeOnFail: true });
      return;
    }
    case 'overdue': {
      const payload = { v: 1, registry, trigger: 'schedule' } as const;
      await queue.add(JOB_NAME, payload, {
        ...options,
        jobId: overdueJobId(registry, wakeUp),
        priority: TICK_PRIORITY,
        removeOnFail: true,
      });
      return;
    }
    case 'retry': {
      const jobId = `retry-${registry}-${wakeUp.term}`;
      await queue.add(
        JOB_NAME,
        { v: 1, registry, trigger: 'retry' },
        { ...options, jobId, priority: TICK_PRIORITY, delay: wakeUp.delayMs },
      );
      return;
    }
    case 'startup':
    case 'config': {
      const jobId = `${wakeUp.kind}-${registry}-${wakeUp.since}`;
      await queue.add(
        JOB_NAME,
        { v: 1, registry, trigger: wakeUp.kind },
        { ...options, jobId, priority: TICK_PRIORITY, delay: wakeUp.delayMs },
      );
      return;
    }
  }
}
