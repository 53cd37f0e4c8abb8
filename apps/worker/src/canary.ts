import type { Pulse } from '@syncline/redis';
import { within } from '@syncline/runtime';

/** Three times what a healthy worker takes for a turn at the most, also when Redis has just come back. */
export const WEDGED_AFTER_MS = 60_000;
export const CANARY_EVERY_MS = 1_000;
/** A Redis that takes longer is none that a worker could be blamed for. */
const STORE_ANSWER_MS = 1_000;

export interface CanaryOptions {
  readonly pulse: () => Pulse;
  /** Rejects, or does not end, while Redis is away. */
  readonly askStore: () => Promise<unknown>;
  readonly everyMs: number;
  readonly wedgedAfterMs: number;
}

/** Whether the worker's loop turns. */
export interface Canary {
  /** To be called every `everyMs`. */
  look(): Promise<void>;
  /** What is wrong; none where nothing is. */
  problems(): readonly string[];
}

/**
 * Watches a worker's loop. It is wedged if it does not turn while Redis answers and the worker has room for
 * a job. Time is counted in looks, so that a process that was frozen is not blamed for it.
 */
export function createCanary(options: CanaryOptions): Canary {
  const { pulse, askStore, everyMs, wedgedAfterMs } = options;
  let asking: Promise<boolean> | undefined;
  let turnsSeen: number | undefined;
  let stillMs = 0;

  /** One question at a time: those to a Redis that hangs would pile up. */
  function isStoreThere(): Promise<boolean> {
    asking ??= askStore()
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        asking = undefined;
      });
    return within(STORE_ANSWER_MS, asking).catch(() => false);
  }

  return {
    async look() {
      const isThere = await isStoreThere();
      const { turns, isFull } = pulse();
      stillMs = isThere && !isFull && turns === turnsSeen ? stillMs + everyMs : 0;
      turnsSeen = turns;
    },
    problems: () =>
      stillMs < wedgedAfterMs
        ? []
        : [`has taken no jobs for ${Math.floor(stillMs / 1_000)} s, although Redis answers`],
  };
}
