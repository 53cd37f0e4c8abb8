import { Argument, type Command } from 'commander';
import type { DoctorOptions } from '../actions/show-findings.ts';
import type { ValidateOptions } from '../actions/validate-config.ts';
import { addExamples } from '../examples.ts';
import { print } from '../output.ts';

export function addValidate(program: Command): void {
  const command = program
    .command('validate')
    .description('check a config file without starting anything')
    .argument('[config]', 'the config file (default: the file of --config or SYNCLINE_CONFIG)')
    .option('--json', 'print a summary and the warnings as JSON; print problems on standard error')
    .action(async (path: string | undefined, options: ValidateOptions) => {
      const { validateConfig } = await import('../actions/validate-config.ts');
      await validateConfig(program, path, options);
    });
  addExamples(command, [
    'syncline validate examples/quickstart.yaml',
    'syncline validate --json syncline.yaml',
  ]);
}

export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('check the installation for problems and suggest fixes')
    .option('--no-sources', 'do not connect to the sources of the registries')
    .option('--json', 'print the findings and the number of findings of each level as JSON')
    .action(async (options: DoctorOptions) => {
      const { showFindings } = await import('../actions/show-findings.ts');
      await showFindings(program, options);
    });
  addExamples(command, ['syncline doctor', 'syncline doctor --no-sources --json']);
}

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export function addCompletion(program: Command): void {
  const command = program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action(async (shell: (typeof SHELLS)[number]) => {
      const { COMPLETION_SCRIPTS } = await import('../completion/completion.ts');
      print(COMPLETION_SCRIPTS[shell]);
    });
  addExamples(command, [
    'syncline completion bash > ~/.local/share/bash-completion/completions/syncline',
    'syncline completion zsh > ~/.zfunc/_syncline',
    'syncline completion fish > ~/.config/fish/completions/syncline.fish',
  ]);
  addComplete(program);
}

function addComplete(program: Command): void {
  program
    .command('complete', { hidden: true })
    .description('print candidates for the last word, for completion scripts')
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      const { findCandidates } = await import('../completion/completion.ts');
      const candidates = await findCandidates(program, words, async (query) => {
        const { findNames } = await import('../completion/names.ts');
        return findNames(program, query);
      });
      if (candidates.length > 0) print(candidates.join('\n'));
    });
}
