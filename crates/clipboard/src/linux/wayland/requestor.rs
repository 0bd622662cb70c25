//! Asking the owner of a clipboard for what it offers.

use std::os::fd::AsFd;
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use sys::Error;

use super::Compositor;
use super::owner::{PIPE, TEXT};
use crate::patience::Clock;
use crate::{Attempt, Obstacle, Options, Sink};

/// Hands the text of the clipboard to `sink`; false if there is none.
pub(in super::super) fn paste(options: Options, clock: &Rc<Clock>, sink: Sink) -> Attempt<bool> {
    let (mut compositor, _control) = Compositor::connect(options.selection, clock)?;
    compositor.sync()?;
    let Some(offer) = compositor.state.offer(options.selection) else { return Ok(false) };
    let Some(name) = best(&offer.types) else { return Ok(false) };
    let (read, write) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Error::from_io("make a pipe", errno))?;
    // The limit of this user may be reached.
    let _ = rustix::pipe::fcntl_setpipe_size(&write, PIPE);
    offer.receive(name, write.as_fd());
    compositor.flush()?;
    drop(write);
    let mut piece = vec![0; PIPE];
    loop {
        wait(&read, clock)?;
        match rustix::io::read(&read, piece.as_mut_slice()) {
            Ok(0) => return Ok(true),
            Ok(length) => {
                clock.goes_on();
                let failed = |error| Obstacle::Failed(crate::Error::Sink(error));
                sink(&piece[..length]).map_err(failed)?;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::from_io(READING, errno).into()),
        }
    }
}

/// What the clipboard can be pasted as.
pub(in super::super) fn types(options: Options, clock: &Rc<Clock>) -> Attempt<Vec<String>> {
    let (mut compositor, _control) = Compositor::connect(options.selection, clock)?;
    compositor.sync()?;
    let offer = compositor.state.offer(options.selection);
    Ok(offer.map(|offer| offer.types.clone()).unwrap_or_default())
}

const READING: &str = "read the clipboard";

/// The type to ask for where text is wanted.
fn best(types: &[String]) -> Option<&str> {
    let plain = TEXT.into_iter().find(|name| types.iter().any(|one| one == name));
    plain.or_else(|| types.iter().map(String::as_str).find(|name| name.starts_with("text/")))
}

fn wait(pipe: &impl AsFd, clock: &Clock) -> Attempt<()> {
    let limit = clock.left().and_then(|left| Timespec::try_from(left).ok());
    match poll(&mut [PollFd::new(pipe, PollFlags::IN)], limit.as_ref()) {
        Ok(0) => {
            let (doing, why) = (READING, clock.complaint("its owner"));
            Err(Obstacle::Failed(crate::Error::Silent { doing, why }))
        }
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(Error::from_io(READING, errno).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_utf_8_comes_first() {
        let best = |types: &[&str]| {
            let types: Vec<String> = types.iter().map(|&name| name.to_owned()).collect();
            best(&types).map(str::to_owned)
        };
        let mixed = ["text/html", "STRING", "text/plain;charset=utf-8"];
        assert_eq!(best(&mixed).as_deref(), Some("text/plain;charset=utf-8"));
        assert_eq!(best(&["image/png", "text/csv"]).as_deref(), Some("text/csv"));
        assert_eq!(best(&["image/png"]), None);
    }
}
