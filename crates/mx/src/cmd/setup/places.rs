//! Where the integration of a shell goes, and what has to change there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Action, Change};
use crate::cmd::init;
use crate::exit::Failure;
use crate::integration;
use crate::shell::Shell;
use crate::startup_file;

/// The first line of files that lie among files of the user.
const OWN: &str = "# Written by `mx setup`, which also removes it.\n";

/// Where the integration goes.
pub(super) struct Places {
    shell: Shell,
    /// Where its files go.
    directory: PathBuf,
    /// The start-up files that load it.
    startup: Vec<PathBuf>,
    /// Every start-up file that may load it from before.
    former: Vec<PathBuf>,
}

impl Places {
    pub(super) fn find(shell: Shell) -> Result<Self, Failure> {
        let directory =
            |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = directory("HOME").ok_or_else(|| {
            Failure::unable("cannot find the home directory: HOME is not set to an absolute path")
        })?;
        let data = || directory("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
        let config = || directory("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let (directory, startup, former) = match shell {
            Shell::Zsh => {
                let startup = directory("ZDOTDIR").unwrap_or_else(|| home.clone()).join(".zshrc");
                (data().join("mx/zsh"), vec![startup.clone()], vec![startup])
            }
            Shell::Bash => (data().join("mx/bash"), bash_startup(&home)?, bash_former(&home)),
            Shell::Fish => (config().join("fish"), Vec::new(), Vec::new()),
        };
        Ok(Self { shell, directory, startup, former })
    }

    /// First the integration, then the line that loads it.
    pub(super) fn install(&self) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        for (path, text) in self.files() {
            let old = startup_file::read(&path)?;
            if old.as_ref().is_some_and(|old| !self.is_own(old)) {
                return Err(Failure::unable(format!(
                    "cannot write {}: it is there already, and `mx setup` did not write it",
                    path.display()
                ))
                .hint("move it away, then try again"));
            }
            if old.as_deref() != Some(text.as_slice()) {
                changes.push(Change { action: Action::Write, path, lines: None, text: Some(text) });
            }
        }
        for path in &self.startup {
            changes.extend(self.load_from(path)?);
        }
        Ok(changes)
    }

    /// First the line that loads it, then the integration.
    pub(super) fn uninstall(&self) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        for path in &self.former {
            let Some(old) = startup_file::read(path)? else { continue };
            let new = startup_file::without_block(&old)?;
            if new.as_ref() != Some(&old) {
                let action = if new.is_some() { Action::Cut } else { Action::Remove };
                changes.push(Change { action, path: path.clone(), lines: None, text: new });
            }
        }
        for (path, _) in self.files() {
            if startup_file::read(&path)?.is_some_and(|text| self.is_own(&text)) {
                changes.push(Change { action: Action::Remove, path, lines: None, text: None });
            }
        }
        Ok(changes)
    }

    /// Removes the directories that installing made, unless something else is in them.
    pub(super) fn remove_empty_directories(&self) {
        if self.is_shared() {
            return;
        }
        let below =
            ["shell/functions", "shell", "completions"].map(|name| self.directory.join(name));
        let above = self.directory.ancestors().take(2).map(Path::to_path_buf);
        for directory in below.into_iter().chain(above) {
            // A directory that is not empty is not ours to empty.
            let _ = fs::remove_dir(directory);
        }
    }

    fn files(&self) -> impl Iterator<Item = (PathBuf, Vec<u8>)> {
        let own = if self.is_shared() { OWN } else { "" };
        integration::files(self.shell)
            .iter()
            .map(move |file| (self.directory.join(file.path), format!("{own}{}", file.text).into()))
    }

    /// Whether files of the user lie in the directory, too.
    fn is_shared(&self) -> bool {
        matches!(self.shell, Shell::Fish)
    }

    fn is_own(&self, text: &[u8]) -> bool {
        !self.is_shared() || text.starts_with(OWN.as_bytes())
    }

    /// The change that makes a start-up file load the integration.
    fn load_from(&self, path: &Path) -> Result<Option<Change>, Failure> {
        let load = self.load()?;
        let block = format!(
            "# Managed by `mx setup {shell}`; `mx setup {shell} --uninstall` removes it.\n{load}",
            shell = self.shell.name()
        );
        startup_file::check_writable(path)?;
        let old = startup_file::read(path)?;
        let new = startup_file::with_block(old.as_deref(), &block)?;
        let path = path.to_path_buf();
        Ok((old.as_deref() != Some(new.as_slice())).then_some(Change {
            action: Action::Add,
            path,
            lines: Some(load),
            text: Some(new),
        }))
    }

    /// The line that loads the integration, if it is there.
    fn load(&self) -> Result<String, Failure> {
        let plugin = self.directory.join(integration::files(self.shell)[0].path);
        let plugin = plugin.to_str().ok_or_else(|| {
            Failure::unable(format!(
                "cannot write {} into a script: it is not UTF-8",
                plugin.display()
            ))
        })?;
        let plugin = init::quote(plugin);
        Ok(match self.shell {
            // Other shells read some of the start-up files of bash.
            Shell::Bash => format!(
                "if [ -n \"${{BASH_VERSION-}}\" ] && [ -r {plugin} ]; then . {plugin}; fi\n"
            ),
            _ => format!("if [[ -r {plugin} ]]; then builtin source {plugin}; fi\n"),
        })
    }
}

/// What bash reads first that exists, as a login shell.
const BASH_LOGIN: [&str; 3] = [".bash_profile", ".bash_login", ".profile"];

/// `.bashrc`, and what a login shell reads unless that reads `.bashrc` itself.
/// Where there is none it is `.profile`, which takes the place of no other.
fn bash_startup(home: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut startup = vec![home.join(".bashrc")];
    let login = BASH_LOGIN.map(|name| home.join(name));
    let Some(first) = login.iter().find(|path| path.exists()) else {
        startup.push(home.join(".profile"));
        return Ok(startup);
    };
    let text = startup_file::read(first)?.unwrap_or_default();
    let mentions = |text: &[u8]| text.windows(6).any(|window| window == b"bashrc");
    if !mentions(&text) {
        startup.push(first.clone());
    }
    Ok(startup)
}

fn bash_former(home: &Path) -> Vec<PathBuf> {
    std::iter::once(".bashrc").chain(BASH_LOGIN).map(|name| home.join(name)).collect()
}
