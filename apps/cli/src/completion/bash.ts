import type { ArgumentShape, CommandShape, OptionShape, ProgramShape } from './shape.ts';

/** A script for bash that completes calls of the program. */
export function bashScript({ name, commands, options, ...flags }: ProgramShape): string {
  return `# bash completion of ${name}. Try it with: source <(${name} completion bash)
_${name}() {
  local program=$1 current=$2 command= first= skip= word index
  local -i position=0
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ -n $skip ]]; then
      skip=
      continue
    fi
    case $word in
      ${flags.flagsWithValue.join('|')}) skip=$word ;;
      -*) ;;
      *)
        if [[ -z $command ]]; then
          command=$word
        else
          position+=1
          [[ $position -eq 1 ]] && first=$word
        fi
        ;;
    esac
  done
  local options= words= files=
  if [[ -n $skip ]]; then
    case $skip in
      ${flags.flagsWithFile.join('|')}) files=1 ;;
      *) return ;;
    esac
  else
    case $command in
      '')
        options='${flagsIn(options)}'
        words='${commands.map((command) => command.name).join(' ')}'
        ;;
${commands.map(caseOf).join('\n')}
    esac
  fi
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}
complete -F _${name} ${name}
`;
}

function caseOf({ name, options, arguments: args }: CommandShape): string {
  const places = args.map((it, index) => `          ${index}) ${wordsOf(name, it)} ;;`);
  const body = `        options='${flagsIn(options)}'`;
  if (places.length === 0) return `      ${name})\n${body}\n        ;;`;
  // Options need no answer of the program, which takes a moment.
  const asking = `        [[ $current == -* ]] || case $position in\n${places.join('\n')}\n        esac`;
  return `      ${name})\n${body}\n${asking}\n        ;;`;
}

function wordsOf(command: string, argument: ArgumentShape): string {
  switch (argument.kind) {
    case 'choice':
      return `words='${argument.choices.join(' ')}'`;
    case 'file':
      return 'files=1';
    case 'asked':
      return `words=$("$program" complete ${command} ${argument.argument} $first 2>/dev/null)`;
  }
}

function flagsIn(options: readonly OptionShape[]): string {
  return options.map(({ flag }) => flag).join(' ');
}
