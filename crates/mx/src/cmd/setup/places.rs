//! Where the integration of a shell goes, and what has to change there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::{CommandFactory, ValueEnum};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::loading;
use crate::Mx;
use crate::edit::Edit;
use crate::exit::Failure;
use crate::integration;
use crate::manual;
use crate::shell::Shell;
use crate::startup_file;

/// In the first line of files that lie among files of the user.
const OWN: &str = "Written by mx setup, which also removes it.\n";

/// The first line of the file in which fish finds the limits that are kept.
pub(crate) const OWN_LIMITS: &str = "# Written by `mx limits persist`; --undo removes it.\n";

/// Whether `mx limits persist` wrote this file.
pub(crate) fn is_own_limits(text: &[u8]) -> bool {
    text.starts_with(OWN_LIMITS.as_bytes())
}

const MARKS: &str = "from '# >>> mx' to '# <<< mx <<<'";

/// A file of the integration.
struct Target {
    path: PathBuf,
    text: Vec<u8>,
    /// The user may have a file of this name; that of `mx setup` has [`OWN`] in its first line.
    shared: bool,
}

/// Where the integration goes.
pub(crate) struct Places {
    pub(super) shell: Shell,
    pub(super) home: PathBuf,
    /// Where its files go.
    pub(crate) directory: PathBuf,
    /// Where the manual pages go, which belong to no shell.
    pub(super) manual: PathBuf,
    /// The start-up files that load it.
    pub(super) startup: Vec<PathBuf>,
    /// Every start-up file that may load it from before.
    pub(crate) former: Vec<PathBuf>,
    /// The file of the limits that are kept, where that is not the block of a start-up file.
    pub(crate) limits: Option<PathBuf>,
}

impl Places {
    pub(crate) fn find(shell: Shell) -> Result<Self, Failure> {
        let variable =
            |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = variable("HOME").ok_or_else(|| {
            Failure::unable("cannot find the home directory: HOME is not set to an absolute path")
        })?;
        let data = || variable("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
        let config = || variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let (directory, startup, former) = match shell {
            Shell::Zsh => {
                let startup = variable("ZDOTDIR").unwrap_or_else(|| home.clone()).join(".zshrc");
                (data().join("mx/zsh"), vec![startup.clone()], vec![startup])
            }
            Shell::Bash => {
                (data().join("mx/bash"), loading::bash_startup(&home), loading::bash_former(&home))
            }
            Shell::Fish => (config().join("fish"), Vec::new(), Vec::new()),
        };
        let manual = data().join("man/man1");
        let limits = (shell == Shell::Fish).then(|| directory.join("conf.d/mx-limits.fish"));
        Ok(Self { shell, home, directory, manual, startup, former, limits })
    }

    /// With the start-up file of a zsh that is started now, which sets ZDOTDIR itself in
    /// a file that it reads first: the variable need not be exported.
    pub(crate) fn asked(mut self) -> Self {
        const PATIENCE: Duration = Duration::from_secs(2);
        const ASK: &str = "builtin print -rn -- \"|$ZDOTDIR\"";

        if self.shell != Shell::Zsh || env::var_os("PATH").is_none() {
            return self;
        }
        let Ok(printed) = sys::session::run("zsh", &["-c", ASK], PATIENCE) else { return self };
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let Some((_, directory)) = printed.rsplit_once('|') else { return self };
        let startup = Path::new(directory).join(".zshrc");
        if startup.is_absolute() && !self.former.contains(&startup) {
            self.startup = vec![startup.clone()];
            self.former.push(startup);
        }
        self
    }

    /// Keeps other runs from changing the same files, until it is dropped. `None` where
    /// files cannot be locked: what changes in between is still noticed.
    pub(crate) fn lock(&self) -> Result<Option<fs::File>, Failure> {
        /// Other runs take much less.
        const PATIENCE: Duration = Duration::from_secs(10);

        let end = Instant::now() + PATIENCE;
        let Ok(home) = fs::File::open(&self.home) else { return Ok(None) };
        while Instant::now() < end {
            match rustix::fs::flock(&home, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(home)),
                Err(Errno::WOULDBLOCK | Errno::INTR) => thread::sleep(Duration::from_millis(10)),
                Err(_) => return Ok(None),
            }
        }
        Err(Failure::unable(format!(
            "cannot change files of your shells: another program keeps {} locked",
            self.home.display()
        )))
    }

    /// The same for a run that can be left to a later one: nothing is waited for.
    pub(super) fn try_lock(&self) -> Option<fs::File> {
        let home = fs::File::open(&self.home).ok()?;
        rustix::fs::flock(&home, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(home)
    }

    /// First the integration, then the line that loads it, then what an
    /// installation elsewhere leaves behind.
    pub(super) fn install(&self) -> Result<Vec<Edit>, Failure> {
        let mut changes = self
            .check_home()
            .and_then(|()| self.outdated_files())
            .map_err(|failure| self.by_hand(failure, &self.read_first()))?;
        let plugin = self.directory.join(integration::files(self.shell)[0].path);
        for path in &self.startup {
            let change = self.load_in(path, &plugin);
            changes.extend(change.map_err(|failure| self.by_hand(failure, path))?);
        }
        changes.extend(self.files_elsewhere()?);
        Ok(changes)
    }

    /// What makes a start-up file load the integration, if it does not yet.
    fn load_in(&self, path: &Path, plugin: &Path) -> Result<Option<Edit>, Failure> {
        startup_file::check_writable(path)?;
        let old = startup_file::read(path)?;
        self.check_syntax(path, old.as_deref())?;
        let load = loading::line(self.shell, plugin)?;
        let block = loading::block(self.shell, &load);
        let new = startup_file::with_block(old.as_deref(), &block)?;
        let is_there = old.as_deref() == Some(new.as_slice());
        Ok((!is_there).then(|| Edit::add(path, load, old, new)))
    }

    /// First the integration, which makes room on a full disk, then the line that loads
    /// it, and looks whether it is there.
    pub(super) fn uninstall(&self) -> Result<Vec<Edit>, Failure> {
        let mut changes = Vec::new();
        if let Some(limits) = &self.limits
            && let Some(old) = startup_file::read(limits)?.filter(|old| is_own_limits(old))
        {
            changes.push(Edit::remove(limits.clone(), old));
        }
        let keeps_manual = self.is_installed_for_another_shell();
        let targets = self
            .targets()
            .filter(|target| !(keeps_manual && target.path.starts_with(&self.manual)));
        for target in targets {
            match startup_file::read(&target.path)? {
                Some(old) if target.is_own(&old) => {
                    changes.push(self.marked(Edit::remove(target.path, old)));
                }
                _ => {}
            }
        }
        changes.extend(self.files_elsewhere()?);
        for path in &self.former {
            let Some(old) = startup_file::read(path)? else { continue };
            let new = startup_file::without_block(&old)?;
            if new.as_ref() != Some(&old) {
                startup_file::check_writable(path).map_err(|failure| {
                    let file = path.display();
                    failure.hint(format!("remove the lines of mx from {file} by hand: {MARKS}"))
                })?;
                changes.push(Edit::cut(path, old, new));
            }
        }
        Ok(changes)
    }

    /// Removes what runs that were killed have left where this one writes.
    pub(super) fn remove_leftovers(&self) {
        let files =
            integration::files(self.shell).iter().map(|file| self.directory.join(file.path));
        let files = files.chain([self.manual.join("mx.1")]).chain(self.former.iter().cloned());
        let mut directories: Vec<PathBuf> =
            files.filter_map(|path| path.parent().map(Path::to_path_buf)).collect();
        directories.dedup();
        for directory in directories {
            startup_file::remove_leftovers(&directory);
        }
    }

    /// Files that are installed, by a function with this tag, and differ from what they should be.
    pub(super) fn refresh(&self, tag: &str) -> Result<Vec<Edit>, Failure> {
        let changes = self.outdated_files()?;
        let holds_tag = |change: &Edit| {
            let old = change.old.as_deref().unwrap_or_default();
            old.windows(tag.len()).any(|window| window == tag.as_bytes())
        };
        Ok(if changes.iter().any(holds_tag) { changes } else { Vec::new() })
    }

    /// Removes the directories that installing made, unless something else is in them.
    pub(super) fn remove_empty_directories(&self, removed: &[Edit]) {
        if removed.iter().any(|change| change.manual_page) {
            // A directory that is not empty is not ours to empty, here and below.
            let _ = fs::remove_dir(&self.manual);
            let _ = self.manual.parent().map(fs::remove_dir);
        }
        if self.is_shared() {
            return;
        }
        let names = ["shell/functions", "shell", "completions", "", ".."];
        for change in removed {
            let Some(directory) = self.directory_of(&change.path) else { continue };
            for name in names {
                let _ = fs::remove_dir(match name {
                    ".." => directory.parent().unwrap_or(directory).to_path_buf(),
                    name => directory.join(name),
                });
            }
        }
    }

    fn marked(&self, mut edit: Edit) -> Edit {
        edit.manual_page = edit.path.starts_with(&self.manual);
        edit.shown_as = if edit.manual_page {
            Some(self.manual.join("mx*.1"))
        } else {
            let is_own = !self.is_shared() && edit.path.starts_with(&self.directory);
            is_own.then(|| self.directory.join("*"))
        };
        edit
    }

    /// The integration's directory to which a file belongs.
    fn directory_of<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let own = Path::new("mx").join(self.shell.name());
        path.ancestors().find(|directory| directory.ends_with(&own))
    }

    fn targets(&self) -> impl Iterator<Item = Target> {
        let shared = self.is_shared();
        let scripts = integration::files(self.shell).iter().map(move |file| {
            let mark = if shared { format!("# {OWN}") } else { String::new() };
            let text = format!("{mark}{}", integration::installed(self.shell, file));
            Target { path: self.directory.join(file.path), text: text.into_bytes(), shared }
        });
        let pages = manual::pages(Mx::command()).into_iter().map(|(name, text)| {
            let text = format!(".\\\" {OWN}{text}");
            Target { path: self.manual.join(name), text: text.into_bytes(), shared: true }
        });
        scripts.chain(pages)
    }

    /// The files that are not what they should be.
    fn outdated_files(&self) -> Result<Vec<Edit>, Failure> {
        let mut changes = Vec::new();
        for target in self.targets() {
            let old = startup_file::read(&target.path)?;
            if old.as_ref().is_some_and(|old| !target.is_own(old)) {
                return Err(Failure::unable(format!(
                    "cannot write {}: it is there already, and `mx setup` did not write it",
                    target.path.display()
                ))
                .hint("move it away, then try again"));
            }
            if old.as_deref() != Some(target.text.as_slice()) {
                changes.push(self.marked(Edit::write(target.path, old, target.text)));
            }
        }
        Ok(changes)
    }

    fn is_installed_for_another_shell(&self) -> bool {
        let mut others = Shell::value_variants().iter().filter(|shell| **shell != self.shell);
        others.any(|shell| {
            Self::find(*shell).is_ok_and(|places| {
                let first = places.directory.join(integration::files(*shell)[0].path);
                startup_file::read(&first).is_ok_and(|text| text.is_some())
            })
        })
    }

    /// Removes what was installed where $XDG_DATA_HOME pointed before. The
    /// start-up files say where that was.
    fn files_elsewhere(&self) -> Result<Vec<Edit>, Failure> {
        let mut changes = Vec::new();
        for startup in &self.former {
            let Some(text) = startup_file::read(startup)? else { continue };
            let Some(plugin) = loading::plugin(&text) else { continue };
            let Some(directory) = self.directory_of(&plugin) else { continue };
            if directory == self.directory || !self.is_installation(directory)? {
                continue;
            }
            for file in integration::files(self.shell) {
                let path = directory.join(file.path);
                if let Some(old) = startup_file::read(&path)? {
                    changes.push(Edit::remove(path, old));
                }
            }
        }
        Ok(changes)
    }

    /// Whether `mx setup` wrote the files of this directory: it may be a source tree.
    fn is_installation(&self, directory: &Path) -> Result<bool, Failure> {
        let tagged = format!("{}={}:", integration::CALLER, self.shell.name());
        for file in integration::files(self.shell) {
            let text = startup_file::read(&directory.join(file.path))?.unwrap_or_default();
            if String::from_utf8_lossy(&text).contains(&tagged) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether files of the user lie in the directory, too.
    fn is_shared(&self) -> bool {
        matches!(self.shell, Shell::Fish)
    }
}

impl Target {
    fn is_own(&self, text: &[u8]) -> bool {
        let first = text.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
        !self.shared || first.ends_with(OWN.as_bytes())
    }
}
