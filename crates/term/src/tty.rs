//! Writing to the terminal itself, wherever standard output goes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use sys::{Error, Result};

/// Sends an escape sequence to the terminal of this process.
///
/// It is sent whole: what would end or stop this process in between waits, as
/// a terminal that has got half of a sequence swallows what follows.
pub fn send(sequence: &[u8]) -> Result<()> {
    let failed = |error: io::Error| Error::from_io("write to the terminal", error);
    let mut terminal = open().map_err(failed)?;
    let held: SigSet =
        [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGTSTP, Signal::SIGTTOU]
            .into_iter()
            .collect();
    let before =
        held.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(|errno| failed(errno.into()))?;
    let written = terminal.write_all(sequence);
    before.thread_set_mask().map_err(|errno| failed(errno.into()))?;
    written.map_err(failed)
}

/// Only to open it tells whether there is one: its access rights say yes always.
fn open() -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(OFlag::O_NOCTTY.bits()).open("/dev/tty")
}
