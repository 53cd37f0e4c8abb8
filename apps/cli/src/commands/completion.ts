import { Argument, type Command } from 'commander';
import { bashScript } from '../completion/bash.ts';
import { fishScript } from '../completion/fish.ts';
import { shapeOf } from '../completion/shape.ts';
import { zshScript } from '../completion/zsh.ts';
import { addExamples } from '../examples.ts';
import { print } from '../output.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Longer nobody waits who has pressed a key. */
const CANDIDATES_WITHIN_MS = 2_000;

export function addCompletion(program: Command): void {
  const command = program
    .command('completion')
    .description('print a script that lets a shell complete commands, options and names')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .action((shell: keyof typeof SCRIPTS) => print(SCRIPTS[shell](shapeOf(program)).trimEnd()));
  addExamples(command, [
    'syncline completion bash > ~/.local/share/bash-completion/completions/syncline',
    'syncline completion zsh > ~/.zfunc/_syncline',
    'syncline completion fish > ~/.config/fish/completions/syncline.fish',
  ]);
  addComplete(program);
}

/** What the scripts ask. Says nothing where there is nothing to say, and never what went wrong. */
function addComplete(program: Command): void {
  program
    .command('complete', { hidden: true })
    .description('for completion scripts: what may stand for an argument of a command')
    .argument('<command>')
    .argument('<argument>')
    .argument('[registry]')
    .action(async (command: string, argument: string, registry: string | undefined) => {
      setTimeout(() => process.exit(0), CANDIDATES_WITHIN_MS).unref();
      const { findCandidates } = await import('../completion/candidates.ts');
      const query = { command, argument, registry };
      const candidates = await findCandidates(program, query).catch(() => []);
      if (candidates.length > 0) print(candidates.join('\n'));
    });
}
