//! What `mx setup` looks at in a home: whether it may write there, and afterwards
//! whether a new shell loads what it wrote.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::places::Places;
use crate::exit::Failure;
use crate::shell::Shell;
use crate::sudo;

impl Places {
    /// Refuses root in the home of a user, as with `sudo -E`: the files would be root's.
    pub(super) fn check_home(&self) -> Result<(), Failure> {
        let owner = fs::metadata(&self.home).map_or(0, |metadata| metadata.uid());
        if owner == 0 || !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let user = sys::user::name(owner).unwrap_or_else(|| owner.to_string());
        let failure = Failure::unable(format!(
            "cannot write to {}: it belongs to {user}, and this is root",
            self.home.display()
        ));
        Err(failure.hint(format!("run mx setup {} as {user}, without sudo", self.shell.name())))
    }

    /// Refuses a start-up file that ends within a quoted text or a block: what is added
    /// would be part of that. The shell checks it, and runs nothing.
    pub(super) fn check_syntax(&self, path: &Path, text: Option<&[u8]>) -> Result<(), Failure> {
        const PATIENCE: Duration = Duration::from_secs(2);

        if text.is_none_or(<[u8]>::is_empty) || env::var_os("PATH").is_none() {
            return Ok(());
        }
        let Some(file) = path.to_str() else { return Ok(()) };
        match sys::tool::run(self.shell.name(), &["-n", file], b"", PATIENCE) {
            Ok(output) if !output.status.success() => Err(Failure::unable(format!(
                "cannot add to {}: {} finds an error in it: {}",
                path.display(),
                self.shell.name(),
                output.complaint().trim_start_matches(&format!("{file}:")).trim()
            ))
            .hint("mend the file, then try again")),
            // What cannot be checked is for the user to know.
            _ => Ok(()),
        }
    }

    /// What a user should know of this installation, in the order of importance.
    pub(super) fn advice(&self) -> Vec<String> {
        let mut advice = self.trial();
        let path = env::var_os("PATH").unwrap_or_default();
        let has = |directory: &Path| env::split_paths(&path).any(|one| one == directory);
        // man looks beside each directory of PATH (manpath(5)).
        let share = self.manual.ancestors().nth(2);
        if let Some(share) = share
            && !share.parent().is_some_and(|prefix| has(&prefix.join("bin")))
        {
            let man = share.join("man");
            advice.push(format!("man mx finds its pages after: export MANPATH={}:", man.display()));
        }
        if let Some(program) = sudo::program() {
            advice.push(format!("with sudo, type the whole path: sudo {}", program.display()));
        }
        advice
    }

    /// Starts the shell once, as the next terminal does, and sees what is loaded.
    fn trial(&self) -> Vec<String> {
        const PATIENCE: Duration = Duration::from_secs(5);
        /// The function, and whether completion is set up.
        const ZSH: &str =
            "builtin print -r -- \"mx:$(( ${+functions[mx]} )):$(( ${+functions[compdef]} )):\"";
        const BASH: &str = "builtin echo \"mx:$(builtin type -t mx | grep -c function):1:\"";

        let (shell, Some(file)) = (self.shell.name(), self.startup.first()) else {
            return Vec::new();
        };
        let ask = if self.shell == Shell::Zsh { ZSH } else { BASH };
        let path = env::var_os("PATH").unwrap_or_default();
        if !env::split_paths(&path).any(|directory| directory.join(shell).is_file()) {
            return Vec::new();
        }
        let file = file.display();
        let missed = format!(
            "a new {shell} does not get to the block in {file}: a line before it returns, \
             or starts another program; move the block up"
        );
        let Ok(printed) = sys::session::run(shell, &["-i", "-c", ask], PATIENCE) else {
            return vec![format!(
                "a new {shell} did not get to the block in {file} within 5 s: a line before it \
                 waits, or starts another program"
            )];
        };
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let Some((_, seen)) = printed.rsplit_once("mx:") else { return vec![missed] };
        match seen.trim_end() {
            "1:1:" => Vec::new(),
            "1:0:" => vec![format!(
                "zsh completes nothing until {file} has this line: autoload -Uz compinit; compinit"
            )],
            _ => vec![missed],
        }
    }

    /// With how to load the integration without a change of this file by `mx`.
    pub(super) fn by_hand(&self, failure: Failure, path: &Path) -> Failure {
        let line = match self.shell {
            Shell::Zsh | Shell::Bash => format!("eval \"$(mx init {})\"", self.shell.name()),
            Shell::Fish => "mx init fish | source".to_owned(),
        };
        let add = format!("add this line to {}: {line}", path.display());
        let hint =
            failure.hint.as_ref().map_or_else(|| add.clone(), |hint| format!("{hint}; or {add}"));
        failure.hint(hint)
    }

    /// The file in which a user would load it.
    pub(super) fn read_first(&self) -> PathBuf {
        let fish = || self.directory.join("config.fish");
        self.startup.first().cloned().unwrap_or_else(fish)
    }
}
