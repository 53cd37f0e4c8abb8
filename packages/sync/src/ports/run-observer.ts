import type { Run, Trigger } from '@syncline/contract';

/** Gets events for metrics. Never throws. */
export interface RunObserver {
  runFinished(run: Run): void;
  /** A tick that found nothing to do without a run. */
  tickNoOp(): void;
  phaseFinished(phase: RunPhase, durationMs: number): void;
  overlapSkipped(trigger: Trigger): void;
  tickLate(latenessMs: number): void;
  fencedWriteRefused(): void;
  renewalFailed(): void;
}

/** The parts of a run that are timed. */
export type RunPhase = 'decide' | 'fetch' | 'build' | 'store' | 'finish';
