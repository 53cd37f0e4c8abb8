import { type ProcessContext, runProcess, type Service } from '@syncline/runtime';
import type { Command } from 'commander';
import { envOptions, withStoreEnv } from './environment.ts';
import { reportError } from './report-error.ts';

export type StartService = (context: ProcessContext) => Promise<Service>;

/**
 * Runs a service in this process, and ends the process as `runProcess` does. If the environment does not
 * set the URL of a Redis, the service uses the Redis that `syncline up` runs.
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
