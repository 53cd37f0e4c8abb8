import type { ArgumentShape, CommandShape, OptionShape, ProgramShape } from './shape.ts';

/** A script for fish that completes calls of the program. */
export function fishScript({ name, commands, options, ...flags }: ProgramShape): string {
  const at = `__${name}_at`;
  const ask = `__${name}_ask`;
  const lines = [
    ...options.map((option) => optionLine(name, `${at} ""`, option)),
    ...commands.map(
      (it) => `complete -c ${name} -n '${at} "" 0' -a ${it.name} -d ${quoted(it.description)}`,
    ),
    ...commands.flatMap((command) => linesOf(name, command, { at, ask })),
  ];
  return `# fish completion of ${name}. Try it with: ${name} completion fish | source
# The command that is typed and its arguments, without options and their values.
function __${name}_words
  set -l skip 0
  for word in (commandline -opc)[2..]
    if test $skip = 1
      set skip 0
    else if contains -- $word ${flags.flagsWithValue.join(' ')}
      set skip 1
    else if not string match -q -- '-*' $word
      echo $word
    end
  end
end
# Whether that command is typed, and so many arguments of it.
function ${at}
  set -l words (__${name}_words)
  test "$words[1]" = "$argv[1]"; or return 1
  test (count $argv) -lt 2; and return 0
  test (count $words) -eq (test -z "$argv[1]"; and echo 0; or math 1 + $argv[2])
end
function ${ask}
  set -l words (__${name}_words)
  set -l program (commandline -opc)[1]
  $program complete $argv $words[2] 2>/dev/null
end
complete -c ${name} -f
${lines.join('\n')}
`;
}

interface Names {
  readonly at: string;
  readonly ask: string;
}

function linesOf(program: string, command: CommandShape, { at, ask }: Names): string[] {
  return [
    ...command.options.map((option) => optionLine(program, `${at} ${command.name}`, option)),
    ...command.arguments.map((argument, index) => {
      const condition = `'${at} ${command.name} ${index}'`;
      return `complete -c ${program} -n ${condition} ${valuesOf(command.name, argument, ask)}`;
    }),
  ];
}

function optionLine(program: string, condition: string, option: OptionShape): string {
  const { flag, description, value } = option;
  const takes = { none: '', text: ' -x', file: ' -r -F' }[value];
  const long = flag.replace(/^--/, '');
  return `complete -c ${program} -n '${condition}' -l ${long}${takes} -d ${quoted(description)}`;
}

function valuesOf(command: string, argument: ArgumentShape, ask: string): string {
  switch (argument.kind) {
    case 'choice':
      return `-a '${argument.choices.join(' ')}'`;
    case 'file':
      return '-F';
    case 'asked':
      return `-a '(${ask} ${command} ${argument.argument})'`;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
