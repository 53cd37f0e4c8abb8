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
    .description('keep serving a registry as it is, and sync it no more')
    .argument('<registry>')
    .option('--note <text>', 'why; shown in its status')
    .option('--author <name>', 'who says so; else the user that this runs as')
    .option('--json', 'the registry, as GET /v1/registries/{name} has it')
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

/** None where the user has no entry in the system's list, as often in containers. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
