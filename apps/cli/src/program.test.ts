import { expect, test } from 'vitest';
import { createProgram } from './program.ts';

test('each command has an example in its help', () => {
  const { commands } = createProgram();
  expect(commands.map((command) => command.name())).toContain('status');
  for (const command of commands) {
    let help = '';
    command.configureOutput({
      writeOut: (text) => {
        help += text;
      },
    });
    command.outputHelp();
    expect(help).toMatch(new RegExp(`\\n {2}\\$ .*syncline ${command.name()}\\b`));
    expect(help).toContain('--config <file>');
  }
});
