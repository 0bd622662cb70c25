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
function mx {
  if ! builtin type -P mx >/dev/null; then
    builtin printf '%s\n' 'mx: cannot run: the program mx is not on PATH' \
      'hint: cargo install --path crates/mx, in a checkout of mx' >&2
    return 127
  fi
  local -x MX_INTEGRATION=source
  local word command=
  for word in "$@"; do
    case $command:$word in
      :limits | :l) command=limits ;;
      limits:raise) command=raise; break ;;
      # Options may stand before the command, and the value of --color.
      :-* | :auto | :always | :never) ;;
      :* | *:--) break ;;
    esac
  done
  if [[ $command != raise ]]; then
    builtin command mx "$@"
    return
  fi

  local shell=bash lines line raised='' code=0 i
  local -a settings=()
  local limit=$'^ulimit\t([bcdefiklmnpqrstuvwxPRT])\t([0-9]{1,19}|unlimited)\t[a-z0-9_-]+$'
  local last=$'^raised\t([a-z0-9_= -]+)$'
  # What a subshell sets does not reach the shell that the user sees.
  (( BASH_SUBSHELL )) && shell=bash:sub
  # The backslash: bash looks for aliases in a substitution when it runs it.
  { lines=$(MX_DIRECTIVES=$shell \builtin command mx "$@" 3>&1 >&4 4>&-); } 4>&1 || code=$?
  [[ $code == 0 && -n $lines ]] || return "$code"
  while IFS= builtin read -r line; do
    if [[ -z $raised && $line =~ $limit ]]; then
      settings+=("-S${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}")
    elif [[ -z $raised && $line =~ $last ]]; then
      raised=${BASH_REMATCH[1]}
    else
      raised=
      break
    fi
  done <<<"$lines"
  if [[ -z $raised ]]; then
    builtin printf 'mx: cannot set limits: this is no directive: %q\nhint: %s\n' \
      "${line:0:60}" 'mx setup bash brings function and program to one version' >&2
    return 3
  fi
  for (( i = 0; i < ${#settings[@]}; i += 2 )); do
    # An error that this prints is seen by the second run, too.
    builtin ulimit "${settings[i]}" "${settings[i + 1]}" || :
  done
  MX_RAISED=$raised builtin command mx "$@"
}

[[ $_mx_aliases ]] && shopt -s expand_aliases
unset -v _mx_aliases
