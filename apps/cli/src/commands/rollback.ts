import type { Command } from 'commander';
import { shortDigest } from '../format/text.ts';
import { print } from '../output.ts';
import { withOperations } from '../store.ts';

export function addRollback(program: Command): void {
  program
    .command('rollback')
    .description('serve an earlier snapshot, and nothing else until resume')
    .argument('<registry>')
    .argument('<snapshot>', 'its digest, or the beginning of it, as runs shows it')
    .addHelpText('after', '\nExample:\n  $ syncline rollback official 0f3ac2d51b77')
    .action((registry: string, snapshot: string) =>
      withOperations(program, registry, async (operations, { name }) => {
        const served = await operations.rollback(name, { snapshot });
        print(`${name}: serves ${shortDigest(served.snapshot)} until syncline resume ${name}`);
      }),
    );
}
