import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import { print, printJson } from '../output.ts';
import { withOperations } from '../store.ts';

interface SuspendOptions {
  readonly note?: string;
  readonly author?: string;
  readonly json?: true;
}

export function addSuspend(program: Command): void {
  const command = program
    .command('suspend')
    .description('keep serving a registry, and stop syncing it')
    .argument('<registry>')
    .option('--note <text>', 'the reason, shown in its status')
    .option('--author <name>', 'who suspends it (default: the current user)')
    .option('--json', 'print the registry, as GET /v1/registries/{name} does')
    .action((registry: string, { json, author = userName(), ...options }: SuspendOptions) =>
      withOperations(program, registry, async (operations, config, store) => {
        const said = { ...options, ...(author === undefined ? {} : { author }) };
        await operations.suspend(config.name, said);
        if (json === true) return printJson((await store.view([config])).views[0]);
        print(`${config.name}: suspended`);
      }),
    );
  addExamples(command, ['syncline suspend official --note "upstream is moving" --author ada']);
}

/** Undefined if the system does not know the user's name, as often in containers. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
