import type { Clock } from '@syncline/contract';

/** A clock that moves only if a test moves it. A test can also move the wall clock alone. */
export interface ManualClock extends Clock {
  /** Advances both clocks. */
  advance(ms: number): void;
  /** Moves only the wall clock, forward or back, like a clock correction or a sleeping machine. */
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
