import { Slots } from '@syncline/sources';
import { Stragglers } from './stragglers.ts';

/** What the runs of one process must know of each other, so that none of them is in the way of the rest. */
export interface ProcessRuns {
  readonly stragglers: Stragglers;
  /**
   * The turn of a registry whose last two runs died with their process. There is one: of those that were under
   * way together, whichever it was that ended the process takes none of the others with it once more.
   */
  readonly suspects: Slots;
  /** How long a run keeps the turn at most. */
  readonly turnMs: number;
  /** Registries of which a run waits for a place. One is enough of each: it does what more would. */
  readonly waiting: Set<string>;
}

const TURN_MS = 15_000;

export function createProcessRuns({
  turnMs = TURN_MS,
  ...options
}: {
  graceMs?: number;
  turnMs?: number;
} = {}): ProcessRuns {
  return {
    stragglers: new Stragglers(options),
    suspects: new Slots(1),
    turnMs,
    waiting: new Set(),
  };
}
