import type { Command } from 'commander';
import type { StatusOptions } from '../actions/show-status.ts';
import { addExamples } from '../examples.ts';
import { withStore } from '../store.ts';

export function addStatus(program: Command): void {
  const command = program
    .command('status')
    .description('show how registries and catalogs are, or everything about one')
    .argument('[registry]')
    .option('--json', 'a list of registries, as GET /v1/registries has them')
    .option('--watch', 'a live table, until Ctrl-C; without a terminal, again at each change')
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
