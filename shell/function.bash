# The function `mx` of bash, which shell/mx.bash reads at its first use.
#
# Aliases are set aside while bash reads it.
_mx_aliases=
\shopt -q expand_aliases && _mx_aliases=1
\shopt -u expand_aliases

# mx: runs the binary of the same name, and sets the limits that it asks for.
#
# Only `limits raise` asks: it writes directives to file descriptor 3, while
# stdout stays the caller's. Nothing that it writes is ever evaluated: each
# line must have one of two forms, or none is applied. Then the binary runs
# again, under the new limits, and says what became of them.
#
# A call that fails is the left side of ||: an ERR trap runs once, for the call
# of the function. `builtin command` would end a shell under `set -e` even in a
# condition. No local variable has a name that a user may have made readonly.
function mx {
  local -x MX_INTEGRATION=source
  if ! builtin type -P mx >/dev/null; then
    builtin printf '%s\n' 'mx: cannot run: the program mx is not on PATH' \
      'hint: cargo install --path crates/mx, in a checkout of mx' >&2
    return 127
  fi
  local _mx_command='' _mx_word
  if [[ $* == *raise* ]]; then
    for _mx_word in "$@"; do
      case $_mx_command:$_mx_word in
        :limits | :l) _mx_command=limits ;;
        limits:raise) _mx_command=raise; break ;;
        # Options may come before the command, and the value of --color.
        :-* | :auto | :always | :never) ;;
        :* | *:--) break ;;
      esac
    done
  fi
  if [[ $_mx_command != raise ]]; then
    if builtin declare -F command >/dev/null; then
      # A function of the user. A subshell that becomes the program costs no more.
      (builtin exec mx "$@") || return
    else
      command mx "$@" || return
    fi
    return
  fi

  if ! { builtin true 4>&1; } 2>/dev/null; then
    builtin printf '%s\n' 'mx: cannot raise the limits of this shell: standard output is closed' >&2
    return 3
  fi
  local _mx_shell=bash _mx_lines _mx_line _mx_raised='' _mx_code=0 _mx_i
  local -a _mx_settings=()
  local _mx_limit=$'^ulimit\t([bcdefiklmnpqrstuvwxPRT])\t([0-9]{1,19}|unlimited)\t[a-z0-9_-]+$'
  local _mx_last=$'^raised\t([a-z0-9_= -]+)$'
  # What a subshell sets does not reach the shell that the user sees.
  (( BASH_SUBSHELL )) && _mx_shell=bash:sub
  # The backslash: bash looks for aliases in a substitution when it runs it.
  # In POSIX mode ulimit counts in other blocks: the program must know.
  {
    _mx_lines=$(
      [[ -o posix ]] && \builtin export POSIXLY_CORRECT=y
      MX_DIRECTIVES=$_mx_shell \builtin command mx "$@" 3>&1 >&4 4>&-
    )
  } 4>&1 || _mx_code=$?
  [[ $_mx_code == 0 && -n $_mx_lines ]] || return "$_mx_code"
  while IFS= builtin read -r _mx_line; do
    if [[ -z $_mx_raised && $_mx_line =~ $_mx_limit ]]; then
      _mx_settings+=("-S${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}")
    elif [[ -z $_mx_raised && $_mx_line =~ $_mx_last ]]; then
      _mx_raised=${BASH_REMATCH[1]}
    else
      _mx_raised=
      break
    fi
  done <<<"$_mx_lines"
  if [[ -z $_mx_raised ]]; then
    builtin printf 'mx: cannot set limits: this is no directive: %q\nhint: %s\n' \
      "${_mx_line:0:60}" 'mx setup bash brings function and program to one version' >&2
    return 3
  fi
  for (( _mx_i = 0; _mx_i < ${#_mx_settings[@]}; _mx_i += 2 )); do
    # An error that this prints is seen by the second run, too.
    builtin ulimit "${_mx_settings[_mx_i]}" "${_mx_settings[_mx_i + 1]}" || :
  done
  # It believes its parent only. Before version 4, a subshell cannot tell which that is.
  _mx_raised=${BASHPID-$$}:$_mx_raised
  (MX_RAISED=$_mx_raised builtin exec mx "$@") || return
}

[[ $_mx_aliases ]] && shopt -s expand_aliases
unset -v _mx_aliases
