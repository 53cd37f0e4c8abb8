import type { HistoryEvent } from './events.ts';
import type { History } from './history.ts';

/** Something that must not happen, and the events that prove it. */
export interface Violation {
  readonly message: string;
  readonly evidence: readonly HistoryEvent[];
}

/** A rule for every history. */
export interface Rule {
  /** The name from the design, or what the rule forbids. */
  readonly name: string;
  readonly promise: string;
  readonly find: (history: History, limits: Limits) => readonly Violation[];
}

/** The promised figures. */
export interface Limits {
  /** A registry runs again at most this long after its interval. */
  readonly lateMs: number;
  readonly intervalMs: (registry: string) => number;
  /** How soon another run follows a run whose process was killed, if there are no other faults. */
  readonly recoveryMs: number;
  /** How soon an acknowledged request is handled. */
  readonly answerMs: number;
  /** After how long a run that has lost its lease sends nothing more to its upstream. */
  readonly quietAfterMs: number;
  /** After how long a registry that the config has dropped no longer runs. */
  readonly removalMs: number;
  /** Scheduled runs that may start within one interval: a late one, the one that is due, a stalled one. */
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
