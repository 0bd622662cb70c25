//! Asking the owner of a clipboard for what it offers.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use sys::Error;

use super::owner::{PIPE, TEXT};
use super::{Compositor, lost};
use crate::{Attempt, Obstacle, Options, Sink};

/// How long an owner may take for each piece of its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hands the text of the clipboard to `sink`; false if there is none.
pub(in super::super) fn paste(options: Options, sink: Sink) -> Attempt<bool> {
    let mut compositor = Compositor::connect(options.selection)?;
    compositor.sync()?;
    let Some(offer) = compositor.state.offer(options.selection) else { return Ok(false) };
    let Some(name) = best(&offer.types) else { return Ok(false) };
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(lost)?;
    // The limit of this user may be reached.
    let _ = rustix::pipe::fcntl_setpipe_size(&write, PIPE);
    offer.receive(name, write.as_fd());
    compositor.queue.flush().map_err(lost)?;
    drop(write);
    let mut piece = vec![0; PIPE];
    loop {
        wait(&read)?;
        match rustix::io::read(&read, piece.as_mut_slice()) {
            Ok(0) => return Ok(true),
            Ok(length) => {
                let failed = |error| Obstacle::Failed(crate::Error::Sink(error));
                sink(&piece[..length]).map_err(failed)?;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(lost(errno)),
        }
    }
}

/// What the clipboard can be pasted as.
pub(in super::super) fn types(options: Options) -> Attempt<Vec<String>> {
    let mut compositor = Compositor::connect(options.selection)?;
    compositor.sync()?;
    let offer = compositor.state.offer(options.selection);
    Ok(offer.map(|offer| offer.types.clone()).unwrap_or_default())
}

/// The type to ask for where text is wanted.
fn best(types: &[String]) -> Option<&str> {
    let plain = TEXT.into_iter().find(|name| types.iter().any(|one| one == name));
    plain.or_else(|| types.iter().map(String::as_str).find(|name| name.starts_with("text/")))
}

fn wait(pipe: &impl AsFd) -> Attempt<()> {
    let limit = Timespec::try_from(PATIENCE).ok();
    match poll(&mut [PollFd::new(pipe, PollFlags::IN)], limit.as_ref()) {
        Ok(0) => {
            let why = format!("its owner has not answered for {} s", PATIENCE.as_secs());
            Err(Error::Unsupported { doing: "read the clipboard".to_owned(), why }.into())
        }
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(lost(errno)),
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
