//! Linux: signals through a pidfd, so that a PID that was given to another
//! process in the meantime is never hit.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};
use sys::{Error, Result};

/// A process that can be waited for.
#[derive(Debug)]
pub(crate) struct Process(OwnedFd);

/// Opens a process and makes sure that it holds one of the sockets; `None` if it does not, or has ended.
///
/// The check comes after opening: what it sees is the process behind the pidfd,
/// or another one, which then holds the socket itself.
pub(crate) fn open(pid: u32, keys: &[u64]) -> Result<Option<Process>> {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    if !proc_counts_as_signals_do() {
        return Err(Error::Unsupported {
            doing: format!("signal process {pid}"),
            why: "/proc shows the processes of another PID namespace".to_owned(),
        });
    }
    match rustix::process::pidfd_open(raw, PidfdFlags::empty()) {
        Ok(process) if super::holds(pid, keys)? => Ok(Some(Process(process))),
        Ok(_) | Err(Errno::SRCH) => Ok(None),
        Err(errno) => Err(Error::from_io(format!("open process {pid}"), errno)),
    }
}

/// Whether a number in `/proc` means the process that a signal to this number
/// would reach: not so in a new PID namespace without a `/proc` of its own.
fn proc_counts_as_signals_do() -> bool {
    let own = std::process::id().to_string();
    rustix::fs::readlink("/proc/self", Vec::new())
        .is_ok_and(|link| link.to_bytes() == own.as_bytes())
}

/// Whether this user may signal the process; true if it has ended.
pub(crate) fn may_signal(pid: u32) -> bool {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    raw.is_none_or(|raw| rustix::process::test_kill_process(raw) != Err(Errno::PERM))
}

/// Whether there is a process with this id, whatever this user may see of it.
pub(crate) fn exists(pid: u32) -> bool {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    raw.is_some_and(|raw| rustix::process::test_kill_process(raw) != Err(Errno::SRCH))
}

impl Process {
    /// Sends a signal; one that has ended needs none.
    pub(crate) fn signal(&self, signal: sys::signal::Signal) -> Result<()> {
        let doing = || format!("send {}", signal.as_str());
        let unknown = || Error::Unsupported { doing: doing(), why: "not a signal here".to_owned() };
        let raw = Signal::from_named_raw(signal as i32).ok_or_else(unknown)?;
        match rustix::process::pidfd_send_signal(&self.0, raw) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(Error::from_io(doing(), errno)),
        }
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        wait_for_any(std::slice::from_ref(&self), Duration::ZERO)
    }
}

/// Waits until one of the processes ends or the time is over; true if one has ended.
pub(crate) fn wait_for_any(processes: &[&Process], time: Duration) -> bool {
    let mut events: Vec<PollFd> =
        processes.iter().map(|process| PollFd::new(&process.0, PollFlags::IN)).collect();
    // A time beyond what the kernel takes is no different from for ever.
    let time = Timespec::try_from(time).ok();
    // Interrupted by a signal, the caller looks again.
    matches!(poll(&mut events, time.as_ref()), Ok(1..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};

    fn inode(socket: &TcpListener) -> u64 {
        rustix::fs::fstat(socket.as_fd()).expect("a socket").st_ino
    }

    #[test]
    fn a_pid_that_now_belongs_to_another_process_is_left_alone() {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a listener");
        // The socket was seen in this process; the PID has since gone to one that does not hold it.
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().expect("a process");
        assert!(open(other.id(), &[inode(&socket)]).expect("readable").is_none());
        assert!(open(std::process::id(), &[inode(&socket)]).expect("readable").is_some());
        assert!(other.try_wait().expect("a child").is_none());
        drop(other.stdin.take());
        other.wait().expect("a child");
        // And to none at all.
        assert!(open(other.id(), &[inode(&socket)]).expect("readable").is_none());
    }

    #[test]
    fn the_end_of_a_process_is_noticed() {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a listener");
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).expect("inheritable");
        let mut holder = Command::new("cat").stdin(Stdio::piped()).spawn().expect("a process");
        let process = open(holder.id(), &[inode(&socket)]).expect("readable").expect("a holder");
        assert!(!process.has_ended());
        assert!(!wait_for_any(&[&process], Duration::from_millis(1)));
        process.signal(sys::signal::Signal::SIGTERM).expect("allowed");
        assert!(wait_for_any(&[&process], Duration::from_secs(30)));
        assert!(process.has_ended());
        holder.wait().expect("a child");
        process.signal(sys::signal::Signal::SIGTERM).expect("a process that has ended needs none");
    }
}
