import type { Clock } from '@syncline/contract';

/** A clock that goes only when a test says so. Both of its times can be moved apart. */
export interface ManualClock extends Clock {
  /** Moves both times on. */
  advance(ms: number): void;
  /** Moves the wall clock alone, also back: as a correction of it, or a machine that slept, does. */
  jump(ms: number): void;
}

export function createManualClock({ nowMs }: { nowMs: number }): ManualClock {
  let wallMs = nowMs;
  let monotonicMs = 0;
  return {
    now: () => wallMs,
    monotonic: () => monotonicMs,
    advance(ms) {
      wallMs += ms;
      monotonicMs += ms;
    },
    jump(ms) {
      wallMs += ms;
    },
  };
}
