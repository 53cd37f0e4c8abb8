import { type ProcessContext, runProcess, type Service } from '@syncline/runtime';
import type { Command } from 'commander';
import { envOptions, withStoreEnv } from './environment.ts';
import { reportError } from './report-error.ts';

export type StartService = (context: ProcessContext) => Promise<Service>;

/**
 * Runs one of the services as this process, and ends the process as `runProcess` does. If the environment
 * names no Redis, the service uses the one that `syncline up` runs.
 */
export async function runService(
  name: string,
  start: StartService,
  program: Command,
): Promise<void> {
  await runProcess(name, async (context) => start(await withStoreEnv(context)), {
    env: envOptions(program),
    reportFailure: reportError,
  });
}
