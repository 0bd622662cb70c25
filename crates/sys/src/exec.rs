//! Becoming another program, which finds signals, terminal and descriptors as
//! this one found them.
//!
//! The standard library cannot do that: it makes Rust programs ignore SIGPIPE
//! before `main` runs, and then gives every program that it starts the default,
//! and an empty signal mask.

#![expect(
    unsafe_code,
    reason = "sigaction(2) is a C function, and called before main; the environment has no lock"
)]

use std::ffi::{CString, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

/// Whether SIGPIPE was ignored when this process began.
static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);
/// Whether the standard output was closed then. The runtime opens /dev/null in its place.
static OUTPUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// Run by the loader, before the runtime of Rust touches a signal.
#[used]
// SAFETY: the section holds addresses of functions that the loader calls with
// arguments which such a function may ignore.
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func,mod_init_funcs"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static AT_START: extern "C" fn() = remember;

extern "C" fn remember() {
    // SAFETY: F_GETFD only asks, and takes any number for a descriptor.
    let is_closed = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1;
    OUTPUT_CLOSED.store(is_closed, Ordering::Relaxed);
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the present one is only written to `action`.
    if unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), action.as_mut_ptr()) } == 0 {
        // SAFETY: a call that succeeded has written all of it.
        let handler = unsafe { action.assume_init() }.sa_sigaction;
        PIPE_IGNORED.store(handler == libc::SIG_IGN, Ordering::Relaxed);
    }
}

/// Whether this process began with its standard output closed.
pub fn output_was_closed() -> bool {
    OUTPUT_CLOSED.load(Ordering::Relaxed)
}

/// Becomes the program named by the first word, which does not see these
/// variables of the environment. Returns only if that fails.
pub fn replace(words: &[OsString], hidden: &[&str]) -> io::Error {
    let words: Result<Vec<CString>, _> =
        words.iter().map(|word| CString::new(word.as_bytes())).collect();
    let words = match words {
        Ok(words) if !words.is_empty() => words,
        _ => return io::Error::from(io::ErrorKind::InvalidInput),
    };
    for name in hidden {
        // SAFETY: Rust's own readers of the environment wait for each other, and
        // nothing that this program links reads it from a thread of its own.
        unsafe { std::env::remove_var(name) };
    }
    if !PIPE_IGNORED.load(Ordering::Relaxed) {
        set_pipe(libc::SIG_DFL);
    }
    let Err(errno) = nix::unistd::execvp(&words[0], &words);
    set_pipe(libc::SIG_IGN);
    errno.into()
}

/// Has a command run in a session of its own, without a terminal: a shell would take that
/// of the user for itself.
pub(crate) fn in_own_session(command: &mut Command) {
    let begin = || nix::unistd::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: setsid(2) may be called after a fork, and nothing here allocates memory.
    unsafe { command.pre_exec(begin) };
}

fn set_pipe(handler: libc::sighandler_t) {
    // SAFETY: neither handler is a function, so none can run at a bad moment.
    let _: libc::sighandler_t = unsafe { libc::signal(libc::SIGPIPE, handler) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_run_says_why() {
        let kind = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            replace(&words, &[]).kind()
        };
        assert_eq!(kind(&["no-such-program-here"]), io::ErrorKind::NotFound);
        assert_eq!(kind(&["/etc/passwd"]), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(&["a\0b"]), io::ErrorKind::InvalidInput);
        assert_eq!(kind(&[]), io::ErrorKind::InvalidInput);
    }
}
