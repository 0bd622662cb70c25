//! macOS: signals by PID, right after making sure that it is still the same process.
//!
//! macOS has no handle for a process. The time between the check and the signal
//! is a few microseconds, in which its PID would have to be given out again.

#![expect(unsafe_code, reason = "kill(2) is a C function")]

use std::io;
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
    /// How often the processes are looked at.
    const STEP: Duration = Duration::from_millis(2);

    let deadline = Instant::now().checked_add(time);
    loop {
        if processes.iter().any(|process| process.has_ended()) {
            return true;
        }
        let left = deadline.map_or(STEP, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(STEP.min(left));
    }
}

fn kill(pid: u32, signal: i32) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: kill(2) takes two numbers and touches no memory.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
