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

/** Ticks and what stands in for them. Requests have none, and so run first. */
export const TICK_PRIORITY = 10;

/** So many registries a second begin at most, when very many have to. */
export const STARTS_PER_SECOND = 50;

export type SyncQueue = BullQueue<JobPayloadInput>;

export interface QueueOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly onError: (error: Error) => void;
}

/** The queue that workers take from. Jobs in it are wake-ups: what must not be lost is in control hashes. */
export function createSyncQueue(options: QueueOptions): SyncQueue {
  return openQueue(QUEUE_NAME, options);
}

/** A queue under our own prefix. */
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
  /** The run of `term` has ended without a word. */
  | { readonly kind: 'interrupted'; readonly registry: string; readonly term: string }
  /** The run of `term` has failed; the next try is due in `delayMs`. */
  | {
      readonly kind: 'retry';
      readonly registry: string;
      readonly term: string;
      readonly delayMs: number;
    }
  /**
   * The registry was not tried when it should have been. `isRepeated`: a worker has taken the first wake-up, and may
   * not know it.
   */
  | { readonly kind: 'overdue'; readonly registry: string; readonly isRepeated: boolean }
  /** The registry was never synced, is overdue, or is configured anew; `since` tells occasions apart. */
  | {
      readonly kind: 'startup' | 'config';
      readonly registry: string;
      readonly since: string;
      readonly delayMs: number;
    };

/**
 * Requests a run of each catalog, because one of its registries has published. A request that comes while a
 * catalog is being built brings another run.
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

/** Names the wake-up, so that there is one, or one more beside it. */
export function overdueJobId(
  registry: string,
  { isRepeated }: { readonly isRepeated: boolean },
): string {
  return `overdue${isRepeated ? '.again' : ''}-${registry}`;
}

/** Adds a wake-up. Its id says what it is for, so that the same wake-up is never in the queue twice. */
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
