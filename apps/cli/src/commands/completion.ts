import { Argument, type Command } from 'commander';
import { addExamples } from '../examples.ts';
import { print } from '../output.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export function addCompletion(program: Command): void {
  const command = program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action(async (shell: (typeof SHELLS)[number]) => {
      const { COMPLETION_SCRIPTS } = await import('../completion/scripts.ts');
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
    .description('print what may stand for the last word; for completion scripts')
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      const { findCandidates } = await import('../completion/candidates.ts');
      const candidates = await findCandidates(program, words, async (query) => {
        const { findNames } = await import('../completion/names.ts');
        return findNames(program, query);
      });
      if (candidates.length > 0) print(candidates.join('\n'));
    });
}
