import type { ArgumentShape, CommandShape, ProgramShape } from './shape.ts';

/** A script for zsh that completes calls of the program. */
export function zshScript({ name, commands, options, ...flags }: ProgramShape): string {
  return `#compdef ${name}
# zsh completion of ${name}. Try it with: source <(${name} completion zsh)
_${name}() {
  local program=$words[1] command= first= skip= word
  local -i position=0
  local -a commands options values
  for word in \${words[2,CURRENT-1]}; do
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
  if [[ -n $skip ]]; then
    case $skip in
      ${flags.flagsWithFile.join('|')}) _files ;;
    esac
    return
  fi
  case $command in
    '')
      options=(${described(options.map(({ flag, description }) => [flag, description]))})
      commands=(${described(commands.map((it) => [it.name, it.description]))})
      ;;
${commands.map(caseOf).join('\n')}
  esac
  if [[ $words[CURRENT] == -* ]]; then
    _describe -o option options
  elif [[ -z $command ]]; then
    _describe command commands
  elif ((\${#values} > 0)); then
    compadd -a values
  fi
}
if [[ $funcstack[1] == _${name} ]]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

function caseOf({ name, options, arguments: args }: CommandShape): string {
  const own = described(options.map(({ flag, description }) => [flag, description]));
  const body = `      options=(${own})`;
  const places = args.map((it, index) => `        ${index}) ${valuesOf(name, it)} ;;`);
  if (places.length === 0) return `    ${name})\n${body}\n      ;;`;
  const asking = `      [[ $words[CURRENT] == -* ]] || case $position in\n${places.join('\n')}\n      esac`;
  return `    ${name})\n${body}\n${asking}\n      ;;`;
}

function valuesOf(command: string, argument: ArgumentShape): string {
  switch (argument.kind) {
    case 'choice':
      return `values=(${argument.choices.join(' ')})`;
    case 'file':
      return '_files';
    case 'asked':
      return `values=(\${(f)"$($program complete ${command} ${argument.argument} $first 2>/dev/null)"})`;
  }
}

/** `'--json:what it does'`, as `_describe` takes it. */
function described(entries: readonly (readonly [string, string])[]): string {
  return entries
    .map(([word, description]) => `${word.replaceAll(':', '\\:')}:${description}`)
    .map((entry) => `'${entry.replaceAll("'", "'\\''")}'`)
    .join(' ');
}
