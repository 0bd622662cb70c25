//! `mx setup`: install and remove the shell integration.

mod places;

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use self::places::Places;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::shell::Shell;
use crate::startup_file;
use crate::table::{Align, Cell, Column, Table};

/// Install the shell integration, or remove it
///
/// zsh: writes the integration below $XDG_DATA_HOME/mx/zsh
/// (~/.local/share/mx/zsh) and one marked block that loads it into
/// ${ZDOTDIR:-$HOME}/.zshrc.
///
/// bash: the same below $XDG_DATA_HOME/mx/bash and into ~/.bashrc. Login
/// shells, which macOS opens, do not read that: where ~/.bash_profile,
/// ~/.bash_login or ~/.profile (the first that exists) does not mention
/// .bashrc, the block goes into that file, too.
///
/// fish: writes functions/mx.fish and completions/mx.fish below
/// $XDG_CONFIG_HOME/fish (~/.config/fish), where fish finds them by itself.
///
/// Doing it again changes nothing. --uninstall removes all of it and leaves the
/// start-up files as they were before.
#[derive(clap::Args)]
#[command(args_override_self = true)]
pub(crate) struct SetupArgs {
    /// The shell
    shell: Shell,
    /// Print what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove the integration
    #[arg(long)]
    uninstall: bool,
}

pub(crate) fn setup(args: &SetupArgs, out: &Out) -> Outcome {
    let places = Places::find(args.shell)?;
    let changes = if args.uninstall { places.uninstall()? } else { places.install()? };
    if !args.dry_run {
        changes.iter().try_for_each(Change::apply)?;
        if args.uninstall {
            places.remove_empty_directories();
        }
    }
    let report = Report { shell: args.shell, applied: !args.dry_run, changes };
    out.document("mx.setup/1", &report, || table(&report.changes))?;
    if report.changes.is_empty() {
        out.note(if args.uninstall { "nothing is installed" } else { "already set up" });
    } else if args.dry_run {
        out.note("nothing was changed");
    } else {
        let rest = if args.uninstall {
            "shells that are open still refer to it"
        } else {
            "open a new shell"
        };
        out.hint(&format!("{rest}, or run: exec {}", args.shell.name()));
    }
    Ok(Exit::Yes)
}

#[derive(Serialize)]
struct Report {
    shell: Shell,
    /// False for a dry run.
    applied: bool,
    changes: Vec<Change>,
}

/// A file that is written, edited or removed.
#[derive(Serialize)]
struct Change {
    action: Action,
    path: PathBuf,
    /// The lines that an edit adds.
    lines: Option<String>,
    /// The file's whole new text; `None` removes the file.
    #[serde(skip)]
    text: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Write,
    Add,
    Cut,
    Remove,
}

fn table(changes: &[Change]) -> Table {
    let column = |heading| Column { heading, align: Align::Left };
    let row = |change: &Change| {
        let action = match change.action {
            Action::Write => "write",
            Action::Add => "add",
            Action::Cut => "cut",
            Action::Remove => "remove",
        };
        vec![
            Cell::new(action),
            Cell::new(change.path.to_string_lossy()),
            Cell::new(change.lines.as_deref().unwrap_or_default()),
        ]
    };
    Table {
        columns: vec![column("CHANGE"), column("FILE"), column("LINES")],
        rows: changes.iter().map(row).collect(),
    }
}

impl Change {
    fn apply(&self) -> Result<(), Failure> {
        let Some(text) = &self.text else { return startup_file::remove(&self.path) };
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent)
                .map_err(|error| startup_file::failure("make", parent, &error))?;
        }
        startup_file::replace(&self.path, text)
    }
}
