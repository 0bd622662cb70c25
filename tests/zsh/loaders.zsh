# Stand-ins for plugin managers: how each looks for the file to load, as its manual says,
# and what it changes while it loads one. $1 is the directory of the plugin.
#
# They are not the managers: they say whether the plugin is found and bears its
# surroundings, not whether a manager's next version still does the same.

# The first of these patterns that finds something, with all that it finds.
first_of() {
  emulate -L zsh
  local pattern
  for pattern in "$@"; do
    found=(${~pattern}(N))
    (( $#found )) && return
  done
  return 1
}

# NAME/NAME.plugin.zsh alone, from a directory that is in fpath.
oh-my-zsh() {
  fpath=($1 $fpath)
  [[ -f $1/${1:t}.plugin.zsh ]] && source $1/${1:t}.plugin.zsh
}

# NAME.plugin.zsh, else any at the root. compdef only keeps what it is told until
# `replay`, autoload is a function of the manager, aliases are off.
zinit-light() {
  local -a found
  local ZERO
  first_of $1/${1:t}.plugin.zsh $1/'*.plugin.zsh' || return
  ZERO=$found[1]
  [[ ! -v functions[compdef] ]] || functions[kept-compdef]=$functions[compdef]
  functions[compdef]='replays+=("${(j: :)${(q)@}}")'
  functions[autoload]='print -u2 "autoload replaced: $*"; return 1'
  setopt no_aliases
  builtin source $ZERO
  setopt aliases
  unfunction autoload compdef
  [[ ! -v functions[kept-compdef] ]] || functions[compdef]=$functions[kept-compdef]
}
replay() {
  local call
  for call in $replays; do
    eval "compdef $call"
  done
}

# The same, and everything else that a plugin could define is written down.
zinit-load() {
  local name
  for name in bindkey zstyle alias zle; do
    functions[$name]="print -u2 $name is tracked; builtin $name \"\$@\""
  done
  zinit-light $1
  unfunction bindkey zstyle alias zle
}

# After the prompt, when the editor waits for a key.
later() {
  exec {later}</dev/null
  functions[run-later]="zle -F \$1; exec {1}<&-; $*; zle -M loaded"
  zle -F $later run-later
}

# NAME.plugin.zsh, else any at the root, else any zsh at all; the directory is added to fpath.
antidote() {
  local -a found
  first_of $1/${1:t}.plugin.zsh $1/'*.plugin.zsh' $1/'*.zsh' $1/'*.sh' || return
  fpath+=($1)
  local file
  for file in $found; do
    source $file
  done
}

# The first plugin file, the first init.zsh and the directory of functions, if there are
# any; a status other than 0 is a failure, errors are not shown, compdef does nothing.
antigen() {
  local -a found=($1/*.plugin.zsh(N[1]) $1/init.zsh(N[1]) $1/functions(N[1]))
  fpath+=($1) path+=($1)
  compdef() { : }
  local file
  for file in $found; do
    source $file 2>/dev/null || return 1
  done
  unfunction compdef
}

# Every plugin file at the root, with stderr read by another process; compinit comes later.
zplug() {
  local file
  for file in $1/*.plugin.zsh(N-.); do
    source $file || return
  done
}

# init.zsh, if there is something in it, else NAME.plugin.zsh; functions/ is autoloaded
# from, and all is taken back if the status is not 0.
prezto() {
  local file=$1/init.zsh
  fpath=($1/functions(-/FN) $fpath)
  [[ -s $file ]] || file=$1/${1:t}.plugin.zsh
  [[ -s $file ]] && source $file
}

# init.zsh beside functions/, else the largest of these.
zim() {
  setopt local_options extended_glob
  local -a found=($1/(init.zsh|${1:t}.(zsh|plugin.zsh|zsh-theme|sh))(NOL[1]))
  (( $#found )) && source $found[1]
}

# The first pattern that finds something, and it is looked for in every directory.
sheldon() {
  local -a found
  local name=${1:t}
  first_of $1/'**'/$name.plugin.zsh $1/'**'/$name.{zsh,sh,zsh-theme} $1/'**/*'.plugin.zsh || return
  local file
  for file in $found; do
    source $file
  done
}
