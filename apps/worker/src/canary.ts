import type { RecurringTask } from '@syncline/contract';
import type { Pulse } from '@syncline/redis';
import { type Logger, within } from '@syncline/runtime';

/**
 * Three times the longest turn of a healthy worker's loop, including turns right after an outage of
 * Redis.
 */
export const WEDGED_AFTER_MS = 60_000;
const EVERY_MS = 1_000;
/** If Redis takes longer than this to answer, the canary does not report the worker. */
const REDIS_ANSWER_MS = 1_000;

export interface CanaryOptions {
  readonly pulse: () => Pulse;
  readonly redis: { readonly status: string; ping(): Promise<unknown> };
  readonly logger: Pick<Logger, 'error'>;
  readonly wedgedAfterMs: number;
}

/** Checks repeatedly whether the worker's loop makes progress. */
export interface Canary extends RecurringTask {
  /** Problems that only a restart fixes. Empty while the loop makes progress. */
  problems(): readonly string[];
}

/**
 * Watches a worker's loop. The loop is wedged if it makes no turn while Redis answers and the worker has
 * room for a job. Counts time in passes of the canary, because the process may have been frozen in
 * between.
 */
export function createCanary({ pulse, redis, logger, wedgedAfterMs }: CanaryOptions): Canary {
  let asking: Promise<boolean> | undefined;
  let turnsSeen: number | undefined;
  let stillMs = 0;

  /** Sends one PING at a time, because PINGs to a Redis that hangs would pile up. */
  function isRedisThere(): Promise<boolean> {
    if (redis.status !== 'ready') return Promise.resolve(false);
    asking ??= redis
      .ping()
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        asking = undefined;
      });
    return within(REDIS_ANSWER_MS, asking).catch(() => false);
  }

  const problems = () =>
    stillMs < wedgedAfterMs
      ? []
      : [
          `the worker has taken no jobs for ${Math.floor(stillMs / 1_000)} s, although Redis answers`,
        ];

  return {
    everyMs: EVERY_MS,
    pass: async () => {
      const isThere = await isRedisThere();
      const { turns, isFull } = pulse();
      const wasWedged = problems().length > 0;
      stillMs = isThere && !isFull && turns === turnsSeen ? stillMs + EVERY_MS : 0;
      turnsSeen = turns;
      const found = problems();
      if (found.length > 0 && !wasWedged) logger.error({ problems: found }, 'worker wedged');
    },
    problems,
  };
}
