import type { Command } from 'commander';
import type { ValidateOptions } from '../actions/validate-config.ts';
import { addExamples } from '../examples.ts';

export function addValidate(program: Command): void {
  const command = program
    .command('validate')
    .description('check a config file; start nothing')
    .argument('[config]', 'the config file (default: that of --config or SYNCLINE_CONFIG)')
    .option('--json', 'print a summary with the warnings; problems go to standard error')
    .action(async (path: string | undefined, options: ValidateOptions) => {
      const { validateConfig } = await import('../actions/validate-config.ts');
      await validateConfig(program, path, options);
    });
  addExamples(command, [
    'syncline validate examples/quickstart.yaml',
    'syncline validate --json syncline.yaml',
  ]);
}
