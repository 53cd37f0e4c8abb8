import type { Run, Trigger } from '@syncline/contract';
import type { LeasePurpose } from './run-store.ts';

/** A firing, a request or a wake-up for one registry. */
export interface Tick {
  readonly registry: string;
  readonly trigger: Trigger;
  readonly force: boolean;
  readonly purpose: LeasePurpose;
  /** When the tick was due, in epoch milliseconds, if that is known. */
  readonly dueAtMs?: number;
  /** Whether another tick soon follows, whatever the result of this tick. */
  readonly recurs?: boolean;
}

/** Why a tick did not become a run. A refused tick does nothing and leaves no record. */
export interface Refusal {
  readonly state: /** Nothing has changed since the last run. The check needed no run. */
    | 'no-op'
    /** Another run is running or waiting. The store still counts a request, which needs a later run. */
    | 'busy'
    /** A run has already handled the request. */
    | 'handled'
    /** A run shortly before this scheduled tick supersedes it. */
    | 'superseded'
    /** The process stops before the run has started. */
    | 'stopped'
    /** The config has no such registry. */
    | 'unknown-registry';
}

/** What must happen after a run has ended. The tick source carries it out. */
export type FollowUp =
  /** The catalog `registry` has the run's registry as a member: request a run of the catalog. */
  | { readonly kind: 'dependent'; readonly registry: string }
  /** A request arrived during the run: wake a worker for it. */
  | { readonly kind: 'request'; readonly registry: string; readonly request: number }
  /** The run `term` failed: try again after `delayMs`. */
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

/** The source of ticks: BullMQ, or timers in the process. It also carries out the follow-ups of each run. */
export interface TickSource {
  /** Passes each tick to `handle` until {@link stop}. */
  start(handle: TickHandler): Promise<void>;
  /** Stops passing ticks, gives running ticks `graceMs` to end, aborts the rest, and resolves when all have ended. */
  stop(options: { graceMs: number }): Promise<void>;
}
