//! The process that stays behind to own a clipboard.
//!
//! It is this program, forked: the text is in memory already, and stands neither
//! in a file nor in an argument. It keeps nothing else of its parent: no
//! terminal, no directory, and no descriptor, as one that is inherited by
//! accident holds a pipe or a lock for as long as something is on the clipboard.

#![expect(unsafe_code, reason = "fork(2), and closing descriptors whose owners are gone")]

use std::cell::Cell;
use std::fs;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions, chdir, getpid, getppid,
    getrlimit, kill_process, set_dumpable_behavior, set_parent_process_death_signal, setrlimit,
    setsid, waitpid,
};
use sys::Error;

use crate::patience::Clock;
use crate::{Attempt, Obstacle};

/// What the process says: that it owns the clipboard, or why it does not.
const OWNED: u8 = b'+';
const UNREACHABLE: u8 = b'?';
const SILENT: u8 = b'~';
const FAILED: u8 = b'!';

/// Told once, by the process that stays behind, that it owns the clipboard.
pub(super) struct Ready(Cell<Option<OwnedFd>>);

impl Ready {
    /// From here on it stays when its parent ends, and takes whatever time it takes.
    pub(super) fn say(&self, clock: &Clock) -> Attempt<()> {
        clock.set(None);
        end_with_parent(None)?;
        self.send(&[OWNED]);
        Ok(())
    }

    /// Says it, and closes the pipe.
    fn send(&self, text: &[u8]) {
        if let Some(pipe) = self.0.take() {
            // If nobody waits for it any more, nobody needs to know.
            let _ = rustix::io::write(&pipe, text);
        }
    }
}

/// Does `work` in a process that stays behind; returns when it is ready, or why
/// it will not be. This process must have one thread.
pub(super) fn stay_behind(
    secret: bool,
    clock: &Clock,
    work: impl FnOnce(&Ready) -> Attempt<()>,
) -> Attempt<()> {
    let parent = getpid();
    let failed = |errno: Errno| Error::from_io("leave a process behind", errno);
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
    // SAFETY: with one thread there is no lock that another one holds.
    match unsafe { libc::fork() } {
        -1 => Err(Error::from_io("leave a process behind", std::io::Error::last_os_error()).into()),
        0 => {
            // What fails here must not go on as a second copy of the caller.
            let _ = catch_unwind(AssertUnwindSafe(|| stay(tell, parent, secret, work)));
            // SAFETY: it ends the process without what the parent would do at its end.
            unsafe { libc::_exit(0) }
        }
        child => {
            drop(tell);
            let answer = listen(told, clock);
            if answer.is_err() {
                end(child);
            }
            answer
        }
    }
}

fn stay(tell: OwnedFd, parent: Pid, secret: bool, work: impl FnOnce(&Ready) -> Attempt<()>) {
    let ready = Ready(Cell::new(None));
    let done = end_with_parent(Some(parent)).and_then(|()| {
        leave_all(tell.as_raw_fd(), secret)
            .map_err(|errno| Error::from_io("become a process of its own", errno))?;
        Ok(())
    });
    ready.0.set(Some(tell));
    let done = done.and_then(|()| work(&ready));
    let (kind, text) = match done {
        Ok(()) => return,
        Err(Obstacle::Unreachable(why) | Obstacle::Refused(why)) => (UNREACHABLE, why),
        Err(Obstacle::Silent(why)) => (SILENT, why),
        Err(Obstacle::Failed(error)) => (FAILED, error.to_string()),
    };
    ready.send(&[&[kind], text.as_bytes()].concat());
}

/// Ends this process when `parent` does, or no longer: one that still waits for
/// a server must not take the clipboard when the copy has been given up.
fn end_with_parent(parent: Option<Pid>) -> Attempt<()> {
    let failed = |errno| Error::from_io("become a process of its own", errno);
    set_parent_process_death_signal(parent.map(|_| Signal::KILL)).map_err(failed)?;
    if parent.is_some() && getppid() != parent {
        let doing = "become a process of its own".to_owned();
        return Err(Error::Unsupported { doing, why: "its parent has ended".to_owned() }.into());
    }
    Ok(())
}

/// Leaves the session, the directory and the descriptors of the parent.
fn leave_all(keep: RawFd, secret: bool) -> Result<(), Errno> {
    setsid()?;
    chdir("/")?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    // Closed below with the rest.
    std::mem::forget(null);
    close_between(3, keep - 1);
    close_between(keep + 1, RawFd::MAX);
    if secret {
        let hard = getrlimit(Resource::Core).maximum;
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: hard })?;
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

/// Closes every descriptor from `first` to `last`.
fn close_between(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    // SAFETY: nothing that owns one of them is used again: the process ends
    // without returning to its parent's code. The system call touches no memory.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
        return;
    }
    // Linux before 5.9.
    let Ok(listing) = fs::read_dir("/proc/self/fd") else { return };
    let name =
        |entry: std::io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let open: Vec<RawFd> = listing.filter_map(name).collect();
    for descriptor in open.into_iter().filter(|one| (first..=last).contains(one)) {
        // SAFETY: as above.
        unsafe { libc::close(descriptor) };
    }
}

/// What the process that stays behind says.
fn listen(told: OwnedFd, clock: &Clock) -> Attempt<()> {
    let doing = "leave a process behind";
    loop {
        // It says itself that its server is mute, a moment before this.
        let left = clock.left_of_all() + Duration::from_millis(100);
        let limit = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(&told, PollFlags::IN)], limit.as_ref()) {
            Ok(0) => return Err(Obstacle::Silent(clock.complaint("it"))),
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::from_io(doing, errno).into()),
        }
    }
    // It goes on holding its end where it is ready: one byte is all.
    let mut kind = [0];
    let mut told = fs::File::from(told);
    let length = told.read(&mut kind).map_err(|error| Error::from_io(doing, error))?;
    if length == 1 && kind[0] == OWNED {
        return Ok(());
    }
    let mut text = String::new();
    told.read_to_string(&mut text).map_err(|error| Error::from_io(doing, error))?;
    Err(match kind[0] {
        UNREACHABLE => Obstacle::Unreachable(text),
        SILENT => Obstacle::Silent(text),
        FAILED => Obstacle::Failed(crate::Error::Owner(text)),
        _ => {
            let what = "it has ended without a word".to_owned();
            Error::Unexpected { doing: doing.to_owned(), what }.into()
        }
    })
}

/// Ends a process that failed, which may still wait for something.
fn end(child: libc::pid_t) {
    if let Some(pid) = Pid::from_raw(child) {
        let _ = kill_process(pid, Signal::KILL);
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }
}
