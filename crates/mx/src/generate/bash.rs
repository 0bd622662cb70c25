//! The completion for bash: a table of the commands, and the code that reads it.

use clap::{Arg, Command};

use super::{
    Values, conflicts, is_repeated, may_recur, options, spellings, stands_alone, values, visible,
};
use crate::cmd::quote;

const HEAD: &str = r#"# Completion of mx for bash. Generated from the definitions of the commands.
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
"#;

pub(super) fn script(mx: &Command) -> String {
    let mut text = String::from(HEAD);
    row(mx, "mx", &mut text);
    text.push_str("  esac\n}\n\ncomplete -F _mx mx\n");
    text
}

/// What the table says of a command, and of each of its subcommands.
fn row(command: &Command, path: &str, text: &mut String) {
    let names = visible(command).flat_map(|sub| {
        let name = sub.get_name();
        let short = sub.get_visible_aliases().map(move |alias| format!("{alias}={name}"));
        std::iter::once(name.to_owned()).chain(short)
    });
    let words = options(command).map(|arg| {
        let value =
            if arg.get_action().takes_values() { format!("={}", kind(arg)) } else { String::new() };
        let mark = match (stands_alone(arg), may_recur(arg)) {
            (true, _) => "!",
            (_, true) => "+",
            _ => "",
        };
        format!("{mark}{}{value}", spellings(arg).join("|"))
    });
    let name = |arg: &Arg| spellings(arg).pop();
    let pairs = options(command).flat_map(|arg| {
        let others = conflicts(command, arg).filter_map(name);
        let pair =
            |other| Some(name(arg)?).filter(|own| *own < other).map(|own| format!("{own},{other}"));
        others.filter_map(pair).collect::<Vec<_>>()
    });
    let arguments = command.get_positionals().map(|arg| {
        let last = if arg.is_last_set() { "last:" } else { "" };
        let dots = if is_repeated(arg) && !arg.is_last_set() { "..." } else { "" };
        format!("{last}{}{dots}", kind(arg))
    });
    text.push_str(&format!("    {})\n", quote(path)));
    for (name, words) in [
        ("commands", names.collect::<Vec<_>>()),
        ("options", words.collect()),
        ("arguments", arguments.collect()),
        ("conflicts", pairs.collect()),
    ] {
        if !words.is_empty() {
            text.push_str(&format!("      _mx_{name}={}\n", quote(&words.join(" "))));
        }
    }
    text.push_str("      ;;\n");
    for sub in visible(command).filter(|sub| sub.get_name() != "help") {
        row(sub, &format!("{path} {}", sub.get_name()), text);
    }
}

/// The word that stands for what completes an argument.
fn kind(arg: &Arg) -> String {
    match values(arg) {
        Values::Live(noun) => return format!("live:{noun}"),
        Values::Words(words) => {
            let names: Vec<&str> = words.iter().map(|(name, _)| name.as_str()).collect();
            let plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
            assert!(names.concat().chars().all(plain), "bash would split or expand {names:?}");
            return format!("words:{}", names.join(","));
        }
        Values::Users => "users",
        Values::Hosts => "hosts",
        Values::Files => "files",
        Values::Directories => "directories",
        Values::Programs => "programs",
        Values::CommandLine => "commandline",
        Values::Unknown => "none",
    }
    .to_owned()
}
