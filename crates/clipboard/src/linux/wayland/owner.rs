//! Offering text: to write it to everyone who asks, until something else is copied.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::super::owner::Ready;
use super::{Compositor, lost};
use crate::patience::Clock;
use crate::{Attempt, Options};

/// The types of text that programs ask for.
pub(super) const TEXT: [&str; 5] =
    ["text/plain;charset=utf-8", "text/plain", "UTF8_STRING", "STRING", "TEXT"];
const PASSWORD_HINT: &str = "x-kde-passwordManagerHint";
/// What the hint for managers of passwords says.
const SECRET: &[u8] = b"secret";
/// How long a transfer may rest once something else is on the clipboard.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a pipe is to hold, so that its two ends wait for each other less often.
pub(super) const PIPE: usize = 1 << 20;

/// The types that text can be pasted as.
pub(in super::super) fn types_of(options: Options) -> Vec<String> {
    let hint = options.secret.then_some(PASSWORD_HINT);
    TEXT.into_iter().chain(hint).map(str::to_owned).collect()
}

/// Offers the text, says so when the compositor has it, and writes it until
/// something else is copied.
pub(in super::super) fn own(
    text: &[u8],
    options: Options,
    clock: &Rc<Clock>,
    ready: &Ready,
) -> Attempt<()> {
    let (mut compositor, control) = Compositor::connect(options.selection, clock)?;
    let types = types_of(options);
    control.set(&compositor.queue.handle(), options.selection, &types);
    compositor.sync()?;
    // The compositor shows every offer to whoever has its protocol, this one included.
    let offered = compositor.state.offer(options.selection).map(|offer| offer.types.as_slice());
    if compositor.state.is_cancelled || offered != Some(types.as_slice()) {
        return Err(lost("it did not take what was offered"));
    }
    ready.say(clock)?;
    serve(&mut compositor, text)
}

/// Text on its way into a pipe.
struct Transfer<'a> {
    pipe: OwnedFd,
    rest: &'a [u8],
}

fn serve(compositor: &mut Compositor, text: &[u8]) -> Attempt<()> {
    let mut transfers: Vec<Transfer> = Vec::new();
    loop {
        for (name, pipe) in std::mem::take(&mut compositor.state.requests) {
            let rest = if name == PASSWORD_HINT { SECRET } else { text };
            transfers.extend(Transfer::begin(pipe, rest));
        }
        transfers.retain_mut(Transfer::go_on);
        if compositor.state.is_cancelled && transfers.is_empty() {
            return Ok(());
        }
        let limit = compositor.state.is_cancelled.then_some(PATIENCE);
        let pipes: Vec<&OwnedFd> = transfers.iter().map(|one| &one.pipe).collect();
        if compositor.wait(&pipes, limit)? == 0 && limit.is_some() {
            return Ok(());
        }
    }
}

impl<'a> Transfer<'a> {
    /// `None` if this descriptor cannot be written to without waiting: who does
    /// not read must not keep the others waiting.
    fn begin(pipe: OwnedFd, rest: &'a [u8]) -> Option<Self> {
        let flags = fcntl_getfl(&pipe).ok()?;
        fcntl_setfl(&pipe, flags | OFlags::NONBLOCK).ok()?;
        // It may be no pipe, or the limit of this user may be reached.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE);
        Some(Self { pipe, rest })
    }

    /// Writes what the pipe takes; false if that was the end.
    fn go_on(&mut self) -> bool {
        while !self.rest.is_empty() {
            match rustix::io::write(&self.pipe, self.rest) {
                Ok(length) => self.rest = &self.rest[length..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return true,
                // Whoever asked reads no more.
                Err(_) => return false,
            }
        }
        false
    }
}
