import type { Argument, Command, Option } from 'commander';

/** What a shell needs to know to complete a call; taken from the commands themselves, so that it is never out of date. */
export interface ProgramShape {
  readonly name: string;
  readonly commands: readonly CommandShape[];
  /** Those that may stand before a command; every command has them too. */
  readonly options: readonly OptionShape[];
  /** The flags of all commands after which a value follows. */
  readonly flagsWithValue: readonly string[];
  readonly flagsWithFile: readonly string[];
}

export interface CommandShape {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionShape[];
  readonly arguments: readonly ArgumentShape[];
}

export interface OptionShape {
  readonly flag: string;
  readonly description: string;
  readonly value: 'none' | 'file' | 'text';
}

export type ArgumentShape =
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'file' }
  /** What `syncline complete <command> <argument>` is asked for. */
  | { readonly kind: 'asked'; readonly argument: string };

/** Arguments that are names of files. */
const FILE_ARGUMENTS = new Set(['config', 'file']);

export function shapeOf(program: Command): ProgramShape {
  const help = program.createHelp();
  const commandNames = help.visibleCommands(program).map((command) => command.name());
  const global = help.visibleOptions(program).map(optionShape);
  const commands = help.visibleCommands(program).map((command) => ({
    name: command.name(),
    description: command.description(),
    options: [...help.visibleOptions(command).map(optionShape), ...withoutHelp(global)],
    arguments: command.registeredArguments.map((it) => argumentShape(it, commandNames)),
  }));
  const all = [...global, ...commands.flatMap(({ options }) => options)];
  const flagsOf = (values: readonly OptionShape['value'][]) => [
    ...new Set(all.filter(({ value }) => values.includes(value)).map(({ flag }) => flag)),
  ];
  return {
    name: program.name(),
    commands,
    options: global,
    flagsWithValue: flagsOf(['file', 'text']),
    flagsWithFile: flagsOf(['file']),
  };
}

function withoutHelp(options: readonly OptionShape[]): OptionShape[] {
  return options.filter(({ flag }) => flag !== '--help' && flag !== '--version');
}

function optionShape(option: Option): OptionShape {
  const takesValue = option.required || option.optional;
  const isFile = /<(file|config)>/.test(option.flags);
  return {
    flag: option.long ?? option.flags,
    description: option.description,
    value: takesValue ? (isFile ? 'file' : 'text') : 'none',
  };
}

function argumentShape(argument: Argument, commandNames: readonly string[]): ArgumentShape {
  const name = argument.name();
  if (argument.argChoices !== undefined) return { kind: 'choice', choices: argument.argChoices };
  if (name === 'command') return { kind: 'choice', choices: commandNames };
  return FILE_ARGUMENTS.has(name) ? { kind: 'file' } : { kind: 'asked', argument: name };
}
