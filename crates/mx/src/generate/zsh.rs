//! The completion for zsh: calls of `_arguments`, a function for each command;
//! and the short names of the commands.

use std::fmt::Write;

use clap::{Arg, Command};

use super::{
    Values, about, excluded_by, help, is_repeated, may_recur, options, spellings, stands_alone,
    values, visible,
};
use crate::cmd::quote;

const HEAD: &str = r"#compdef mx
# Completion of mx for zsh. Generated from the definitions of the commands.
#
# It runs under the options of the completion system: no `emulate` here, which
# would drop them.
";

/// `_mx_live NOUN`: what `mx __complete NOUN` lists, in groups, kept for two
/// seconds in the parameter of the plugin, which need not be loaded.
const LIVE: &str = r#"
_mx_live() {
  # Not SECONDS, which the completion system begins anew for each TAB.
  local key=$1 line tag separator ret=1 now=${(%):-%D{%s}}
  local -a tags rows words shown suffix lines expl
  typeset -gA _mx
  # Behind NAME= and NAME=SOFT: stand values of that limit.
  if [[ $1 == limit-* && $PREFIX == [[:alnum:]_]##=([[:alnum:]]#:|)[[:alnum:]]# ]]; then
    key+=" zsh ${PREFIX%%[[:alnum:]]#}"
    compset -P '*[=:]'
  fi
  if [[ ${_mx[noun]-} != $key ]] || (( now - _mx[at] >= 2 )); then
    _mx[noun]=$key _mx[at]=$now
    _mx[lines]="$(_call_program $1 command mx __complete $=key 2>/dev/null)"
  fi
  lines=("${(@f)_mx[lines]}")
  if [[ $1 == pids && $PREFIX == *[^0-9]* ]]; then
    # A name stands for the processes of that name.
    lines=("${(@M)lines:#*:(#i)${(b)PREFIX}*}")
    PREFIX='' SUFFIX=''
    (( $#lines > 1 )) && compstate[insert]=menu
  fi
  for line in $lines; do
    [[ -n $line ]] && tags+=("${line%%$'\t'*}")
  done
  tags=("${(@u)tags}")
  if [[ $1 == ports ]]; then
    # Behind an address only a port can follow; the address is kept as it was typed.
    compset -P '*:' && tags=("${(@)tags:#processes}")
  fi
  (( $#tags )) || return 1
  _tags $tags
  while _tags; do
    for tag in $tags; do
      _requested -V $tag expl ${tag//_/ } || continue
      rows=("${(@)${(@M)lines:#$tag$'\t'*}#*$'\t'}")
      suffix=() shown=()
      if [[ ${rows[1]%%:*} == *= ]]; then
        # A sign that goes away where no value follows.
        rows=("${(@)rows/=/}")
        suffix=(-q -S =)
      fi
      words=("${(@)${(@M)rows##([^:\\]|\\?)##}//\\(#b)(?)/$match[1]}")
      # Not _describe: it reorders what has one description.
      if (( rows[(I)*:*] )) && zstyle -T ":completion:$curcontext:$tag" verbose; then
        zstyle -s ":completion:$curcontext:$tag" list-separator separator || separator=--
        zformat -a rows " $separator " "${(@)rows}"
        rows=("${(@)${(@mr:COLUMNS-1:)rows}%%[[:space:]]##}")
        shown=(-l -d rows)
      fi
      compadd "$expl[@]" "$shown[@]" "$suffix[@]" -a words && ret=0
    done
    (( ret )) || break
  done
  return ret
}
"#;

/// An alias that zsh did not replace before completion.
const ALIAS: &str = r#"  if [[ -o complete_aliases && -n ${aliases[$words[1]]-} ]]; then
    local -a alias=(${(z)aliases[$words[1]]})
    alias=(${alias[${alias[(i)mx]},-1]})
    if (( $#alias )); then
      words=($alias "${(@)words[2,-1]}")
      (( CURRENT += $#alias - 1 ))
    fi
  fi
"#;

/// Behind `--` stands the command line of another program.
const COMMAND_LINE: &str = r#"  local -i end=${words[(i)--]}
  if (( CURRENT > end )); then
    words=("${(@)words[end+1,-1]}")
    (( CURRENT -= end ))
    _normal
    return
  fi
"#;

pub(super) fn script(mx: &Command) -> String {
    let mut text = String::from(HEAD);
    function_of(mx, "_mx", ALIAS, &mut text);
    text.push_str(LIVE);
    text.push_str("\n_mx \"$@\"\n");
    text
}

/// The file with the short names, in which one line lists them.
pub(super) fn with_names(present: &str, mx: &Command) -> String {
    const START: &str = "local -A commands=(";

    let pairs: Vec<String> = visible(mx)
        .flat_map(|sub| {
            sub.get_visible_aliases().map(move |alias| format!("{alias} {}", sub.get_name()))
        })
        .collect();
    let line = |line: &str| {
        if line.starts_with(START) {
            format!("{START}{})\n", pairs.join(" "))
        } else {
            format!("{line}\n")
        }
    };
    present.lines().map(line).collect()
}

/// A function for the command, and one for each of its subcommands.
fn function_of(command: &Command, function: &str, first: &str, text: &mut String) {
    let subcommands: Vec<&Command> = visible(command).collect();
    let mut specs: Vec<String> = options(command).flat_map(|arg| option(command, arg)).collect();
    let positionals: Vec<String> = command
        .get_positionals()
        .filter(|arg| !arg.is_last_set())
        .enumerate()
        .map(|(index, arg)| positional(index, arg))
        .collect();
    let values = [specs.clone(), positionals].concat().join(" \\\n    ");
    let before = if command.get_positionals().any(Arg::is_last_set) { COMMAND_LINE } else { first };
    if subcommands.is_empty() {
        arguments(function, before, "-s -S", &values, text);
        return;
    }
    specs.push(format!("'*::argument:{function}__arguments'"));
    arguments(function, before, "-C -s -S", &specs.join(" \\\n    "), text);

    let _ = write!(text, "\n{function}__commands() {{\n  local -a commands=(\n");
    for sub in &subcommands {
        let entry = format!("{}:{}", sub.get_name(), about(sub));
        let _ = writeln!(text, "    {}", quote(&entry));
    }
    let _ = write!(text, "  )\n  _describe -t commands command commands\n}}\n");

    // The first word is a subcommand or, where the command takes any, a value.
    let value = command.get_positionals().next().map(action);
    let _ = write!(text, "\n{function}__arguments() {{\n  if (( CURRENT == 1 )); then\n");
    let _ = match &value {
        None => writeln!(text, "    {function}__commands\n    return"),
        Some(value) => writeln!(
            text,
            "    local ret=1\n    {function}__commands && ret=0\n    {} && ret=0\n    return ret",
            value.trim()
        ),
    };
    let _ = write!(text, "  fi\n  case $words[1] in\n");
    for sub in &subcommands {
        let names: Vec<&str> =
            std::iter::once(sub.get_name()).chain(sub.get_visible_aliases()).collect();
        let name = sub.get_name();
        let _ = writeln!(text, "    ({})", names.join("|"));
        let _ = writeln!(text, "      curcontext=\"${{curcontext%:*:*}}:mx-{name}:\"");
        let _ = writeln!(text, "      {function}_{name} ;;");
    }
    // Behind a value options are still possible, which takes `_arguments` again.
    let other = if value.is_some() { format!("{function}__values") } else { "return 1".to_owned() };
    let _ = write!(text, "    (*) {other} ;;\n  esac\n}}\n");
    if value.is_some() {
        arguments(&other, "", "-s -S", &values, text);
    }
    for sub in subcommands {
        if sub.get_name() == "help" {
            help_of(command, function, text);
        } else {
            function_of(sub, &format!("{function}_{}", sub.get_name()), "", text);
        }
    }
}

/// What follows `help`: a subcommand, and one of that.
fn help_of(command: &Command, function: &str, text: &mut String) {
    let _ = write!(
        text,
        "\n{function}_help() {{\n  if (( CURRENT == 2 )); then\n    {function}__commands\n    return\n  fi\n"
    );
    let _ = write!(text, "  shift words\n  (( CURRENT-- ))\n  case $words[1] in\n");
    for sub in visible(command).filter(|sub| visible(sub).next().is_some()) {
        let names: Vec<&str> =
            std::iter::once(sub.get_name()).chain(sub.get_visible_aliases()).collect();
        let _ = writeln!(text, "    ({}) {function}_{}_help ;;", names.join("|"), sub.get_name());
    }
    let _ = write!(text, "    (*) return 1 ;;\n  esac\n}}\n");
}

/// A function that calls `_arguments`.
fn arguments(function: &str, before: &str, flags: &str, specs: &str, text: &mut String) {
    let _ = write!(
        text,
        "\n{function}() {{\n{before}  local curcontext=\"$curcontext\" context state state_descr line\n  \
         local -A opt_args\n  _arguments {flags} : \\\n    {specs}\n}}\n"
    );
}

/// A `_arguments` specification for each spelling of an option.
fn option(command: &Command, arg: &Arg) -> Vec<String> {
    let exclusion = if stands_alone(arg) {
        "(- *)".to_owned()
    } else if may_recur(arg) {
        "*".to_owned()
    } else {
        format!("({})", excluded_by(command, arg).join(" "))
    };
    let help = escape(&help(arg));
    let value = if arg.get_action().takes_values() {
        let name = arg.get_value_names().map_or("value", |names| names[0].as_str()).to_lowercase();
        format!(":{name}:{}", action(arg))
    } else {
        String::new()
    };
    spellings(arg)
        .iter()
        .map(|spelling| {
            let equals = match (value.is_empty(), spelling.starts_with("--")) {
                (true, _) => "",
                (false, true) => "=",
                (false, false) => "+",
            };
            quote(&format!("{exclusion}{spelling}{equals}[{help}]{value}"))
        })
        .collect()
}

fn positional(index: usize, arg: &Arg) -> String {
    let position = if is_repeated(arg) { "*".to_owned() } else { (index + 1).to_string() };
    let optional = if arg.is_required_set() || is_repeated(arg) { ":" } else { "::" };
    let name = arg.get_value_names().map_or("argument", |names| names[0].as_str()).to_lowercase();
    quote(&format!("{position}{optional}{name}:{}", action(arg)))
}

/// The action of `_arguments`. A leading space keeps it from adding arguments of its own.
fn action(arg: &Arg) -> String {
    match values(arg) {
        Values::Live(noun) => return format!(" _mx_live {noun}"),
        Values::Words(words) => {
            let item = |(name, help): &(String, String)| format!("{name}\\:{}", shell_escape(help));
            let items: Vec<String> = words.iter().map(item).collect();
            return format!("(({}))", items.join(" "));
        }
        Values::Users => "_users",
        Values::Hosts => "_hosts",
        Values::Files => "_files",
        Values::Directories => "_files -/",
        Values::Programs => "_command_names -e",
        Values::CommandLine | Values::Unknown => " ",
    }
    .to_owned()
}

/// Escapes what `_arguments` reads in a description.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

/// Escapes every character that could mean something: `_arguments` evaluates lists of values.
fn shell_escape(text: &str) -> String {
    let escaped = |char: char| {
        let backslash = if char.is_alphanumeric() { "" } else { "\\" };
        format!("{backslash}{char}")
    };
    text.chars().map(escaped).collect()
}
