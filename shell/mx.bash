# The bash integration of mx: the function `mx` and its completion.
#
# Runs no program and prints nothing. Written for bash 3.2, which macOS has.
# Both are read at their first use, which halves the time that this takes.
# Aliases are set aside while bash reads the functions.
_mx_aliases=
\shopt -q expand_aliases && _mx_aliases=1
\shopt -u expand_aliases

_mx_home=${BASH_SOURCE[0]%/*}/..
[[ $_mx_home == /* ]] || _mx_home=$PWD/$_mx_home

# The files may be gone by then. Without this function, mx is the program.
function mx {
  unset -f mx
  # shellcheck source=shell/function.bash
  [[ ! -r ${_mx_home-}/shell/function.bash ]] || builtin source "$_mx_home/shell/function.bash"
  # An ERR trap runs once, for the call of this function.
  mx "$@" || return
}

# Without its file, bash completes what it completes for every program.
function _mx {
  local _mx_aliases=
  if [[ ! -r ${_mx_home-}/completions/mx.bash ]]; then
    complete -o bashdefault -o default mx
    return 124
  fi
  shopt -q expand_aliases && _mx_aliases=1
  shopt -u expand_aliases
  # shellcheck source=completions/mx.bash
  builtin source "$_mx_home/completions/mx.bash" && _mx
  [[ -z $_mx_aliases ]] || shopt -s expand_aliases
}
complete -F _mx mx

[[ $_mx_aliases ]] && shopt -s expand_aliases
unset -v _mx_aliases
