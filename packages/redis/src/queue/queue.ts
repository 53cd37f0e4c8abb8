import {
  type CountedRequest,
  countRequest,
  JOB_NAME,
  type JobPayloadInput,
  QUEUE_NAME,
  type RedisKeys,
  requestJob,
} from '@syncline/contract';
import { type JobsOptions, Queue } from 'bullmq';
import type { Redis } from 'ioredis';

/** Ticks and what stands in for them. Requests have none, and so run first. */
export const TICK_PRIORITY = 10;

/** So many registries a second begin at most, when very many have to. */
export const STARTS_PER_SECOND = 50;

export type SyncQueue = Queue<JobPayloadInput>;

export interface QueueOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly onError: (error: Error) => void;
}

/** The queue that workers take from. Jobs in it are hints: what must not be lost is in control hashes. */
export function createSyncQueue(options: QueueOptions): SyncQueue {
  return openQueue(QUEUE_NAME, options);
}

/** A queue under our own prefix. */
export function openQueue<Payload>(
  name: string,
  { redis, keys, onError }: QueueOptions,
): Queue<Payload> {
  const queue = new Queue<Payload>(name, {
    connection: redis,
    prefix: keys.queuePrefix,
    skipVersionCheck: true,
  });
  queue.on('error', onError);
  return queue;
}

/** A job beside the schedule. */
export type Hint =
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
   * The registry was not tried when it should have been. `isRepeated`: a worker has taken the first hint, and may
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
 * Has catalogs built anew, since a registry of theirs has published: counted as a request each, so that
 * one that comes while a catalog is being built brings another run.
 */
export async function requestFollowers(
  { redis, keys, queue }: { redis: Redis; keys: RedisKeys; queue: SyncQueue },
  followers: readonly string[],
): Promise<void> {
  for (const registry of followers) {
    const request = await countRequest({ redis, keys }, { registry });
    await addHint(queue, { kind: 'request', registry, request, trigger: 'change' });
  }
}

/** Names the hint, so that there is one, or one more beside it. */
export function overdueJobId(
  registry: string,
  { isRepeated }: Pick<Extract<Hint, { kind: 'overdue' }>, 'isRepeated'>,
): string {
  return `overdue${isRepeated ? '.again' : ''}-${registry}`;
}

export function isOverdueHint(jobId: string): boolean {
  return /^overdue(\.again)?-/.test(jobId);
}

/** Adds a hint. Its id says what it hints at, so that the same hint is never in the queue twice. */
export async function addHint(queue: SyncQueue, hint: Hint): Promise<void> {
  const { registry } = hint;
  const options: JobsOptions = {
    attempts: 1,
    removeOnComplete: true,
    removeOnFail: { count: 1_000 },
  };
  switch (hint.kind) {
    case 'request': {
      const { name, data, opts } = requestJob(hint);
      await queue.add(name, data, opts);
      return;
    }
    case 'interrupted': {
      const jobId = `interrupted-${registry}-${hint.term}`;
      const payload = { v: 1, registry, trigger: 'retry' } as const;
      await queue.add(JOB_NAME, payload, { ...options, jobId, removeOnFail: true });
      return;
    }
    case 'overdue': {
      const payload = { v: 1, registry, trigger: 'schedule' } as const;
      await queue.add(JOB_NAME, payload, {
        ...options,
        jobId: overdueJobId(registry, hint),
        priority: TICK_PRIORITY,
        removeOnFail: true,
      });
      return;
    }
    case 'retry': {
      const jobId = `retry-${registry}-${hint.term}`;
      await queue.add(
        JOB_NAME,
        { v: 1, registry, trigger: 'retry' },
        { ...options, jobId, priority: TICK_PRIORITY, delay: hint.delayMs },
      );
      return;
    }
    case 'startup':
    case 'config': {
      const jobId = `${hint.kind}-${registry}-${hint.since}`;
      await queue.add(
        JOB_NAME,
        { v: 1, registry, trigger: hint.kind },
        { ...options, jobId, priority: TICK_PRIORITY, delay: hint.delayMs },
      );
      return;
    }
  }
}
