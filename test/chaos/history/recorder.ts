import { closeSync, openSync, writeSync } from 'node:fs';
import type { Happened } from './events.ts';

/** Records what happens to a process. */
export interface HistoryRecorder {
  record(happened: Happened): void;
  close(): void;
}

/** Milliseconds of the machine's monotonic clock: the same for all of its processes. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Appends to a file. Recorded events survive a kill right after. */
export function openHistory(file: string): HistoryRecorder {
  const descriptor = openSync(file, 'a');
  return {
    record: (happened) => {
      const line = JSON.stringify({ atMs: machineMs(), wallMs: Date.now(), ...happened });
      writeSync(descriptor, `${line}\n`);
    },
    close: () => closeSync(descriptor),
  };
}
