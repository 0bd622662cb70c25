//! The files that are derived from the definitions of the commands.
//!
//! Each is checked in, and a test fails when it has drifted. Rewrite them with
//! `UPDATE=1 cargo test -p mx generate`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};

use crate::Mx;
use crate::cmd::LIVE_VALUES;

#[test]
fn the_zsh_completion_is_up_to_date() {
    check("completions/_mx", |_| zsh());
}

#[test]
fn the_command_table_of_the_readme_is_up_to_date() {
    check("README.md", |readme| between_marks(readme, &command_table()));
}

#[test]
fn live_values_name_arguments_that_exist() {
    fn ids(command: &Command) -> Vec<String> {
        let own = command.get_arguments().map(|arg| arg.get_id().to_string());
        own.chain(command.get_subcommands().flat_map(ids)).collect()
    }
    let ids = ids(&Mx::command());
    for (id, _) in LIVE_VALUES {
        assert!(ids.iter().any(|known| known == id), "no argument has the id {id}");
    }
}

/// Compares a checked-in file with what it should be, or rewrites it.
fn check(name: &str, generate: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    let present = fs::read_to_string(&path).unwrap_or_default();
    let wanted = generate(&present);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, wanted).expect("the source tree is writable");
    } else {
        assert!(present == wanted, "{name} has drifted: UPDATE=1 cargo test -p mx generate");
    }
}

/// The command tree as it is parsed, with the global options in each command.
fn definition() -> Command {
    let mut mx = Mx::command();
    mx.build();
    mx
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

// README

fn command_table() -> String {
    let mut table = String::from("| command | short | does |\n|---|---|---|\n");
    for command in visible(&definition()).filter(|command| command.get_name() != "help") {
        command_rows(command, "mx", &mut table);
    }
    table
}

fn command_rows(command: &Command, parent: &str, table: &mut String) {
    let name = format!("{parent} {}", command.get_name());
    let short: Vec<String> =
        command.get_visible_aliases().map(|alias| format!("`{parent} {alias}`")).collect();
    let usage: Vec<String> = command
        .get_positionals()
        .map(|arg| {
            let name = arg.get_value_names().map_or("", |names| names[0].as_str());
            let dots = if is_repeated(arg) { "…" } else { "" };
            if arg.is_required_set() {
                format!(" {name}{dots}")
            } else {
                format!(" [{name}{dots}]")
            }
        })
        .collect();
    let _ = writeln!(
        table,
        "| `{name}{}` | {} | {} |",
        usage.concat(),
        short.join(", "),
        about(command)
    );
    for verb in visible(command).filter(|verb| verb.get_name() != "help") {
        command_rows(verb, &name, table);
    }
}

fn between_marks(readme: &str, text: &str) -> String {
    const BEGIN: &str = "<!-- commands -->\n";
    const END: &str = "<!-- /commands -->";
    let (before, rest) = readme.split_once(BEGIN).expect("README.md has a mark for the commands");
    let (_, after) = rest.split_once(END).expect("the mark is closed");
    format!("{before}{BEGIN}{text}{END}{after}")
}

// zsh

const ZSH_HEAD: &str = r"#compdef mx
# Completion of mx for zsh. Generated from the definitions of the commands.
#
# It runs under the options of the completion system: no `emulate` here, which
# would drop them.
";

/// `_mx_live NOUN`: what `mx __complete NOUN` lists, in groups, kept for two seconds.
const ZSH_LIVE: &str = r#"
_mx_live() {
  local line tag ret=1
  if [[ $_mx_live_noun != $1 ]] || (( SECONDS - _mx_live_at >= 2 )); then
    typeset -ga _mx_live_lines
    typeset -g _mx_live_noun=$1 _mx_live_at=$SECONDS
    _mx_live_lines=("${(@f)$(_call_program $1 command mx __complete $1 2>/dev/null)}")
  fi
  local -a tags values
  for line in "${_mx_live_lines[@]}"; do
    [[ -n $line ]] && tags+=("${line%%$'\t'*}")
  done
  tags=("${(@u)tags}")
  # Behind an address only a port can follow; the address is kept as it was typed.
  compset -P '*:' && tags=("${(@)tags:#processes}")
  (( $#tags )) || return 1
  _tags $tags
  while _tags; do
    for tag in $tags; do
      _requested $tag || continue
      values=("${(@)${(@M)_mx_live_lines:#$tag$'\t'*}#*$'\t'}")
      _describe -V -t $tag ${tag//_/ } values && ret=0
    done
    (( ret )) || break
  done
  return ret
}
"#;

fn zsh() -> String {
    let mut text = String::from(ZSH_HEAD);
    zsh_command(&definition(), "_mx", &mut text);
    text.push_str(ZSH_LIVE);
    text.push_str("\n_mx \"$@\"\n");
    text
}

/// A function for the command, and one for each of its subcommands.
fn zsh_command(command: &Command, function: &str, text: &mut String) {
    let subcommands: Vec<&Command> = visible(command).collect();
    let mut specs: Vec<String> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !arg.is_positional())
        .flat_map(|arg| zsh_option(command, arg))
        .collect();
    let positionals: Vec<String> = command
        .get_positionals()
        .enumerate()
        .map(|(index, arg)| zsh_positional(index, arg))
        .collect();
    let values = [specs.clone(), positionals].concat().join(" \\\n    ");
    if subcommands.is_empty() {
        zsh_arguments(function, "-s -S", &values, text);
        return;
    }
    specs.push(format!("'*::argument:{function}__arguments'"));
    zsh_arguments(function, "-C -s -S", &specs.join(" \\\n    "), text);

    let _ = write!(text, "\n{function}__commands() {{\n  local -a commands=(\n");
    for sub in &subcommands {
        let entry = format!("{}:{}", sub.get_name(), about(sub));
        let _ = writeln!(text, "    {}", quote(&entry));
    }
    let _ = write!(text, "  )\n  _describe -t commands command commands\n}}\n");

    // The first word is a subcommand or, where the command takes any, a value.
    let value = command.get_positionals().next().map(zsh_action);
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
    let other = if value.is_some() { format!("{function}__values") } else { "_default".to_owned() };
    let _ = write!(text, "    (*) {other} ;;\n  esac\n}}\n");
    if value.is_some() {
        zsh_arguments(&other, "-s -S", &values, text);
    }
    for sub in subcommands {
        if sub.get_name() == "help" {
            let _ = write!(
                text,
                "\n{function}_help() {{\n  _arguments -S : '1:command:{function}__commands'\n}}\n"
            );
        } else {
            zsh_command(sub, &format!("{function}_{}", sub.get_name()), text);
        }
    }
}

/// A function that calls `_arguments`.
fn zsh_arguments(function: &str, flags: &str, specs: &str, text: &mut String) {
    let _ = write!(
        text,
        "\n{function}() {{\n  local curcontext=\"$curcontext\" context state state_descr line\n  \
         local -A opt_args\n  _arguments {flags} : \\\n    {specs}\n}}\n"
    );
}

/// A `_arguments` specification for each spelling of an option.
fn zsh_option(command: &Command, arg: &Arg) -> Vec<String> {
    let spellings = |arg: &Arg| -> Vec<String> {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let long = arg.get_long().map(|long| format!("--{long}"));
        short.into_iter().chain(long).collect()
    };
    let own = spellings(arg);
    // clap records a conflict with one of the two.
    let conflict = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
    };
    let others = command
        .get_arguments()
        .filter(|other| conflict(arg, other) || conflict(other, arg))
        .filter(|other| other.get_id() != arg.get_id());
    let excluded: Vec<String> = own.iter().cloned().chain(others.flat_map(spellings)).collect();
    let exclusion = match arg.get_action() {
        ArgAction::Append | ArgAction::Count => "*".to_owned(),
        ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort | ArgAction::Version => {
            "(- *)".to_owned()
        }
        _ => format!("({})", excluded.join(" ")),
    };
    let help = escape(&arg.get_help().map(ToString::to_string).unwrap_or_default());
    let value = if arg.get_action().takes_values() {
        let name = arg.get_value_names().map_or("value", |names| names[0].as_str()).to_lowercase();
        format!(":{name}:{}", zsh_action(arg))
    } else {
        String::new()
    };
    own.iter()
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

fn zsh_positional(index: usize, arg: &Arg) -> String {
    let position = if is_repeated(arg) { "*".to_owned() } else { (index + 1).to_string() };
    let optional = if arg.is_required_set() || is_repeated(arg) { ":" } else { "::" };
    let name = arg.get_value_names().map_or("argument", |names| names[0].as_str()).to_lowercase();
    quote(&format!("{position}{optional}{name}:{}", zsh_action(arg)))
}

fn zsh_action(arg: &Arg) -> String {
    if let Some((_, action)) = LIVE_VALUES.iter().find(|(id, _)| arg.get_id() == id) {
        return (*action).to_owned();
    }
    let values = arg.get_possible_values();
    if !values.is_empty() {
        let item = |value: &PossibleValue| {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            format!("{}\\:{}", value.get_name(), shell_escape(&help))
        };
        let items: Vec<String> =
            values.iter().filter(|value| !value.is_hide_set()).map(item).collect();
        return format!("(({}))", items.join(" "));
    }
    match arg.get_value_hint() {
        ValueHint::Username => "_users",
        ValueHint::Hostname => "_hosts",
        ValueHint::FilePath | ValueHint::AnyPath => "_files",
        ValueHint::DirPath => "_files -/",
        ValueHint::CommandName | ValueHint::ExecutablePath => "_command_names -e",
        _ => " ",
    }
    .to_owned()
}

fn is_repeated(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.max_values() > 1)
        || matches!(arg.get_action(), ArgAction::Append)
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

fn quote(text: &str) -> String {
    crate::cmd::quote(text)
}
