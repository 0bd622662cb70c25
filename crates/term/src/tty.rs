//! Writing to the terminal itself, wherever standard output goes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use sys::{Error, Result};

/// How long a terminal rests before a signal that waits takes effect.
const REST: Duration = Duration::from_millis(100);

/// Sends an escape sequence to the terminal of this process.
///
/// It is sent whole: what would end or stop this process in between waits, as
/// a terminal that has got half of a sequence swallows what follows. Where the
/// terminal takes nothing for a moment it does not wait, and after `limit` the
/// rest is given up.
pub fn send(sequence: &[u8], limit: Duration) -> Result<()> {
    let failed = |error: io::Error| Error::from_io("write to the terminal", error);
    let mut terminal = open().map_err(failed)?;
    let held: SigSet =
        [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGTSTP, Signal::SIGTTOU]
            .into_iter()
            .collect();
    let before =
        held.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(|errno| failed(errno.into()))?;
    let let_in = || before.thread_set_mask().and_then(|()| held.thread_block());
    let written = write(&mut terminal, sequence, limit, let_in);
    before.thread_set_mask().map_err(|errno| failed(errno.into()))?;
    written.map_err(failed)
}

/// Writes all of it; `let_in` lets waiting signals take effect.
fn write(
    terminal: &mut File,
    mut rest: &[u8],
    limit: Duration,
    let_in: impl Fn() -> nix::Result<()>,
) -> io::Result<()> {
    let mut progress = Instant::now();
    while !rest.is_empty() {
        match terminal.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => {
                rest = &rest[length..];
                progress = Instant::now();
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let left = limit.saturating_sub(progress.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        wait(terminal, left.min(REST));
        if progress.elapsed() >= REST {
            let_in()?;
        }
    }
    Ok(())
}

/// Waits until the terminal takes something, but not longer than this.
fn wait(terminal: &File, limit: Duration) {
    /// Where a terminal cannot be waited for.
    const PAUSE: Duration = Duration::from_millis(2);

    let mut wanted = [PollFd::new(std::os::fd::AsFd::as_fd(terminal), PollFlags::POLLOUT)];
    let limit = PollTimeout::try_from(limit.as_millis() + 1).unwrap_or(PollTimeout::MAX);
    let known = poll(&mut wanted, limit).is_ok();
    let flags = wanted[0].revents().unwrap_or(PollFlags::POLLNVAL);
    // macOS cannot wait for /dev/tty.
    if !known || flags.intersects(PollFlags::POLLNVAL | PollFlags::POLLERR) {
        thread::sleep(PAUSE);
    }
}

/// Only to open it tells whether there is one: its access rights say yes always.
fn open() -> io::Result<File> {
    let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    OpenOptions::new().write(true).custom_flags(flags.bits()).open("/dev/tty")
}
