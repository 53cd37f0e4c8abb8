import type { Command } from 'commander';
import type { ValidateOptions } from '../actions/validate-config.ts';
import { addExamples } from '../examples.ts';

export function addValidate(program: Command): void {
  const command = program
    .command('validate')
    .description('check a config file, and start nothing')
    .argument('[config]', 'the file; else the one that --config and SYNCLINE_CONFIG name')
    .option('--json', 'a summary, warnings among it; problems are a list, on standard error')
    .action(async (path: string | undefined, options: ValidateOptions) => {
      const { validateConfig } = await import('../actions/validate-config.ts');
      await validateConfig(program, path, options);
    });
  addExamples(command, [
    'syncline validate examples/quickstart.yaml',
    'syncline validate --json syncline.yaml',
  ]);
}
