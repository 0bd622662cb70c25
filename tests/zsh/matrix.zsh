# Loads and unloads the plugin under each of many settings of a user, and compares
# the shell before, between and after. Prints what is not as it should be, and at the
# end how many settings were tried.
#
# usage: matrix.zsh BEFORE LOAD BEHIND SETTINGS
# Each is zsh: what comes before the settings, the load, what comes behind it, and the
# settings, one a line. A last line "each option but NAME" stands for every option except
# that one, four at a time, set otherwise than they are.
zmodload zsh/parameter zsh/zutil zsh/zle zsh/complist
zmodload -F zsh/files b:zf_rm
autoload -Uz compinit compaudit compdump && autoload +X compinit compaudit compdump
setopt extended_glob
before=$1 load=$2 behind=$3 settings=("${(@f)4}")
if [[ $settings[-1] == 'each option but '* ]]; then
  # The others cannot be set, make the shell another one, or print each line.
  untried='exec|interactive|login|monitor|onecmd|privileged|restricted|shinstdin|'
  untried+="singlecommand|sourcetrace|stdin|verbose|xtrace|zle|${settings[-1]##* }"
  names=(${(ok)options:#(${~untried})})
  settings[-1]=()
  names=(${names/(#m)*/${${options[$MATCH]/on/no_}/off}$MATCH})
  for first second third fourth in $names; do
    settings+=("setopt $first $second $third $fourth")
  done
fi
files=$(mktemp -d) || exit
trap 'rm -r $files' EXIT

# What changes by itself, is a view of something else, or belongs to this script.
volatile='RANDOM|SECONDS|LINENO|EPOCH*|TTYIDLE|_|status|[?]|ERRNO|pipestatus|argv|[*@#-]|'
volatile+='ARGC|options|ZSH_EVAL_CONTEXT|zsh_*|mapfile|job*|history*|commands|func*|dis_*|'
volatile+='dirstack|sysparams|ZSH_SUBSHELL|parameters|*aliases|builtins|reswords|modules|'
volatile+='nameddirs|userdirs|usergroups|widgets|keymaps|term*|errnos|MATCH|MBEGIN|MEND|'
volatile+='name|separators|rest|setting|loaded'

value() {
  if [[ ${parameters[$1]-} == association* ]]; then
    builtin print -r -- $1 ${parameters[$1]} ${(Pkv)1}
  else
    builtin print -r -- $1 ${parameters[$1]-} ${(q@)${(@P)1}}
  fi
}

# All that a plugin could change, but what `ours` prints. `emulate` would change the
# options, and one of them what IFS is.
others() {
  builtin setopt
  local separators="${IFS-unset}" name
  builtin emulate -L zsh -o extended_glob
  builtin print -r -- "IFS ${(q)separators}"
  for name in ${(ok)parameters:#($~volatile|_mx|_comps|precmd_functions)}; do
    value $name
  done
  local -A rest=(${(kv)_comps})
  builtin unset 'rest[mx]'
  builtin print -r -- "_comps ${(kv)rest}"
  builtin functions -m '^(mx|mx_plugin_unload|_mx|_mx_*)'
  builtin alias -L; builtin alias -Lg; builtin alias -Ls
  builtin zle -lL; builtin bindkey -L; builtin zstyle -L
  builtin hash -dL; builtin trap; builtin zmodload
}

# What loading may add to.
ours() {
  builtin emulate -L zsh
  local name
  builtin functions mx mx_plugin_unload
  builtin functions -m '_mx*'
  for name in _mx precmd_functions; do
    value $name
  done
  builtin print -r -- "completion ${_comps[mx]-none}"
}

# Everything happens under the setting, in a subshell that takes it back.
try() (
  builtin eval "$setting"
  builtin set -- 'one two' '' three
  if [[ -n $behind ]]; then
    ( builtin eval "$behind"; others >|$files/others.before; ours >|$files/ours.before )
  else
    others >|$files/others.before
    ours >|$files/ours.before
  fi
  {
    builtin eval "$load"
    loaded=$?
    builtin eval "$behind"
    # The first prompt.
    _mx_register
  } >|$files/output 2>&1
  others >|$files/others.loaded
  builtin print -r -- "$loaded|$#|$1|$2|$3" >|$files/facts
  [[ ! -v _comps ]] || builtin print -r -- "completion: ${_comps[mx]-}" >>|$files/facts
  mx --version >>|$files/facts 2>&1
  mx_plugin_unload >>|$files/output 2>&1
  others >|$files/others.after
  ours >|$files/ours.after
  builtin print -r -- end >>|$files/facts
)

# Says what differs between two files of `try`.
compare() {
  [[ "$(<$files/$1.$2)" == "$(<$files/$1.$3)" ]] && return
  print -r -- "$load [$setting]: $1, $2 and $3:"
  diff -a $files/$1.$2 $files/$1.$3 | head -n 20
}

judge() {
  local facts expected="0|3|one two||three|mx $VERSION|end"
  compare others before loaded
  compare others before after
  compare ours before after
  [[ ! -s $files/output ]] || print -r -- "$load [$setting] prints: $(<$files/output)"
  facts=${(j:|:)${(f)"$(<$files/facts)"}:#completion: _mx}
  [[ $facts == $expected ]] || print -r -- "$load [$setting]: ${(q+)facts}, not ${(q+)expected}"
}

builtin eval "$before"
# Neither loads anything, or grows a table, in the first case that would not in others.
others >/dev/null
ours >/dev/null
for setting in "${(@)settings}"; do
  # The traps of some settings speak of this script, too.
  try 2>/dev/null
  judge
  zf_rm $files/*
done
print -r -- $#settings
