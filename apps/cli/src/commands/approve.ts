import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import { shortDigest } from '../format/text.ts';
import { print, printJson } from '../output.ts';
import { withOperations } from '../store.ts';

export function addApprove(program: Command): void {
  const command = program
    .command('approve')
    .description('publish the snapshot that the guard holds')
    .argument('<registry>')
    .argument('<snapshot>', 'its digest or the first characters of it, as in status')
    .option('--json', 'print the snapshot, as POST /v1/registries/{name}/approve does')
    .action((registry: string, snapshot: string, { json }: { readonly json?: true }) =>
      withOperations(program, registry, async (operations, { name }) => {
        const approved = await operations.approve(name, { snapshot });
        if (json === true) return printJson(approved);
        print(`${name}: published ${shortDigest(approved.snapshot)}`);
      }),
    );
  addExamples(command, ['syncline approve official 0f3ac2d51b77']);
}
