import { type Command, CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from './program.ts';

/** Returns all commands except that for completion scripts. */
function commands(program: Command): Command[] {
  return program
    .createHelp()
    .visibleCommands(program)
    .filter((it) => it.name() !== 'help');
}

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  return help;
}

/** Returns the arguments of each example, as a shell would split them. */
function examplesIn(help: string): string[][] {
  return [...help.matchAll(/^ {2}\$ (?:[A-Z_]+=\S+ )*syncline ?([^|>\n]*)/gm)].map(
    ([, text = '']) =>
      [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? ''),
  );
}

/** Creates a program whose commands do nothing. */
function idleProgram(): Command {
  const program = createProgram().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  for (const command of program.commands) {
    command.action(() => {}).configureOutput({ writeErr: () => {}, writeOut: () => {} });
  }
  return program;
}

async function parse(args: readonly string[]): Promise<CommanderError | undefined> {
  try {
    await idleProgram().parseAsync(args, { from: 'user' });
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError) return error;
    throw error;
  }
}

test.each(commands(createProgram()).map((command) => [command.name(), command] as const))(
  '%s has a description, and examples that can be called',
  async (name, command) => {
    expect(command.description()).not.toBe('');
    for (const option of command.options) expect(option.description, option.flags).not.toBe('');
    const help = helpOf(command);
    expect(help).toContain('--config <file>');
    const examples = examplesIn(help);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example).toContain(name);
      expect(await parse(example), example.join(' ')).toBeUndefined();
    }
  },
);

test('the check of examples finds an unknown option', async () => {
  expect(await parse(['status', '--wacht'])).toMatchObject({
    message: expect.stringContaining('Did you mean --watch?'),
  });
});

test('the help has groups, variables and exit statuses', () => {
  const help = helpOf(createProgram());
  for (const part of ['Running:', 'Inspecting:', 'Controlling:', 'Checking:', 'REDIS_URL', '130']) {
    expect(help).toContain(part);
  }
  expect(help).not.toMatch(/^Commands:/m);
});

test('help shows a command as --help does', async () => {
  expect(await parse(['help', 'sync'])).toMatchObject({ code: 'commander.help', exitCode: 0 });
});

test.each([
  [['statu'], 'Did you mean status?'],
  [['status', 'one', 'two'], 'too many arguments'],
  [['runs'], 'missing required argument'],
  [['runs', 'one', '--limit', '0'], 'Use a whole number'],
  [['sync', 'one', '--timeout', '1 fortnight'], 'Use a duration'],
])('%j is a usage error: %s', async (args, message) => {
  expect(await parse(args)).toMatchObject({
    exitCode: 1,
    message: expect.stringContaining(message),
  });
});
