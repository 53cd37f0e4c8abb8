import type { Command } from 'commander';
import type { StatusOptions } from '../actions/show-status.ts';
import { addExamples } from '../examples.ts';
import { withStore } from '../store.ts';

export function addStatus(program: Command): void {
  const command = program
    .command('status')
    .description('show the state of registries and catalogs, or all details of one')
    .argument('[registry]')
    .option('--json', 'print a list of registries, as GET /v1/registries does')
    .option('--watch', 'update the table until Ctrl-C; without a terminal, print each change')
    .action((registry: string | undefined, options: StatusOptions) =>
      withStore(program, async (store) => {
        const { showStatus } = await import('../actions/show-status.ts');
        await showStatus(store, registry, options);
      }),
    );
  addExamples(command, [
    'syncline status',
    'syncline status --watch',
    'syncline status official --json',
  ]);
}
