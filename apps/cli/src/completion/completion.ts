import type { Command, Option } from 'commander';

/** The output that tells the shell to complete file names. */
const FILE_NAMES = [':files'];

export interface NamesQuery {
  readonly command: string;
  /** The name of the argument to complete. */
  readonly argument: string;
  /** The previous argument, if there is one. */
  readonly registry: string | undefined;
}

/**
 * Returns the completion candidates for the last word. `words` are the words after the name of the
 * program. A candidate is one line: the word, and a tab and a description if it has one. A single line
 * `:files` tells the shell to complete file names.
 *
 * @param findNames finds the names that only Redis knows
 */
export async function findCandidates(
  program: Command,
  words: readonly string[],
  findNames: (query: NamesQuery) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const help = program.createHelp();
  const commands = help.visibleCommands(program);
  const { command, values, option } = readTyped(program, commands, words.slice(0, -1));
  if (option !== undefined) return isFile(option.flags) ? FILE_NAMES : [];
  if (words.at(-1)?.startsWith('-')) {
    const inherited = help.visibleGlobalOptions(command).filter(({ long }) => long !== '--version');
    return [...help.visibleOptions(command), ...inherited].map(
      ({ long, flags, description }) => `${long ?? flags}\t${description}`,
    );
  }
  const argument = command.registeredArguments[values.length];
  if (command === program ? values.length === 0 : argument?.name() === 'command') {
    return commands.map((it) => `${it.name()}\t${it.description()}`);
  }
  if (argument === undefined) return [];
  if (argument.argChoices !== undefined) return argument.argChoices;
  const name = argument.name();
  if (isFile(`<${name}>`)) return FILE_NAMES;
  return findNames({ command: command.name(), argument: name, registry: values[0] });
}

interface Typed {
  /** The typed command, or the program itself if no known command is typed. */
  readonly command: Command;
  readonly values: readonly string[];
  /** The option whose value the user is typing. */
  readonly option: Option | undefined;
}

function readTyped(
  program: Command,
  commands: readonly Command[],
  words: readonly string[],
): Typed {
  let command = program;
  let option: Option | undefined;
  const values: string[] = [];
  for (const word of words) {
    if (option !== undefined) {
      option = undefined;
    } else if (word.startsWith('-')) {
      const options = [...command.options, ...program.options];
      option = options.find((it) => isNamed(it, word) && (it.required || it.optional));
    } else {
      const named =
        command === program && values.length === 0 && commands.find((it) => it.name() === word);
      if (named) command = named;
      else values.push(word);
    }
  }
  return { command, values, option };
}

function isFile(flags: string): boolean {
  return /<(file|config)>/.test(flags);
}

function isNamed({ long, short }: Option, word: string): boolean {
  return word === long || word === short;
}

/**
 * The completion scripts, by shell. Each script passes the typed words to `syncline complete`, which
 * prints the lines of {@link findCandidates}.
 */
export const COMPLETION_SCRIPTS = {
  bash: `# bash completion of syncline. Try it with: source <(syncline completion bash)
_syncline() {
  local IFS=$'\\n' answer
  mapfile -t answer < <("$1" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ \${answer[0]} == :files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$2")
  else
    mapfile -t COMPREPLY < <(compgen -W "\${answer[*]%%$'\\t'*}" -- "$2")
  fi
}
complete -F _syncline syncline`,

  zsh: `#compdef syncline
# zsh completion of syncline. Try it with: source <(syncline completion zsh)
_syncline() {
  local -a answer kind=(value)
  answer=("\${(@f)$($words[1] complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $answer[1] == :files ]]; then
    _files
  elif [[ -n $answer[1] ]]; then
    [[ $words[CURRENT] == -* ]] && kind=(-o option)
    answer=("\${(@)answer//:/\\\\:}")
    answer=("\${(@)answer/$'\\t'/:}")
    _describe $kind answer
  fi
}
if [[ $funcstack[1] == _syncline ]]; then
  _syncline "$@"
else
  compdef _syncline syncline
fi`,

  fish: `# fish completion of syncline. Try it with: syncline completion fish | source
function __syncline_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l answer ($words[1] complete -- $words[2..] "$current" 2>/dev/null)
  if test "$answer[1]" = :files
    __fish_complete_path "$current"
  else
    string join \\n -- $answer
  end
end
complete -c syncline -f -a '(__syncline_complete)'`,
};
