import { Slots } from './ingest/slots.ts';
import { Stragglers } from './stragglers.ts';

/** What the runs of one process must know of each other, so that none of them is in the way of the rest. */
export interface ProcessRuns {
  readonly stragglers: Stragglers;
  /**
   * The turn of a registry that has died twice in a row. There is one: whichever of those that were under
   * way together ends the process once more, no other of them is blamed for it.
   */
  readonly lastTries: Slots;
  /** Registries of which a run waits for a place. One is enough of each: it does what more would. */
  readonly waiting: Set<string>;
}

export function createProcessRuns(options: { graceMs?: number } = {}): ProcessRuns {
  return {
    stragglers: new Stragglers(options),
    lastTries: new Slots(1),
    waiting: new Set(),
  };
}
