//! `mx setup`: install and remove the shell integration.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::init::{self, Shell};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::startup_file;
use crate::table::{Align, Cell, Column, Table};

/// Install the shell integration, or remove it
///
/// Writes the integration below $XDG_DATA_HOME/mx/zsh (~/.local/share/mx/zsh) and one
/// marked block into ${ZDOTDIR:-$HOME}/.zshrc that loads it. Doing it again
/// changes nothing. --uninstall removes both and leaves .zshrc as it was
/// before.
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
    let Shell::Zsh = args.shell;
    let places = Places::find()?;
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
        out.hint(&format!("{rest}, or run: exec zsh"));
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

/// The files of the integration, as they lie in the source tree.
const FILES: [(&str, &str); 4] = [
    ("shell/mx.plugin.zsh", init::PLUGIN),
    ("shell/functions/mx", init::FUNCTION),
    ("shell/functions/_mx_register", init::REGISTER),
    ("completions/_mx", init::COMPLETION),
];

/// Where the integration goes.
struct Places {
    data: PathBuf,
    startup: PathBuf,
}

impl Places {
    fn find() -> Result<Self, Failure> {
        let directory =
            |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = directory("HOME").ok_or_else(|| {
            Failure::unable("cannot find the home directory: HOME is not set to an absolute path")
        })?;
        let data = directory("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
        let startup = directory("ZDOTDIR").unwrap_or(home);
        Ok(Self { data: data.join("mx/zsh"), startup: startup.join(".zshrc") })
    }

    /// First the integration, then the line that loads it.
    fn install(&self) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        for (name, text) in FILES {
            let path = self.data.join(name);
            if startup_file::read(&path)?.as_deref() != Some(text.as_bytes()) {
                let text = Some(text.as_bytes().to_vec());
                changes.push(Change { action: Action::Write, path, lines: None, text });
            }
        }
        let load = self.load()?;
        let block =
            format!("# Managed by `mx setup zsh`; `mx setup zsh --uninstall` removes it.\n{load}");
        startup_file::check_writable(&self.startup)?;
        let old = startup_file::read(&self.startup)?;
        let new = startup_file::with_block(old.as_deref(), &block)?;
        if old.as_deref() != Some(new.as_slice()) {
            let path = self.startup.clone();
            changes.push(Change { action: Action::Add, path, lines: Some(load), text: Some(new) });
        }
        Ok(changes)
    }

    /// First the line that loads it, then the integration.
    fn uninstall(&self) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        if let Some(old) = startup_file::read(&self.startup)? {
            let new = startup_file::without_block(&old)?;
            if new.as_ref() != Some(&old) {
                let action = if new.is_some() { Action::Cut } else { Action::Remove };
                let path = self.startup.clone();
                changes.push(Change { action, path, lines: None, text: new });
            }
        }
        for (name, _) in FILES {
            let path = self.data.join(name);
            if path.exists() {
                changes.push(Change { action: Action::Remove, path, lines: None, text: None });
            }
        }
        Ok(changes)
    }

    /// Removes the directories that installing made, unless something else is in them.
    fn remove_empty_directories(&self) {
        let below = ["shell/functions", "shell", "completions"].map(|name| self.data.join(name));
        let above = self.data.ancestors().take(2).map(Path::to_path_buf);
        for directory in below.into_iter().chain(above) {
            // A directory that is not empty is not ours to empty.
            let _ = fs::remove_dir(directory);
        }
    }

    /// The line that loads the integration, if it is there.
    fn load(&self) -> Result<String, Failure> {
        let plugin = self.data.join(FILES[0].0);
        let plugin = plugin.to_str().ok_or_else(|| {
            Failure::unable(format!(
                "cannot write {} into a script: it is not UTF-8",
                plugin.display()
            ))
        })?;
        let plugin = init::quote(plugin);
        Ok(format!("if [[ -r {plugin} ]]; then builtin source {plugin}; fi\n"))
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
