//! The README's table of commands.

use std::fmt::Write;

use clap::Command;

use super::{about, is_repeated, visible};

/// The README with the table of the commands of `mx` between its marks.
pub(super) fn with_table(readme: &str, mx: &Command) -> String {
    let mut table = String::from("| command | short | does |\n|---|---|---|\n");
    for command in visible(mx).filter(|command| command.get_name() != "help") {
        command_rows(command, "mx", &mut table);
    }
    between_marks(readme, &table)
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
            let dashes = if arg.is_last_set() { "-- " } else { "" };
            if arg.is_required_set() {
                format!(" {dashes}{name}{dots}")
            } else {
                format!(" [{dashes}{name}{dots}]")
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
