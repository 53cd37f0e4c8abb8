import { Redis } from 'ioredis';
import type { Lifetime } from '../../support/lifetime.ts';
import { eventStream, scheduledJobEvent } from './scheduled-jobs.ts';

/**
 * Watches when scheduled jobs are taken, in the queue's own event stream, so that the workers are not changed. Each
 * value is how late a job was taken, by Redis's clock, in milliseconds.
 */
export interface LatenessWatch {
  readonly latenessMs: readonly number[];
  stop(): Promise<void>;
}

export function watchLateness(url: string, prefix: string, lifetime: Lifetime): LatenessWatch {
  const client = new Redis(url, { maxRetriesPerRequest: null });
  const stream = eventStream(prefix);
  const latenessMs: number[] = [];
  let stopped = false;

  const read = async () => {
    let last = '$';
    while (!stopped) {
      const replies = await client.xread('COUNT', 1_000, 'BLOCK', 1_000, 'STREAMS', stream, last);
      for (const [id, fields] of replies?.[0]?.[1] ?? []) {
        last = id;
        const happened = scheduledJobEvent(id, fields);
        if (happened?.event === 'active') latenessMs.push(happened.atMs - happened.dueAtMs);
      }
    }
  };
  const reading = read().catch((error: unknown) => {
    if (!stopped) throw error;
  });
  const stop = async () => {
    stopped = true;
    await reading;
    client.disconnect();
  };
  lifetime.defer(stop);
  return { latenessMs, stop };
}
