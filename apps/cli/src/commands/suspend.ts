import type { Command } from 'commander';
import { print } from '../output.ts';
import { withOperations } from '../store.ts';

export function addSuspend(program: Command): void {
  program
    .command('suspend')
    .description('keep serving a registry as it is, and sync it no more')
    .argument('<registry>')
    .option('--note <text>', 'why; shown in its status')
    .addHelpText('after', '\nExample:\n  $ syncline suspend official --note "upstream is moving"')
    .action((registry: string, options: { readonly note?: string }) =>
      withOperations(program, registry, async (operations, { name }) => {
        await operations.suspend(name, options);
        print(`${name}: suspended`);
      }),
    );
}
