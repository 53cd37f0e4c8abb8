import { createHash } from 'node:crypto';
import { batchesOf, JOB_NAME, type JobPayloadInput } from '@syncline/contract';
import type { Queue } from 'bullmq';

const BATCH = 500;

/** Makes a BullMQ Job Scheduler for each name, spread over the interval, as fast as BullMQ accepts them. */
export async function buildBareSchedulers(
  queue: Queue,
  names: readonly string[],
  everyMs: number,
): Promise<void> {
  for (const batch of batchesOf(names, BATCH)) {
    await Promise.all(
      batch.map((name) =>
        queue.upsertJobScheduler(
          name,
          { every: everyMs, offset: 1 + (hash(name) % (everyMs - 1)) },
          {
            name: JOB_NAME,
            data: { v: 1, registry: name, trigger: 'schedule' } satisfies JobPayloadInput,
            opts: { priority: 10, attempts: 1, removeOnComplete: true },
          },
        ),
      ),
    );
  }
}

function hash(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32BE();
}
