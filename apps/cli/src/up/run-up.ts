import { runProcess } from '@syncline/runtime';
import type { Command } from 'commander';
import { envOptions } from '../environment.ts';
import { reportError } from '../report-error.ts';
import { startUp } from './start-up.ts';

/** Runs `syncline up` as this process, and ends the process as `runProcess` does. */
export async function runUp(program: Command): Promise<void> {
  await runProcess('up', startUp, {
    // The command prints its own lines for people, so by default the log has warnings only.
    env: { ...envOptions(program), defaults: { LOG_LEVEL: 'warn' } },
    reportFailure: reportError,
  });
}
