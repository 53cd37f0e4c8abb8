import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import { print, printJson } from '../output.ts';
import { withOperations } from '../store.ts';

interface SuspendOptions {
  readonly note?: string;
  readonly json?: true;
}

export function addSuspend(program: Command): void {
  const command = program
    .command('suspend')
    .description('keep serving a registry as it is, and sync it no more')
    .argument('<registry>')
    .option('--note <text>', 'why; shown in its status')
    .option('--json', 'the registry, as GET /v1/registries/{name} has it')
    .action((registry: string, { json, ...options }: SuspendOptions) =>
      withOperations(program, registry, async (operations, config, store) => {
        await operations.suspend(config.name, options);
        if (json === true) return printJson((await store.view([config])).views[0]);
        print(`${config.name}: suspended`);
      }),
    );
  addExamples(command, ['syncline suspend official --note "upstream is moving"']);
}
