import type { Run, Trigger } from '@syncline/contract';

/** Receives events for metrics. Never throws. */
export interface RunObserver {
  runFinished(run: Run): void;
  /** Counts a tick that found nothing to do without a run. */
  tickNoOp(): void;
  phaseFinished(phase: RunPhase, durationMs: number): void;
  overlapSkipped(trigger: Trigger): void;
  tickLate(latenessMs: number): void;
  fencedWriteRefused(): void;
  renewalFailed(): void;
}

/** The timed parts of a run. */
export type RunPhase = 'decide' | 'fetch' | 'build' | 'store' | 'finish';
