import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { print } from '../output.ts';
import { withOperations } from '../store.ts';

interface SuspendOptions {
  readonly note?: string;
  readonly author?: string;
}

export function addSuspend(program: Command): void {
  program
    .command('suspend')
    .description('keep serving a registry as it is, and sync it no more')
    .argument('<registry>')
    .option('--note <text>', 'why; shown in its status')
    .option('--author <name>', 'who says so; else the user that this runs as')
    .addHelpText('after', '\nExample:\n  $ syncline suspend official --note "upstream is moving"')
    .action((registry: string, { author = userName(), ...options }: SuspendOptions) =>
      withOperations(program, registry, async (operations, { name }) => {
        await operations.suspend(name, { ...options, ...(author === undefined ? {} : { author }) });
        print(`${name}: suspended`);
      }),
    );
}

/** None where the user has no entry in the system's list, as often in containers. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
