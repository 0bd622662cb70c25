//! The channel to the shell function `mx`, which changes limits of its shell.
//!
//! The function opens it as file descriptor 3 and names its shell in
//! `MX_DIRECTIVES`. It applies what it is asked for only if this run succeeds,
//! and then runs the binary again with [`RAISED`]. See `shell/functions/mx`.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;

use crate::integration;
use crate::shell::Shell;

/// Names the shell, and `:sub` behind it says that only a subshell can be changed.
const OFFERED: &str = "MX_DIRECTIVES";
/// In the second run: the limits that were to be raised, as `PID:NAME=OLD NAME=OLD`.
/// The PID is that of the shell: what is only found in the environment is not believed.
const RAISED: &str = "MX_RAISED";
/// What the function says to this program, and to no other that it becomes.
pub(crate) const FROM_FUNCTION: [&str; 3] = [integration::CALLER, OFFERED, RAISED];

/// A request to set a soft limit, in the words of the shell's `ulimit`.
pub(crate) struct Limit<'a> {
    /// The option of `ulimit`, as `n`.
    pub(crate) flag: char,
    /// The new soft limit in the unit of that option; `None` is unlimited.
    pub(crate) value: Option<u64>,
    /// The limit's name, as `nofile`.
    pub(crate) name: &'a str,
    /// The soft limit of now, for the second run.
    pub(crate) old: &'a str,
}

/// An open channel.
pub(crate) struct Channel {
    pub(crate) shell: Shell,
    /// A change does not reach the shell that the user sees.
    pub(crate) subshell: bool,
    pipe: File,
}

impl Channel {
    /// The channel, if the shell function offers one.
    pub(crate) fn open() -> Option<Self> {
        let (shell, subshell) = parse(&env::var(OFFERED).ok()?)?;
        // Any process may have a descriptor 3; the function's is a pipe.
        let pipe = OpenOptions::new().write(true).open("/dev/fd/3").ok()?;
        let is_pipe = pipe.metadata().ok()?.file_type().is_fifo();
        is_pipe.then_some(Self { shell, subshell, pipe })
    }

    /// Asks for limits. Nothing is applied unless this process then exits with 0.
    pub(crate) fn send(mut self, limits: &[Limit]) -> io::Result<()> {
        self.pipe.write_all(text(limits).as_bytes())
    }
}

/// In the second run: the name of each limit, and what it was before.
pub(crate) fn raised() -> Option<Vec<(String, String)>> {
    let raised = env::var(RAISED).ok().filter(|_| env::var_os(OFFERED).is_none())?;
    let parent = rustix::process::getppid()?.as_raw_pid();
    pairs(&raised, parent)
}

fn parse(offered: &str) -> Option<(Shell, bool)> {
    let (name, subshell) = match offered.strip_suffix(":sub") {
        Some(name) => (name, true),
        None => (offered, false),
    };
    Some((Shell::named(name)?, subshell))
}

fn text(limits: &[Limit]) -> String {
    let mut text = String::new();
    for Limit { flag, value, name, .. } in limits {
        let value = value.map_or_else(|| "unlimited".to_owned(), |value| value.to_string());
        text.push_str(&format!("ulimit\t{flag}\t{value}\t{name}\n"));
    }
    let old: Vec<String> =
        limits.iter().map(|limit| format!("{}={}", limit.name, limit.old)).collect();
    text.push_str(&format!("raised\t{}\n", old.join(" ")));
    text
}

/// The limits, if the shell that names itself is the `parent` of this process.
fn pairs(raised: &str, parent: i32) -> Option<Vec<(String, String)>> {
    let (shell, raised) = raised.split_once(':')?;
    if shell.parse() != Ok(parent) {
        return None;
    }
    let pair =
        |word: &str| word.split_once('=').map(|(name, old)| (name.to_owned(), old.to_owned()));
    raised.split_whitespace().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_shells_are_heard() {
        assert_eq!(parse("zsh"), Some((Shell::Zsh, false)));
        assert_eq!(parse("bash:sub"), Some((Shell::Bash, true)));
        assert_eq!(parse("fish"), Some((Shell::Fish, false)));
        for unknown in ["", "1", "tcsh", ":sub", "zsh:", "zsh:other", "ZSH", "zsh:sub:sub"] {
            assert_eq!(parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn limits_become_lines() {
        let limits = [
            Limit { flag: 'n', value: Some(4096), name: "nofile", old: "1024" },
            Limit { flag: 'c', value: None, name: "core", old: "0" },
        ];
        let sent = text(&limits);
        assert_eq!(
            sent,
            "ulimit\tn\t4096\tnofile\nulimit\tc\tunlimited\tcore\nraised\tnofile=1024 core=0\n"
        );
        let old = pairs("12:nofile=1024 core=0", 12).expect("pairs");
        assert_eq!(old[0], ("nofile".to_owned(), "1024".to_owned()));
        assert_eq!(old.len(), 2);
        for other in
            ["12:nofile", "nofile=1024", "13:nofile=1024", ":nofile=1024", "", "x:", "-12:"]
        {
            assert_eq!(pairs(other, 12), None, "{other}");
        }
    }
}
