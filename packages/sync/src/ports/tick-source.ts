import type { Run, Trigger } from '@syncline/contract';
import type { Wish } from './run-store.ts';

/** A firing for one registry. */
export interface Tick {
  readonly registry: string;
  readonly trigger: Trigger;
  readonly force: boolean;
  readonly wish: Wish;
  /** When it was due, epoch milliseconds, where it is known. */
  readonly dueAtMs?: number;
  /** Another one follows soon enough, whatever becomes of this one. */
  readonly recurs?: boolean;
}

/** What became of a tick. */
export type TickResult =
  | {
      readonly state: 'ran';
      readonly run: Run;
      readonly openRequest?: number;
      /** The catalogs that are to be run now, since what they are built from has been published. */
      readonly followers: readonly string[];
    }
  /** Nothing had changed since the last run, and none was needed to find that out. */
  | { readonly state: 'quiet' }
  /** Another run is under way. A request stays counted: whoever finishes runs it next. */
  | { readonly state: 'busy' }
  /** A run has answered the request already, or the tick, while it waited for its turn. */
  | { readonly state: 'answered' }
  /** The process stops, and the run had not begun. */
  | { readonly state: 'stopped' }
  /** The config does not name the registry. */
  | { readonly state: 'unknown-registry' };

export type TickHandler = (tick: Tick, signal: AbortSignal) => Promise<TickResult>;

/** What makes registries run: BullMQ, or a timer in the process. */
export interface TickSource {
  /** Hands each tick to `handle` until {@link stop}. */
  start(handle: TickHandler): Promise<void>;
  /**
   * Stops handing out ticks, gives the running ones `graceMs` to end, aborts what is left, and
   * resolves when all have ended.
   */
  stop(options: { graceMs: number }): Promise<void>;
}
