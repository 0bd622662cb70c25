# Completion of mx for bash. Generated from the definitions of the commands.
#
# Written for bash 3.2, which macOS has, without any other completion library.

# _mx: fills COMPREPLY. Words are split at blanks only; bash splits COMP_WORDS
# at ":" and "=", too. No variable has a name that a user may have made readonly.
_mx() {
  local IFS=$' \t\n' _mx_line=${COMP_LINE:0:COMP_POINT} _mx_word _mx_rest _mx_i _mx_n=-1
  local -a _mx_words=()
  for (( _mx_i = 0; _mx_i <= COMP_CWORD; _mx_i++ )); do
    _mx_word=${COMP_WORDS[_mx_i]}
    _mx_rest=${_mx_line#"${_mx_line%%[![:space:]]*}"}
    [[ $_mx_rest == "$_mx_word"* ]] || _mx_word=$_mx_rest
    if (( _mx_i == 0 )) || [[ $_mx_rest != "$_mx_line" ]]; then
      _mx_words[++_mx_n]=''
    fi
    _mx_words[_mx_n]+=$_mx_word
    _mx_line=${_mx_rest#"$_mx_word"}
  done

  local _mx_path=mx _mx_position=0 _mx_option='' _mx_help='' _mx_last='' _mx_literal='' _mx_hidden=' ' _mx_entry _mx_names
  local _mx_commands _mx_options _mx_arguments _mx_conflicts
  _mx_table
  for (( _mx_i = 1; _mx_i < _mx_n; _mx_i++ )); do
    _mx_word=${_mx_words[_mx_i]}
    if [[ $_mx_last$_mx_literal ]]; then
      (( ++_mx_position ))
    elif [[ $_mx_option ]]; then
      _mx_option=''
    elif [[ $_mx_word == -- && $_mx_arguments == *last:* ]]; then
      _mx_last=1 _mx_position=0
    elif [[ $_mx_word == -- ]]; then
      _mx_literal=1
    elif [[ $_mx_word == -?* ]]; then
      _mx_given "$_mx_word"
    elif (( _mx_position == 0 )) && _mx_enter; then
      _mx_table
    else
      (( ++_mx_position ))
    fi
  done
  COMPREPLY=()
  # Nothing stands beside --help.
  [[ $_mx_hidden == *'*'* ]] || _mx_reply "${_mx_words[_mx_n]}"
}

# Finds the `_mx_entry` of the option $1 in `_mx_options`, and all its `_mx_names`.
_mx_find() {
  for _mx_entry in $_mx_options; do
    _mx_names=${_mx_entry%%=*}
    _mx_names=${_mx_names#[+!]}
    [[ "|$_mx_names|" == *"|$1|"* ]] && return 0
  done
  return 1
}

# Notes what the option $1 hides, and whether the next word is its value. $1 may
# hold several short options, and the value.
_mx_given() {
  local _mx_j _mx_pair
  if [[ $1 == --* ]]; then
    _mx_find "${1%%=*}" || return 0
    _mx_hide
    [[ $1 == *=* || $_mx_entry != *=* ]] || _mx_option=$1
    return 0
  fi
  for (( _mx_j = 1; _mx_j < ${#1}; _mx_j++ )); do
    _mx_find "-${1:_mx_j:1}" || return 0
    _mx_hide
    [[ $_mx_entry == *=* ]] || continue
    (( _mx_j < ${#1} - 1 )) || _mx_option=-${1:_mx_j:1}
    return 0
  done
}

# Hides what the option `_mx_entry` excludes: itself, what it conflicts with, or all.
# An option is hidden by the last of its names.
_mx_hide() {
  local _mx_name=${_mx_names##*|}
  case $_mx_entry in
    '!'*) _mx_hidden+='* ' ;;
    [^+]*) _mx_hidden+="$_mx_name " ;;
  esac
  for _mx_pair in $_mx_conflicts; do
    [[ $_mx_pair == "$_mx_name,"* ]] && _mx_hidden+="${_mx_pair#*,} "
    [[ $_mx_pair == *",$_mx_name" ]] && _mx_hidden+="${_mx_pair%,*} "
  done
}

# Makes `_mx_word` part of `_mx_path`, if it is a subcommand. `_mx_help` leads to the others.
_mx_enter() {
  local _mx_entry
  for _mx_entry in $_mx_commands; do
    if [[ $_mx_word == "${_mx_entry%%=*}" ]]; then
      if [[ $_mx_word == help ]]; then _mx_help=1; else _mx_path+=" ${_mx_entry#*=}"; fi
      return 0
    fi
  done
  return 1
}

# Sets `_mx_values` to what completes the values of `_mx_option`, if it takes any.
_mx_takes_value() {
  _mx_find "$_mx_option" && [[ $_mx_entry == *=* ]] && _mx_values=${_mx_entry#*=}
}

# Offers what can stand at the place of the word $1.
_mx_reply() {
  local _mx_current=$1 _mx_prefix='' _mx_values _mx_breaks='' _mx_kept=''
  # Readline keeps what stands before the last of the characters that split words.
  [[ $COMP_WORDBREAKS == *:* ]] && _mx_breaks+=:
  [[ $COMP_WORDBREAKS == *=* ]] && _mx_breaks+='='
  # shellcheck disable=SC2295 # It is a set of characters.
  [[ $_mx_breaks ]] && _mx_kept=${_mx_current%"${_mx_current##*[$_mx_breaks]}"}

  if [[ $_mx_help ]]; then
    (( _mx_position )) || _mx_offer_commands
  elif [[ $_mx_option ]]; then
    _mx_takes_value && _mx_values "$_mx_values"
  elif [[ -z $_mx_last$_mx_literal && $_mx_current == --*=* ]]; then
    _mx_option=${_mx_current%%=*} _mx_prefix=${_mx_current%%=*}=
    _mx_takes_value && _mx_values "$_mx_values"
  elif [[ -z $_mx_last$_mx_literal && $_mx_current == -* ]]; then
    _mx_offer_options
  else
    [[ -z $_mx_last$_mx_literal ]] && (( _mx_position == 0 )) && _mx_offer_commands
    _mx_i=0
    for _mx_entry in $_mx_arguments; do
      if [[ $_mx_entry == last:* ]]; then
        [[ $_mx_last ]] && _mx_values "${_mx_entry#*:}"
      elif [[ -z $_mx_last ]] && { (( _mx_i == _mx_position )) || [[ $_mx_entry == *... ]]; }; then
        _mx_values "${_mx_entry%...}"
        break
      fi
      (( ++_mx_i ))
    done
  fi
}

# Offers each option that is not hidden, by all its names.
_mx_offer_options() {
  for _mx_entry in $_mx_options; do
    _mx_names=${_mx_entry%%=*}
    _mx_names=${_mx_names#[+!]}
    # shellcheck disable=SC2086 # Names are split, and none is a pattern.
    [[ $_mx_hidden == *" ${_mx_names##*|} "* ]] || _mx_offer ${_mx_names//|/ }
  done
}

_mx_offer_commands() {
  local _mx_entry
  for _mx_entry in $_mx_commands; do
    [[ $_mx_entry == *=* ]] || _mx_offer "$_mx_entry"
  done
}

# Offers each of the words that begins with what was typed.
_mx_offer() {
  for _mx_word in "$@"; do
    [[ $_mx_prefix$_mx_word == "$_mx_current"* ]] && _mx_add "$_mx_word"
  done
}

_mx_add() {
  _mx_word=$_mx_prefix$1
  COMPREPLY+=("${_mx_word#"$_mx_kept"}")
}

# Offers values of the kind $1, in place of what is typed behind `_mx_prefix`.
_mx_values() {
  local _mx_typed=${_mx_current#"$_mx_prefix"} _mx_list=${1#*:}
  # shellcheck disable=SC2086 # The words of a list are split, and none is a pattern.
  case $1 in
    live:*) _mx_live "$_mx_list" ;;
    words:*) _mx_offer ${_mx_list//,/ } ;;
    users) _mx_generated -u ;;
    hosts) _mx_generated -A hostname ;;
    files) _mx_paths -f ;;
    directories) _mx_paths -d ;;
    programs) _mx_generated -c ;;
    commandline) if (( _mx_position )); then _mx_other; else _mx_generated -c; fi ;;
  esac
}

# Offers what bash itself knows.
_mx_generated() {
  while IFS= read -r _mx_word; do
    [[ $_mx_word ]] && _mx_add "$_mx_word"
  done <<<"$(compgen "$@" -- "$_mx_typed")"
}

_mx_paths() {
  # Readline then quotes names, and puts no blank behind a directory.
  compopt -o filenames 2>/dev/null
  _mx_generated "$@"
}

# Offers what the completion of another program offers for its own words, after `--`.
_mx_other() {
  local _mx_program _mx_spec _mx_offset=1 _mx_pattern=' -F ([^ ]+)'
  while [[ ${COMP_WORDS[_mx_offset-1]} != -- ]]; do (( ++_mx_offset )); done
  _mx_program=${COMP_WORDS[_mx_offset]}
  _mx_spec=$(complete -p -- "$_mx_program" 2>/dev/null)
  if [[ -z $_mx_spec ]] && declare -F _completion_loader >/dev/null; then
    # That of bash-completion, which loads what completes a program.
    _completion_loader "$_mx_program" || :
    _mx_spec=$(complete -p -- "$_mx_program" 2>/dev/null)
  fi
  if [[ $_mx_spec =~ $_mx_pattern ]]; then
    local _mx_handler=${BASH_REMATCH[1]} _mx_rest=${COMP_LINE#* -- } IFS=$' \t\n'
    local -a _mx_others=("${COMP_WORDS[@]:_mx_offset}")
    local -a COMP_WORDS=("${_mx_others[@]}")
    local COMP_CWORD=$(( COMP_CWORD - _mx_offset )) COMP_POINT=$(( COMP_POINT - ${#COMP_LINE} + ${#_mx_rest} ))
    local COMP_LINE=$_mx_rest
    "$_mx_handler" "$_mx_program" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" || :
  fi
  (( ${#COMPREPLY[@]} )) || _mx_paths -f
}

# Offers what `mx __complete $1` lists.
_mx_live() {
  local _mx_address='' _mx_entry
  [[ $1 == ports && $_mx_typed == *:* ]] && _mx_address=${_mx_typed%:*}:
  while IFS= read -r _mx_entry; do
    # Behind an address only a port can follow.
    [[ -z $_mx_entry || ( $_mx_address && $_mx_entry == *[!0-9]* ) ]] && continue
    printf -v _mx_entry %q "$_mx_entry"
    # A name that is typed leads to the PIDs of that name.
    if [[ $1 == pids && $_mx_typed == *[!0-9]* ]]; then _mx_add "$_mx_entry"; else _mx_offer "$_mx_address$_mx_entry"; fi
  done <<<"$(command mx __complete "$1" bash -- "$_mx_typed" 2>/dev/null)"
  # Readline would put what several PIDs begin with in place of the name.
  [[ $1 == pids && $_mx_typed == *[!0-9]* ]] && (( ${#COMPREPLY[@]} > 1 )) && COMPREPLY+=(' ')
  # Behind NAME= the value is typed next, not a space.
  [[ ${COMPREPLY[*]-} == *= ]] && compopt -o nospace 2>/dev/null
}

# Sets what follows `_mx_path`: its subcommands (short=long for a short name), its
# options (all names of one, + in front if it may recur, ! if it stands alone),
# what completes their values and its arguments, and which options conflict.
_mx_table() {
  _mx_commands='' _mx_options='' _mx_arguments='' _mx_conflicts=''
  case $_mx_path in
    'mx')
      _mx_commands='ports p=ports limits l=limits copy c=copy paste v=paste setup init help'
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never !-h|--help !-V|--version'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx ports')
      _mx_commands='kill wait free watch help'
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --tcp --udp --all --user=users --all-namespaces -t|--pids !-h|--help'
      _mx_arguments='live:ports...'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx ports kill')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --tcp --udp -s|--signal=live:signals -9 --grace=live:times --force -y|--yes --dry-run --user=users --all-namespaces !-h|--help'
      _mx_arguments='live:ports...'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx ports wait')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --tcp --udp --free --no-connect +--status=none --timeout=live:times --interval=live:times !-h|--help'
      _mx_arguments='live:ports... last:commandline'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx ports free')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --count=none --range=none --udp !-h|--help'
      _mx_arguments='none'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx ports watch')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --tcp --udp --all --user=users --all-namespaces --interval=live:times !-h|--help'
      _mx_arguments='live:ports...'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits')
      _mx_commands='raise run set explain check persist help'
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --pid=live:pids --all --who !-h|--help'
      _mx_arguments='live:limits...'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits raise')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never !-h|--help'
      _mx_arguments='live:limit-raises...'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits run')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never !-h|--help'
      _mx_arguments='live:limit-values... last:commandline'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits set')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --pid=live:pids !-h|--help'
      _mx_arguments='live:limit-changes...'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits explain')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --pid=live:pids --unit=none !-h|--help'
      _mx_arguments='none...'
      _mx_conflicts='--json,--table --json,--plain --plain,--table --pid,--unit'
      ;;
    'mx limits check')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --template !-h|--help'
      _mx_arguments='live:profiles'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx limits persist')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --dry-run --undo !-h|--help'
      _mx_arguments='live:limit-raises...'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx copy')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never -n|--trim --secret --primary --via=words:x11,wayland,macos,tmux,screen,osc52 --timeout=live:times !-h|--help'
      _mx_arguments='files...'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx paste')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --types --primary --via=words:x11,wayland,macos,tmux,screen,osc52 --timeout=live:times !-h|--help'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx setup')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never --dry-run --uninstall !-h|--help'
      _mx_arguments='words:zsh,bash,fish'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
    'mx init')
      _mx_options='--json --table --plain -q|--quiet --color=words:auto,always,never !-h|--help'
      _mx_arguments='words:zsh,bash,fish'
      _mx_conflicts='--json,--table --json,--plain --plain,--table'
      ;;
  esac
}

complete -F _mx mx
