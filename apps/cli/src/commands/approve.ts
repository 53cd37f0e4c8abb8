import type { Command } from 'commander';
import { shortDigest } from '../format/text.ts';
import { print } from '../output.ts';
import { withOperations } from '../store.ts';

export function addApprove(program: Command): void {
  program
    .command('approve')
    .description('publish the snapshot that a guard holds back')
    .argument('<registry>')
    .argument('<snapshot>', 'its digest, or the beginning of it, as status shows it')
    .addHelpText('after', '\nExample:\n  $ syncline approve official 0f3ac2d51b77')
    .action((registry: string, snapshot: string) =>
      withOperations(program, registry, async (operations, { name }) => {
        const approved = await operations.approve(name, { snapshot });
        print(`${name}: published ${shortDigest(approved.snapshot)}`);
      }),
    );
}
