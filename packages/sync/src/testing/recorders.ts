import type { Logger, Run } from '@syncline/contract';
import type { RunObserver } from '../ports/run-observer.ts';

export interface LogEntry {
  readonly level: keyof Logger;
  readonly fields: object;
  readonly message: string;
}

/** Creates a logger that records its entries. */
export function createRecordingLogger(): Logger & { readonly entries: readonly LogEntry[] } {
  const entries: LogEntry[] = [];
  const keep = (level: keyof Logger) => (fields: object, message: string) => {
    entries.push({ level, fields, message });
  };
  return {
    entries,
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
  };
}

/** An observer that records runs, and counts other events. */
export interface RecordingObserver extends RunObserver {
  readonly runs: readonly Run[];
  readonly counts: Readonly<
    Record<'noOps' | 'overlaps' | 'refusedWrites' | 'failedRenewals', number>
  >;
  readonly latenessMs: readonly number[];
}

export function createRecordingObserver(): RecordingObserver {
  const runs: Run[] = [];
  const latenessMs: number[] = [];
  const counts = { noOps: 0, overlaps: 0, refusedWrites: 0, failedRenewals: 0 };
  return {
    runs,
    counts,
    latenessMs,
    runFinished: (run) => void runs.push(run),
    tickNoOp: () => {
      counts.noOps += 1;
    },
    phaseFinished: () => {},
    overlapSkipped: () => {
      counts.overlaps += 1;
    },
    tickLate: (ms) => void latenessMs.push(ms),
    fencedWriteRefused: () => {
      counts.refusedWrites += 1;
    },
    renewalFailed: () => {
      counts.failedRenewals += 1;
    },
  };
}
