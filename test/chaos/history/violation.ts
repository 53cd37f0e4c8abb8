import type { HistoryEvent } from './events.ts';
import type { History } from './history.ts';

/** Something that must not have happened, and the events that show it. */
export interface Violation {
  readonly message: string;
  readonly evidence: readonly HistoryEvent[];
}

/** What must hold of every history. */
export interface Rule {
  /** As the design has it, or by what it forbids. */
  readonly name: string;
  readonly promise: string;
  readonly find: (history: History, limits: Limits) => readonly Violation[];
}

/** What is promised in figures. */
export interface Limits {
  /** At most so long after its interval a registry is run again. */
  readonly lateMs: number;
  readonly intervalMs: (registry: string) => number;
  /** A run whose process was killed is followed by another one within, if nothing else is done meanwhile. */
  readonly recoveryMs: number;
  /** A request that is acknowledged is answered within. */
  readonly answerMs: number;
  /** A run that has lost its lease asks nothing of its upstream any more after. */
  readonly quietAfterMs: number;
  /** A registry that the config has dropped is not run any more after. */
  readonly removalMs: number;
  /** Scheduled runs that may begin within one interval: a late one, the one that is due, a stalled one. */
  readonly scheduledPerInterval: number;
}

export const DEFAULT_LIMITS: Limits = {
  lateMs: 60_000,
  intervalMs: () => 5_000,
  recoveryMs: 20_000,
  answerMs: 60_000,
  quietAfterMs: 2_000,
  removalMs: 10_000,
  scheduledPerInterval: 3,
};
