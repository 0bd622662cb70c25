//! `mx`: short, consistent answers to what developers ask a machine all day.
//!
//! `cmd` holds a file for each command, `out` everything that is printed,
//! `exit` every exit code. What a command knows about the system comes from a
//! crate of its own; nothing here depends on which system it is.

#![expect(
    rustdoc::broken_intra_doc_links,
    reason = "doc comments on arguments are help for the terminal"
)]

mod attributes;
mod cmd;
mod deferred;
mod directives;
mod edit;
mod exit;
#[cfg(test)]
mod generate;
mod integration;
mod keys;
mod manual;
mod out;
mod screen;
mod shell;
mod startup_file;
mod sudo;
mod table;
mod values;

use std::env;
use std::process::ExitCode;

use clap::Parser;

use crate::cmd::Command;
use crate::out::{Out, OutputArgs};

/// Short, consistent answers to what developers ask a machine all day.
///
/// The same words, output and exit codes on macOS and Linux. On a terminal the
/// answer is a table; piped, the same columns separated by tabs; with --json,
/// one document.
///
/// Exit codes: 0 yes or done, 1 no or not found, 2 wrong usage, 3 could not do
/// it or could not tell.
#[derive(Parser)]
#[command(name = "mx", version, arg_required_else_help = true, args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx ports 8080               who holds port 8080
  mx ports kill 8080          end it
  mx ports --json             everything that is bound, as JSON
  make 2>&1 | mx copy         onto the clipboard, also through SSH
  mx setup                    completion in new shells
  mx help ports kill          all about a command")]
struct Mx {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    if let Some(script) = cmd::for_new_shell(env::args_os()) {
        let written = out::write(&script).map(|_| exit::Exit::Yes);
        return written.unwrap_or_else(|failure| out::failure(&failure)).into();
    }
    let outcome = match deferred::parse(&cmd::spell_out(env::args_os())) {
        Ok(Mx { output, command }) => Out::new(&output).and_then(|out| {
            let outcome = command.run(&out);
            cmd::refresh(&out);
            outcome
        }),
        Err(error) => exit::usage(&error),
    };
    outcome.unwrap_or_else(|failure| out::failure(&failure)).into()
}
