import { type ProcessContext, runProcess, type Service } from '@syncline/runtime';
import type { Command } from 'commander';
import { envOptions, withStoreEnv } from './environment.ts';
import { reportError } from './errors.ts';

/**
 * Runs one of the services as this process, with the Redis of a `syncline up` where the environment names
 * none. Ends the process, as `runProcess` does. Commands import their service when they are called:
 * together they take longer to load than a short command takes to run.
 */
export async function runService(
  name: string,
  start: (context: ProcessContext) => Promise<Service>,
  program: Command,
): Promise<void> {
  await runProcess(name, async (context) => start(await withStoreEnv(context)), {
    env: envOptions(program),
    reportFailure: reportError,
  });
}
