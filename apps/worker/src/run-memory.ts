import { type KeyAccess, writeWaits } from '@syncline/redis';
import { type Env, type Logger, type MemoryPlan, type Metrics, startLoop } from '@syncline/runtime';
import { MemoryBudget } from '@syncline/sources';
import type { Performer } from './performer.ts';

/** A run that has waited this long, for its upstream or for memory, lets another run begin. */
const IDLE_AFTER_MS = 2_000;
/** What a run needs that only waits: its state, its connection, and the beginning of a body. */
const IDLE_JOB_BYTES = 2 * 1024 * 1024;
const REPORT_EVERY_MS = 5_000;
/** Shorter waits are normal. */
const REPORTED_AFTER_MS = 5_000;
const HOLDERS_SHOWN = 3;

export interface Reporting extends KeyAccess {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The name of this worker. */
  readonly owner: string;
  readonly performer: Performer;
}

/** Opens the memory of all runs of a worker. */
export function openRunMemory({
  env,
  plan,
}: {
  readonly env: Pick<Env, 'concurrency'>;
  readonly plan: MemoryPlan;
}) {
  const memory = new MemoryBudget({ totalBytes: plan.ingestBytes });
  return {
    memory,
    jobs: {
      concurrency: env.concurrency,
      idleJobs: () => memory.idleRuns(IDLE_AFTER_MS),
      maxJobs: env.concurrency + Math.floor(plan.ingestBytes / IDLE_JOB_BYTES),
    },
    /** Shows the memory in the metrics, and runs that wait for it in Redis, where doctor finds them. */
    report: ({ redis, keys, logger, metrics, owner, performer }: Reporting) => {
      const waits = () => ({ memory: memory.waits, build: performer.waits() });
      const remove = metrics.onMemory({
        reserved: () => ({ ...memory.reserved, idle: memory.othersBytes() }),
        waits,
      });
      let wasWaiting = false;
      const loop = startLoop({
        everyMs: REPORT_EVERY_MS,
        onError: (error) => logger.warn({ err: error }, 'could not report waiting runs'),
        pass: async () => {
          const now = waits();
          const isWaiting = Object.values(now).some(
            ({ longestMs }) => longestMs >= REPORTED_AFTER_MS,
          );
          const holders = memory.largest(HOLDERS_SHOWN);
          if (isWaiting && !wasWaiting) logger.warn({ waits: now, holders }, 'runs wait');
          if (isWaiting || wasWaiting) {
            const shown = isWaiting ? { ...now, holders } : undefined;
            await writeWaits({ redis, keys }, owner, shown);
          }
          wasWaiting = isWaiting;
        },
      });
      return {
        stop: async () => {
          remove();
          await loop.stop();
        },
      };
    },
  };
}
