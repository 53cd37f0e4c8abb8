/**
 * What a shell runs to complete a call. Each script passes the words that are typed to
 * `syncline complete`, which answers with a line per candidate, a tab and its description; or with
 * `:files` if the shell is to complete file names.
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
