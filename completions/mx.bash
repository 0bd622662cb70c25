# Completion of mx for bash. Generated from the definitions of the commands.
#
# Written for bash 3.2, which macOS has, without any other completion library.

# _mx: fills COMPREPLY. Words are split at blanks only; bash splits COMP_WORDS
# at ":" and "=", too.
_mx() {
  local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} word rest i n=-1
  local -a words=()
  for (( i = 0; i <= COMP_CWORD; i++ )); do
    word=${COMP_WORDS[i]}
    rest=${line#"${line%%[![:space:]]*}"}
    [[ $rest == "$word"* ]] || word=$rest
    if (( i == 0 )) || [[ $rest != "$line" ]]; then
      words[++n]=''
    fi
    words[n]+=$word
    line=${rest#"$word"}
  done

  local path=mx position=0 option='' help='' last='' literal='' hidden=' ' entry names
  local commands options arguments conflicts
  _mx_table
  for (( i = 1; i < n; i++ )); do
    word=${words[i]}
    if [[ $last$literal ]]; then
      (( ++position ))
    elif [[ $option ]]; then
      option=''
    elif [[ $word == -- && $arguments == *last:* ]]; then
      last=1 position=0
    elif [[ $word == -- ]]; then
      literal=1
    elif [[ $word == -?* ]]; then
      _mx_given "$word"
    elif (( position == 0 )) && _mx_enter; then
      _mx_table
    else
      (( ++position ))
    fi
  done
  COMPREPLY=()
  # Nothing stands beside --help.
  [[ $hidden == *'*'* ]] || _mx_reply "${words[n]}"
}

# Finds the `entry` of the option $1 in `options`, and all its `names`.
_mx_find() {
  for entry in $options; do
    names=${entry%%=*}
    names=${names#[+!]}
    [[ "|$names|" == *"|$1|"* ]] && return 0
  done
  return 1
}

# Notes what the option $1 hides, and whether the next word is its value. $1 may
# hold several short options, and the value.
_mx_given() {
  local j pair
  if [[ $1 == --* ]]; then
    _mx_find "${1%%=*}" || return 0
    _mx_hide
    [[ $1 == *=* || $entry != *=* ]] || option=$1
    return 0
  fi
  for (( j = 1; j < ${#1}; j++ )); do
    _mx_find "-${1:j:1}" || return 0
    _mx_hide
    [[ $entry == *=* ]] || continue
    (( j < ${#1} - 1 )) || option=-${1:j:1}
    return 0
  done
}

# Hides what the option `entry` excludes: itself, what it conflicts with, or all.
# An option is hidden by the last of its names.
_mx_hide() {
  local name=${names##*|}
  case $entry in
    '!'*) hidden+='* ' ;;
    [^+]*) hidden+="$name " ;;
  esac
  for pair in $conflicts; do
    [[ $pair == "$name,"* ]] && hidden+="${pair#*,} "
    [[ $pair == *",$name" ]] && hidden+="${pair%,*} "
  done
}

# Makes `word` part of `path`, if it is a subcommand. `help` leads to the others.
_mx_enter() {
  local entry
  for entry in $commands; do
    if [[ $word == "${entry%%=*}" ]]; then
      if [[ $word == help ]]; then help=1; else path+=" ${entry#*=}"; fi
      return 0
    fi
  done
  return 1
}

# Sets `values` to what completes the values of `option`, if it takes any.
_mx_takes_value() {
  _mx_find "$option" && [[ $entry == *=* ]] && values=${entry#*=}
}

# Offers what can stand at the place of the word $1.
_mx_reply() {
  local current=$1 prefix='' values breaks='' kept=''
  # Readline keeps what stands before the last of the characters that split words.
  [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:
  [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
  # shellcheck disable=SC2295 # It is a set of characters.
  [[ $breaks ]] && kept=${current%"${current##*[$breaks]}"}

  if [[ $help ]]; then
    (( position )) || _mx_offer_commands
  elif [[ $option ]]; then
    _mx_takes_value && _mx_values "$values"
  elif [[ -z $last$literal && $current == --*=* ]]; then
    option=${current%%=*} prefix=${current%%=*}=
    _mx_takes_value && _mx_values "$values"
  elif [[ -z $last$literal && $current == -* ]]; then
    _mx_offer_options
  else
    [[ -z $last$literal ]] && (( position == 0 )) && _mx_offer_commands
    i=0
    for entry in $arguments; do
      if [[ $entry == last:* ]]; then
        [[ $last ]] && _mx_values "${entry#*:}"
      elif [[ -z $last ]] && { (( i == position )) || [[ $entry == *... ]]; }; then
        _mx_values "${entry%...}"
        break
      fi
      (( ++i ))
    done
  fi
}

# Offers each option that is not hidden, by all its names.
_mx_offer_options() {
  for entry in $options; do
    names=${entry%%=*}
    names=${names#[+!]}
    # shellcheck disable=SC2086 # Names are split, and none is a pattern.
    [[ $hidden == *" ${names##*|} "* ]] || _mx_offer ${names//|/ }
  done
}

_mx_offer_commands() {
  local entry
  for entry in $commands; do
    [[ $entry == *=* ]] || _mx_offer "$entry"
  done
}

# Offers each of the words that begins with what was typed.
_mx_offer() {
  for word in "$@"; do
    [[ $prefix$word == "$current"* ]] && _mx_add "$word"
  done
}

_mx_add() {
  word=$prefix$1
  COMPREPLY+=("${word#"$kept"}")
}

# Offers values of the kind $1, in place of what is typed behind `prefix`.
_mx_values() {
  local typed=${current#"$prefix"} list=${1#*:}
  # shellcheck disable=SC2086 # The words of a list are split, and none is a pattern.
  case $1 in
    live:*) _mx_live "$list" ;;
    words:*) _mx_offer ${list//,/ } ;;
    users) _mx_generated -u ;;
    hosts) _mx_generated -A hostname ;;
    files) _mx_paths -f ;;
    directories) _mx_paths -d ;;
    programs) _mx_generated -c ;;
    commandline) if (( position )); then _mx_other; else _mx_generated -c; fi ;;
  esac
}

# Offers what bash itself knows.
_mx_generated() {
  while IFS= read -r word; do
    [[ $word ]] && _mx_add "$word"
  done <<<"$(compgen "$@" -- "$typed")"
}

_mx_paths() {
  # Readline then quotes names, and puts no blank behind a directory.
  compopt -o filenames 2>/dev/null
  _mx_generated "$@"
}

# Offers what the completion of another program offers for its own words, after `--`.
_mx_other() {
  local program spec offset=1 pattern=' -F ([^ ]+)'
  while [[ ${COMP_WORDS[offset-1]} != -- ]]; do (( ++offset )); done
  program=${COMP_WORDS[offset]}
  spec=$(complete -p -- "$program" 2>/dev/null)
  if [[ -z $spec ]] && declare -F _completion_loader >/dev/null; then
    # That of bash-completion, which loads what completes a program.
    _completion_loader "$program" || :
    spec=$(complete -p -- "$program" 2>/dev/null)
  fi
  if [[ $spec =~ $pattern ]]; then
    local handler=${BASH_REMATCH[1]} rest=${COMP_LINE#* -- } IFS=$' \t\n'
    local -a others=("${COMP_WORDS[@]:offset}")
    local -a COMP_WORDS=("${others[@]}")
    local COMP_CWORD=$(( COMP_CWORD - offset )) COMP_POINT=$(( COMP_POINT - ${#COMP_LINE} + ${#rest} ))
    local COMP_LINE=$rest
    "$handler" "$program" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" || :
  fi
  (( ${#COMPREPLY[@]} )) || _mx_paths -f
}

# Offers what `mx __complete $1` lists.
_mx_live() {
  local address='' entry
  [[ $1 == ports && $typed == *:* ]] && address=${typed%:*}:
  while IFS= read -r entry; do
    # Behind an address only a port can follow.
    [[ -z $entry || ( $address && $entry == *[!0-9]* ) ]] && continue
    printf -v entry %q "$entry"
    # A name that is typed leads to the PIDs of that name.
    if [[ $1 == pids && $typed == *[!0-9]* ]]; then _mx_add "$entry"; else _mx_offer "$address$entry"; fi
  done <<<"$(command mx __complete "$1" bash -- "$typed" 2>/dev/null)"
  # Readline would put what several PIDs begin with in place of the name.
  [[ $1 == pids && $typed == *[!0-9]* ]] && (( ${#COMPREPLY[@]} > 1 )) && COMPREPLY+=(' ')
  # Behind NAME= the value is typed next, not a space.
  [[ ${COMPREPLY[*]-} == *= ]] && compopt -o nospace 2>/dev/null
}

# Sets what follows `path`: its subcommands (short=long for a short name), its
# options (all names of one, + in front if it may recur, ! if it stands alone),
# what completes their values and its arguments, and which options conflict.
_mx_table() {
  commands='' options='' arguments='' conflicts=''
  case $path in
    'mx')
      commands='ports p=ports limits l=limits copy c=copy paste v=paste setup init help'
      options='--json --table --plain -q|--quiet --color=words:auto,always,never !-h|--help !-V|--version'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx ports')
      commands='kill wait free watch help'
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --tcp --udp --all --user=users --all-namespaces -t|--pids !-h|--help'
      arguments='live:ports...'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx ports kill')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --tcp --udp -s|--signal=live:signals -9 --grace=live:times --force -y|--yes --dry-run --user=users --all-namespaces !-h|--help'
      arguments='live:ports...'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx ports wait')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --tcp --udp --free --no-connect +--status=none --timeout=live:times --interval=live:times !-h|--help'
      arguments='live:ports... last:commandline'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx ports free')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --count=none --range=none --udp !-h|--help'
      arguments='none'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx ports watch')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --tcp --udp --all --user=users --all-namespaces --interval=live:times !-h|--help'
      arguments='live:ports...'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits')
      commands='raise run set explain check persist help'
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --pid=live:pids --all --who !-h|--help'
      arguments='live:limits...'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits raise')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never !-h|--help'
      arguments='live:limit-raises...'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits run')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never !-h|--help'
      arguments='live:limit-values... last:commandline'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits set')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --pid=live:pids !-h|--help'
      arguments='live:limit-changes...'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits explain')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --pid=live:pids --unit=none !-h|--help'
      arguments='none...'
      conflicts='--json,--table --json,--plain --plain,--table --pid,--unit'
      ;;
    'mx limits check')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --template !-h|--help'
      arguments='live:profiles'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits persist')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --dry-run --undo !-h|--help'
      arguments='live:limit-raises...'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx copy')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never -n|--trim --secret --primary --via=words:x11,wayland,macos,tmux,screen,osc52 --timeout=live:times !-h|--help'
      arguments='files...'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx paste')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --types --primary --via=words:x11,wayland,macos,tmux,screen,osc52 --timeout=live:times !-h|--help'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx setup')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never --dry-run --uninstall !-h|--help'
      arguments='words:zsh,bash,fish'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx init')
      options='--json --table --plain -q|--quiet --color=words:auto,always,never !-h|--help'
      arguments='words:zsh,bash,fish'
      conflicts='--json,--table --json,--plain --plain,--table'
      ;;
  esac
}

complete -F _mx mx
