import { SynclineError } from '@syncline/contract';
import type { Command } from 'commander';
import { print } from '../output.ts';
import { withOperations } from '../store.ts';

export function addResume(program: Command): void {
  program
    .command('resume')
    .description('lift a suspension, or the pin of a rollback, and sync the registry')
    .argument('<registry>')
    .addHelpText('after', '\nExample:\n  $ syncline resume official')
    .action((registry: string) =>
      withOperations(program, registry, async (operations, { name, suspended }) => {
        await operations.resume(name);
        if (!suspended) return print(`${name}: resumed`);
        throw new SynclineError('suspended-by-config', `${name} is suspended by the config`, {
          expected: 'suspended: false there',
        });
      }),
    );
}
