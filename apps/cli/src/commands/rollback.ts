import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import { shortDigest } from '../format/text.ts';
import { print, printJson } from '../output.ts';
import { withOperations } from '../store.ts';

export function addRollback(program: Command): void {
  const command = program
    .command('rollback')
    .description('serve an earlier snapshot until resume')
    .argument('<registry>')
    .argument('<snapshot>', 'its digest or the first characters of it, as in runs')
    .option('--json', 'print the snapshot, as POST /v1/registries/{name}/rollback does')
    .action((registry: string, snapshot: string, { json }: { readonly json?: true }) =>
      withOperations(program, registry, async (operations, { name }) => {
        const served = await operations.rollback(name, { snapshot });
        if (json === true) return printJson(served);
        print(`${name}: serves ${shortDigest(served.snapshot)} until syncline resume ${name}`);
      }),
    );
  addExamples(command, ['syncline rollback official 0f3ac2d51b77']);
}
