//! The files that are derived from the definitions of the commands.
//!
//! Each is checked in, and a test fails when it has drifted. Rewrite them with
//! `UPDATE=1 cargo test -p mx generate`.

mod bash;
mod fish;
mod readme;
mod sample;
mod zsh;

use std::fs;
use std::path::Path;

use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};

use crate::Mx;
use crate::cmd::LIVE_VALUES;

#[test]
fn the_zsh_completion_is_up_to_date() {
    check("completions/_mx", |_| zsh::script(&definition()));
}

#[test]
fn the_short_names_are_up_to_date() {
    check("shell/functions/_mx_names", |present| zsh::with_names(present, &definition()));
}

#[test]
fn the_bash_completion_is_up_to_date() {
    check("completions/mx.bash", |_| bash::script(&definition()));
}

#[test]
fn the_fish_completion_is_up_to_date() {
    check("completions/mx.fish", |_| fish::script(&definition()));
}

#[test]
fn the_command_table_of_the_readme_is_up_to_date() {
    check("README.md", |readme| readme::with_table(readme, &definition()));
}

/// Writes the scripts of clap_complete into the directory that $CLAP_SCRIPTS names.
#[test]
#[ignore = "tests/bench/shell compares with what this writes"]
fn what_clap_would_complete() {
    use clap_complete::{Shell, generate_to};

    let directory = std::env::var_os("CLAP_SCRIPTS").expect("CLAP_SCRIPTS");
    for shell in [Shell::Zsh, Shell::Bash, Shell::Fish] {
        let script = generate_to(shell, &mut definition(), "mx", &directory);
        let text = fs::read_to_string(script.expect("a directory")).expect("a script");
        assert!(text.contains("limits"), "{shell}: {text}");
    }
}

#[test]
fn live_values_name_arguments_that_exist() {
    fn ids(command: &Command) -> Vec<String> {
        let own = command.get_arguments().map(|arg| arg.get_id().to_string());
        own.chain(command.get_subcommands().flat_map(ids)).collect()
    }
    let ids = ids(&definition());
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

/// The options of a command that its help lists.
fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional())
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn help(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

/// `-q` and `--quiet`.
fn spellings(arg: &Arg) -> Vec<String> {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    short.into_iter().chain(long).collect()
}

fn is_repeated(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.max_values() > 1)
        || matches!(arg.get_action(), ArgAction::Append)
}

/// Whether an option can be given again.
fn may_recur(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append | ArgAction::Count)
}

/// Whether nothing can stand beside an option, as beside --help.
fn stands_alone(arg: &Arg) -> bool {
    use ArgAction::{Help, HelpLong, HelpShort, Version};
    matches!(arg.get_action(), Help | HelpLong | HelpShort | Version)
}

/// The arguments that cannot stand beside this one.
fn conflicts<'a>(command: &'a Command, arg: &'a Arg) -> impl Iterator<Item = &'a Arg> {
    // clap records a conflict with one of the two.
    let conflict = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
    };
    command
        .get_arguments()
        .filter(move |other| conflict(arg, other) || conflict(other, arg))
        .filter(|other| other.get_id() != arg.get_id())
}

/// What hides an option once it is given: its own spellings first, unless it may recur.
fn excluded_by(command: &Command, arg: &Arg) -> Vec<String> {
    let own = if may_recur(arg) { Vec::new() } else { spellings(arg) };
    own.into_iter().chain(conflicts(command, arg).flat_map(spellings)).collect()
}

/// What the values of an argument are, for a shell to complete.
enum Values {
    /// What `mx __complete NOUN` lists.
    Live(&'static str),
    /// These, each with its description.
    Words(Vec<(String, String)>),
    Users,
    Hosts,
    Files,
    Directories,
    Programs,
    /// A program and its arguments.
    CommandLine,
    Unknown,
}

fn values(arg: &Arg) -> Values {
    if let Some((_, noun)) = LIVE_VALUES.iter().find(|(id, _)| arg.get_id() == id) {
        return Values::Live(noun);
    }
    let words = arg.get_possible_values();
    if !words.is_empty() && arg.get_action().takes_values() {
        let shown = words.iter().filter(|value| !value.is_hide_set()).map(|value| {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            (value.get_name().to_owned(), help)
        });
        return Values::Words(shown.collect());
    }
    match arg.get_value_hint() {
        ValueHint::Username => Values::Users,
        ValueHint::Hostname => Values::Hosts,
        ValueHint::FilePath | ValueHint::AnyPath => Values::Files,
        ValueHint::DirPath => Values::Directories,
        ValueHint::CommandName | ValueHint::ExecutablePath => Values::Programs,
        ValueHint::CommandWithArguments => Values::CommandLine,
        _ => Values::Unknown,
    }
}
