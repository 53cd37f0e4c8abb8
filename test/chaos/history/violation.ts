import type { HistoryEvent } from './events.ts';
import type { History } from './history.ts';

/** A broken promise, and the events that prove it. */
export interface Violation {
  readonly message: string;
  readonly evidence: readonly HistoryEvent[];
}

/** A rule that every history must obey. */
export interface Rule {
  /** The name of the invariant, or of what the rule forbids. */
  readonly name: string;
  readonly promise: string;
  readonly find: (history: History, limits: Limits) => readonly Violation[];
}

/** The promised times and numbers. */
export interface Limits {
  /** How long after its interval a registry may run again. */
  readonly lateMs: number;
  readonly intervalMs: (registry: string) => number;
  /** How soon another run must follow if the process of a run was killed and there are no other faults. */
  readonly recoveryMs: number;
  /** How soon a run must handle an acknowledged request. */
  readonly answerMs: number;
  /** How long after the loss of its lease a run may still send requests to its upstream. */
  readonly quietAfterMs: number;
  /** How long a registry may still run after the config has dropped it. */
  readonly removalMs: number;
  /**
   * How many scheduled runs may start within one interval: a late run, the run that is due, and a stalled
   * run.
   */
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
