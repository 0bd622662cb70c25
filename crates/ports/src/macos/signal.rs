//! macOS: signals by PID, right after making sure that it is still the same process.
//!
//! macOS has no handle for a process. The time between the check and the signal
//! is a few microseconds, in which its PID would have to be given out again.
//! The end of a process comes as an event of kqueue(2), of any user's process.

#![expect(unsafe_code, reason = "kill(2) and kqueue(2) are C functions")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::{Duration, Instant};

use sys::{Error, Result};

/// A process that can be waited for.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    /// No later process has it.
    identity: u64,
}

/// Opens a process and makes sure that it holds one of the sockets; `None` if it does not, or has ended.
pub(crate) fn open(pid: u32, keys: &[u64]) -> Result<Option<Process>> {
    let Some(identity) = super::identity(pid) else { return Ok(None) };
    Ok(super::holds(pid, keys)?.then_some(Process { pid, identity }))
}

/// Whether this user may signal the process; true if it has ended.
pub(crate) fn may_signal(pid: u32) -> bool {
    !matches!(kill(pid, 0), Err(error) if error.raw_os_error() == Some(libc::EPERM))
}

/// Whether there is a process with this id, whatever this user may see of it.
pub(crate) fn exists(pid: u32) -> bool {
    !matches!(kill(pid, 0), Err(error) if error.raw_os_error() == Some(libc::ESRCH))
}

impl Process {
    /// Sends a signal; one that has ended needs none.
    pub(crate) fn signal(&self, signal: sys::signal::Signal) -> Result<()> {
        if self.has_ended() {
            return Ok(());
        }
        match kill(self.pid, signal as i32) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                Err(Error::from_io(format!("send {}", signal.as_str()), error))
            }
            _ => Ok(()),
        }
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        super::identity(self.pid) != Some(self.identity)
    }
}

/// Waits until one of the processes ends or the time is over; true if one has ended.
pub(crate) fn wait_for_any(processes: &[&Process], time: Duration) -> bool {
    let any_has_ended = || processes.iter().any(|process| process.has_ended());
    let Ok(queue) = watch(processes) else {
        // Without a queue the caller asks again after this time.
        std::thread::sleep(time.min(Duration::from_millis(2)));
        return any_has_ended();
    };
    // Those that ended before they were watched send no event.
    any_has_ended() || comes_in_time(&queue, time)
}

/// A queue of the ends of processes.
fn watch(processes: &[&Process]) -> io::Result<OwnedFd> {
    // SAFETY: kqueue(2) takes nothing.
    let queue = unsafe { libc::kqueue() };
    if queue < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is a new descriptor, which nothing else has.
    let queue = unsafe { OwnedFd::from_raw_fd(queue) };
    for process in processes {
        let change = libc::kevent {
            ident: process.pid as usize,
            filter: libc::EVFILT_PROC,
            flags: libc::EV_ADD | libc::EV_ONESHOT,
            fflags: libc::NOTE_EXIT,
            data: 0,
            udata: ptr::null_mut(),
        };
        // SAFETY: one change is read, and no event is written.
        let added = unsafe {
            libc::kevent(queue.as_raw_fd(), &raw const change, 1, ptr::null_mut(), 0, ptr::null())
        };
        // One that has ended is not there to be watched.
        let error = io::Error::last_os_error();
        if added < 0 && error.raw_os_error() != Some(libc::ESRCH) {
            return Err(error);
        }
    }
    Ok(queue)
}

/// Whether an event comes before the time is over.
fn comes_in_time(queue: &OwnedFd, time: Duration) -> bool {
    let deadline = Instant::now().checked_add(time);
    let mut event =
        libc::kevent { ident: 0, filter: 0, flags: 0, fflags: 0, data: 0, udata: ptr::null_mut() };
    loop {
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.map(|left| libc::timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let limit = left.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: no change is read, and one event is written at most.
        let count =
            unsafe { libc::kevent(queue.as_raw_fd(), ptr::null(), 0, &raw mut event, 1, limit) };
        if count >= 0 {
            return count > 0;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return false;
        }
    }
}

fn kill(pid: u32, signal: i32) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: kill(2) takes two numbers and touches no memory.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
