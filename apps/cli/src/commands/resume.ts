import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import { print, printJson } from '../output.ts';
import { withOperations } from '../store.ts';

export function addResume(program: Command): void {
  const command = program
    .command('resume')
    .description('lift a suspension, or the pin of a rollback, and sync the registry')
    .argument('<registry>')
    .option('--json', 'the registry, as GET /v1/registries/{name} has it')
    .action((registry: string, { json }: { readonly json?: true }) =>
      withOperations(program, registry, async (operations, config, store) => {
        await operations.resume(config);
        if (json === true) return printJson((await store.view([config])).views[0]);
        print(`${config.name}: resumed`);
      }),
    );
  addExamples(command, ['syncline resume official']);
}
