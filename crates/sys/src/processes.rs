//! The processes that this user can see, for a person to choose from.
//!
//! Not here: anything that takes another look at a process than its name, its
//! arguments and its user. A crate that needs more reads it itself.

#[cfg_attr(target_os = "linux", path = "processes/linux.rs")]
#[cfg_attr(target_os = "macos", path = "processes/macos.rs")]
mod os;

use crate::Result;

/// A running process. Its texts are unfiltered: they may hold any character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The process id.
    pub pid: u32,
    /// The process group.
    pub group: u32,
    /// The effective user id.
    pub uid: u32,
    /// The process name; the kernel may have cut it short.
    pub name: String,
    /// The arguments, the first being the command; empty where they cannot be read.
    pub command: Vec<String>,
    /// When it started, as a number that only grows.
    pub started: u64,
}

/// The processes, in no order. Threads of the kernel and what has ended but was
/// not waited for are left out.
pub fn list() -> Result<Vec<Process>> {
    os::list()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_listed_once() {
        let own = |process: &Process| process.pid == std::process::id();
        let list = list().expect("processes can be listed");
        let found: Vec<&Process> = list.iter().filter(|process| own(process)).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].uid, nix::unistd::geteuid().as_raw());
        assert_eq!(found[0].group, nix::unistd::getpgrp().as_raw().unsigned_abs());
        assert!(!found[0].name.is_empty() && found[0].started > 0, "{found:?}");
    }
}
