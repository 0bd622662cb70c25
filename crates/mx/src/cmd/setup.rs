//! `mx setup`: install and remove the shell integration.

use std::env;
use std::fs;
use std::path::PathBuf;

use super::init::{self, Shell};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::startup_file;

/// Install the shell integration, or remove it
///
/// Writes the integration below $XDG_DATA_HOME/mx (~/.local/share/mx) and one
/// marked block into ${ZDOTDIR:-$HOME}/.zshrc that loads it. Doing it again
/// changes nothing. --uninstall removes both and leaves .zshrc as it was
/// before.
#[derive(clap::Args)]
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
    if changes.is_empty() {
        out.note(if args.uninstall { "nothing is installed" } else { "already set up" });
        return Ok(Exit::Yes);
    }
    for change in &changes {
        if args.dry_run {
            out.text(&change.what)?;
        } else {
            change.apply()?;
        }
    }
    if !args.dry_run {
        if args.uninstall {
            fs::remove_dir(places.data.join("shell/functions")).ok();
            fs::remove_dir(places.data.join("shell")).ok();
            fs::remove_dir(places.data.join("completions")).ok();
            fs::remove_dir(&places.data).ok();
            out.note(&format!("removed from {}", places.startup.display()));
        } else {
            out.note(&format!("set up in {}", places.startup.display()));
            out.hint("open a new shell, or run: exec zsh");
        }
    }
    Ok(Exit::Yes)
}

/// The files of the integration, as they lie in the source tree.
const FILES: [(&str, &str); 4] = [
    ("shell/mx.plugin.zsh", include_str!("../../../../shell/mx.plugin.zsh")),
    ("shell/functions/mx", init::FUNCTION),
    ("shell/functions/_mx_register", init::REGISTER),
    ("completions/_mx", init::COMPLETION),
];

/// Where the integration goes.
struct Places {
    data: PathBuf,
    startup: PathBuf,
}

/// A file that is to be written, or removed.
struct Change {
    path: PathBuf,
    text: Option<Vec<u8>>,
    /// What a person wants to know of it.
    what: String,
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
        Ok(Self { data: data.join("mx"), startup: startup.join(".zshrc") })
    }

    /// First the integration, then the line that loads it.
    fn install(&self) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        for (name, text) in FILES {
            let path = self.data.join(name);
            if startup_file::read(&path)?.as_deref() != Some(text.as_bytes()) {
                let what = format!("write {}\n", path.display());
                changes.push(Change { path, text: Some(text.as_bytes().to_vec()), what });
            }
        }
        let block = self.block()?;
        let old = startup_file::read(&self.startup)?;
        let new = startup_file::with_block(old.as_deref(), &block)?;
        if old.as_deref() != Some(new.as_slice()) {
            let what = format!("add to {}:\n{}", self.startup.display(), indent(&block));
            changes.push(Change { path: self.startup.clone(), text: Some(new), what });
        }
        Ok(changes)
    }

    /// First the line that loads it, then the integration.
    fn uninstall(&self) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        if let Some(old) = startup_file::read(&self.startup)? {
            let new = startup_file::without_block(&old)?;
            if new.as_ref() != Some(&old) {
                let what = match new {
                    Some(_) => format!("remove the block of mx from {}\n", self.startup.display()),
                    None => format!("remove {}, which mx made\n", self.startup.display()),
                };
                changes.push(Change { path: self.startup.clone(), text: new, what });
            }
        }
        for (name, _) in FILES {
            let path = self.data.join(name);
            if path.exists() {
                let what = format!("remove {}\n", path.display());
                changes.push(Change { path, text: None, what });
            }
        }
        Ok(changes)
    }

    fn block(&self) -> Result<String, Failure> {
        let plugin = self.data.join(FILES[0].0);
        let plugin = plugin.to_str().ok_or_else(|| {
            Failure::unable(format!(
                "cannot write {} into a script: it is not UTF-8",
                plugin.display()
            ))
        })?;
        let plugin = init::quote(plugin);
        Ok(format!(
            "# Managed by `mx setup zsh`; `mx setup zsh --uninstall` removes it.\n\
             if [[ -r {plugin} ]]; then builtin source {plugin}; fi\n"
        ))
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

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
