import { QUEUE_NAME, redisKeys } from '@syncline/contract';
import { Redis } from 'ioredis';
import type { Lifetime } from '../../support/index.ts';

/**
 * Watches when scheduled jobs are taken, from the queue's own event stream, so that nothing in the
 * workers is changed. Each value is how late a job was taken, by Redis's clock, in milliseconds.
 */
export interface LatenessWatch {
  readonly latenessMs: readonly number[];
  stop(): Promise<void>;
}

export function watchLateness(url: string, prefix: string, lifetime: Lifetime): LatenessWatch {
  const client = new Redis(url, { maxRetriesPerRequest: null });
  const stream = `${redisKeys(prefix).queuePrefix}:${QUEUE_NAME}:events`;
  const latenessMs: number[] = [];
  let stopped = false;

  const read = async () => {
    let last = '$';
    while (!stopped) {
      const replies = await client.xread('COUNT', 1_000, 'BLOCK', 1_000, 'STREAMS', stream, last);
      for (const [id, fields] of replies?.[0]?.[1] ?? []) {
        last = id;
        const late = latenessOf(id, fields);
        if (late !== undefined) latenessMs.push(late);
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

/** A scheduled job's id ends with the millisecond at which it was due. */
function latenessOf(eventId: string, fields: readonly string[]): number | undefined {
  if (fieldOf(fields, 'event') !== 'active') return undefined;
  const [, dueMs] = /^repeat:.*:(\d+)$/.exec(fieldOf(fields, 'jobId') ?? '') ?? [];
  return dueMs === undefined ? undefined : Number(eventId.split('-', 1)[0]) - Number(dueMs);
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  const place = fields.findIndex((field, index) => index % 2 === 0 && field === name);
  return place < 0 ? undefined : fields[place + 1];
}
