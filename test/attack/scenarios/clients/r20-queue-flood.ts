import { JOB_NAME, QUEUE_NAME } from '@syncline/contract';
import { Queue } from 'bullmq';
import type { Scenario } from '../../scenario.ts';

const JOBS = 20_000;
const BATCH = 1_000;

/** A service that may enqueue adds 20,000 jobs, half of them invalid. They must not delay the schedules of others. */
export const queueFlood: Scenario = {
  id: 'R20',
  title: 'a service adds 20,000 jobs to the queue',
  cause: {},
  inspect: async ({ fleet }) => {
    const queue = new Queue(QUEUE_NAME, {
      connection: fleet.redis,
      prefix: fleet.keys.queuePrefix,
      skipVersionCheck: true,
    });
    for (let first = 0; first < JOBS; first += BATCH) {
      await queue.addBulk(
        Array.from({ length: BATCH }, (_, index) => ({
          name: JOB_NAME,
          data:
            index % 2 === 0
              ? { v: 1, registry: `honest-${1 + (index % 6)}`, force: true }
              : { v: 9, registry: 'x'.repeat(2_000) },
          opts: { removeOnComplete: true, removeOnFail: true },
        })),
      );
    }
    await queue.close();
    return [];
  },
};
