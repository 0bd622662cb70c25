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

  local path=mx position=0 option='' help='' last='' commands options arguments
  _mx_table
  for (( i = 1; i < n; i++ )); do
    word=${words[i]}
    if [[ $last ]]; then
      (( ++position ))
    elif [[ $option ]]; then
      option=''
    elif [[ $word == -- ]]; then
      last=$i position=0
    elif [[ $word == -?* ]]; then
      option=$word
      _mx_takes_value || option=''
    elif (( position == 0 )) && _mx_enter; then
      _mx_table
    else
      (( ++position ))
    fi
  done
  COMPREPLY=()
  _mx_reply "${words[n]}"
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
  local entry
  for entry in $options; do
    if [[ $entry == "$option="* ]]; then
      values=${entry#*=}
      return 0
    fi
  done
  return 1
}

# Offers what can stand at the place of the word $1.
_mx_reply() {
  local current=$1 prefix='' values entry breaks='' kept=''
  # Readline keeps what stands before the last of the characters that split words.
  [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:
  [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
  # shellcheck disable=SC2295 # It is a set of characters.
  [[ $breaks ]] && kept=${current%"${current##*[$breaks]}"}

  if [[ $help ]]; then
    (( position )) || _mx_offer_commands
  elif [[ $option ]]; then
    _mx_takes_value && _mx_values "$values"
  elif [[ -z $last && $current == --*=* ]]; then
    option=${current%%=*} prefix=${current%%=*}=
    _mx_takes_value && _mx_values "$values"
  elif [[ -z $last && $current == -* ]]; then
    for entry in $options; do
      _mx_offer "${entry%%=*}"
    done
  else
    [[ -z $last ]] && (( position == 0 )) && _mx_offer_commands
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
    commandline) if (( position )); then _mx_paths -f; else _mx_generated -c; fi ;;
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

# Offers what `mx __complete $1` lists.
_mx_live() {
  local address='' entry
  [[ $typed == *:* ]] && address=${typed%:*}:
  while IFS= read -r entry; do
    # Behind an address only a port can follow.
    [[ -z $entry || ( $address && $entry == *[!0-9]* ) ]] && continue
    printf -v entry %q "$entry"
    _mx_offer "$address$entry"
  done <<<"$(command mx __complete "$1" bash 2>/dev/null)"
  # Behind NAME= the value is typed next, not a space.
  [[ ${COMPREPLY[*]-} == *= ]] && compopt -o nospace 2>/dev/null
}

# Sets what follows `path`: its subcommands (short=long for a short name), its
# options, and what completes their values and its arguments.
_mx_table() {
  commands='' options='' arguments=''
  case $path in
    'mx')
      commands='ports p=ports limits l=limits copy c=copy paste v=paste setup init help'
      options='--json --table --plain -q --quiet --color=words:auto,always,never -h --help -V --version'
      ;;
    'mx ports')
      commands='kill wait free watch help'
      options='--tcp --udp --all --user=users --all-namespaces --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='live:ports...'
      ;;
    'mx ports kill')
      options='--tcp --udp --signal=live:signals --grace=none --force -y --yes --dry-run --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='live:ports...'
      ;;
    'mx ports wait')
      options='--tcp --udp --free --timeout=none --interval=none --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='live:ports...'
      ;;
    'mx ports free')
      options='--count=none --range=none --udp --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='none'
      ;;
    'mx ports watch')
      options='--tcp --udp --all --user=users --all-namespaces --interval=none --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='live:ports...'
      ;;
    'mx limits')
      commands='raise run set explain check persist help'
      options='--pid=none --all --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='live:limits...'
      ;;
    'mx limits raise')
      options='--json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='live:limit-values...'
      ;;
    'mx limits run')
      options='--json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='live:limit-values... last:commandline'
      ;;
    'mx limits set')
      options='--pid=none --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='live:limit-values...'
      ;;
    'mx limits explain')
      options='--json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='none...'
      ;;
    'mx limits check')
      options='--template --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='live:profiles'
      ;;
    'mx limits persist')
      options='--dry-run --undo --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='live:limit-values...'
      ;;
    'mx copy')
      options='-n --trim --secret --primary --via=words:x11,wayland,macos,tmux,screen,osc52 --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='files...'
      ;;
    'mx paste')
      options='--types --primary --via=words:x11,wayland,macos,tmux,screen,osc52 --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      ;;
    'mx setup')
      options='--dry-run --uninstall --json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='words:zsh,bash,fish'
      ;;
    'mx init')
      options='--json --table --plain -q --quiet --color=words:auto,always,never -h --help'
      arguments='words:zsh,bash,fish'
      ;;
  esac
}

complete -F _mx mx
