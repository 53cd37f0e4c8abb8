import type { Command } from 'commander';

/** Adds examples to the help of a command. A test parses all examples. */
export function addExamples(command: Command, examples: readonly string[]): void {
  const lines = examples.map((example) => `  $ ${example}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
