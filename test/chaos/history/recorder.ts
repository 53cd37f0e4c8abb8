import { closeSync, openSync, writeSync } from 'node:fs';
import type { Happened } from './events.ts';

/** Records the events of one process. */
export interface HistoryRecorder {
  record(happened: Happened): void;
  close(): void;
}

/**
 * Returns the time of the machine's monotonic clock, in milliseconds. All processes of the machine
 * share this clock.
 */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Opens a recorder that appends to a file. Recorded events survive a kill of the process. */
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
