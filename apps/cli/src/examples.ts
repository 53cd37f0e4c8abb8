import type { Command } from 'commander';

/** Shows calls of a command below its help. Each begins after `syncline `; a test parses all of them. */
export function addExamples(command: Command, examples: readonly string[]): void {
  const lines = examples.map((example) => `  $ ${example}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
