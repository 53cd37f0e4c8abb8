import type { Run, Trigger } from '@syncline/contract';
import type { LeasePurpose } from './run-store.ts';

/** A firing, a request or a wake-up for one registry. */
export interface Tick {
  readonly registry: string;
  readonly trigger: Trigger;
  readonly force: boolean;
  readonly purpose: LeasePurpose;
  /** When it was due, epoch milliseconds, if that is known. */
  readonly dueAtMs?: number;
  /** Another tick follows soon enough, whatever the result of this one. */
  readonly recurs?: boolean;
}

/** Why a tick did not become a run. Nothing was done and nothing is recorded. */
export interface Refusal {
  readonly state: /** Nothing had changed since the last run, and no run was needed to find that out. */
    | 'no-op'
    /** Another run is running or waits. A request stays counted, and follows that run. */
    | 'busy'
    /** A run has handled the request already. */
    | 'handled'
    /** A run just before this scheduled tick supersedes it. */
    | 'superseded'
    /** The process stops, and the run had not begun. */
    | 'stopped'
    /** The config does not name the registry. */
    | 'unknown-registry';
}

/** Something that must happen because a run has ended. The tick source carries it out. */
export type FollowUp =
  /** The catalog `registry` is built from what the run has published: request a run of it. */
  | { readonly kind: 'dependent'; readonly registry: string }
  /** A request came in during the run: wake a worker for it. */
  | { readonly kind: 'request'; readonly registry: string; readonly request: number }
  /** The run of `term` failed: try again after `delayMs`. */
  | {
      readonly kind: 'retry';
      readonly registry: string;
      readonly term: string;
      readonly delayMs: number;
    };

/** A run that has ended. */
export interface Ran {
  readonly state: 'ran';
  readonly run: Run;
  /** What the tick source must do next. */
  readonly followUps: readonly FollowUp[];
}

/** The result of a tick. */
export type TickResult = Ran | Refusal;

export type TickHandler = (tick: Tick, signal: AbortSignal) => Promise<TickResult>;

/** Makes registries run: BullMQ, or timers in the process. Carries out the follow-ups of each run. */
export interface TickSource {
  /** Hands each tick to `handle` until {@link stop}. */
  start(handle: TickHandler): Promise<void>;
  /**
   * Stops handing out ticks, gives the running ones `graceMs` to end, aborts what is left, and
   * resolves when all have ended.
   */
  stop(options: { graceMs: number }): Promise<void>;
}
