//! The clipboard of an X server: selections, as ICCCM 2 has them.

mod owner;
mod requestor;
mod text;

use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sys::Error;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ConnectionExt, CreateWindowAux, EventMask, PropMode, Timestamp, Window,
    WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

pub(super) use self::owner::{own, types_of};
pub(super) use self::requestor::{paste, types};
use crate::{Attempt, Obstacle, Options, Selection};

x11rb::atom_manager! {
    /// Names that selections are spoken of in.
    Atoms: AtomsCookie {
        CLIPBOARD,
        INCR,
        MULTIPLE,
        TARGETS,
        TIMESTAMP,
        UTF8_STRING,
        PLAIN_TEXT: b"text/plain;charset=utf-8",
        PASSWORD_HINT: b"x-kde-passwordManagerHint",
    }
}

/// The length of a property, in words, where all of it is wanted.
const WHOLE: u32 = u32::MAX / 4;

/// A connection with a window, which is what owns and asks for selections.
struct Server {
    connection: RustConnection,
    window: Window,
    atoms: Atoms,
    /// The server's time when the window was made.
    time: Timestamp,
}

impl Server {
    fn connect() -> Attempt<Self> {
        let (connection, screen) = x11rb::connect(None)
            .map_err(|error| Obstacle::Unreachable(format!("cannot connect: {error}")))?;
        let window = connection.generate_id().map_err(lost)?;
        let root = connection.setup().roots[screen].root;
        let values = CreateWindowAux::new().event_mask(EventMask::PROPERTY_CHANGE);
        connection
            .create_window(0, window, root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &values)
            .map_err(lost)?;
        let atoms = Atoms::new(&connection).map_err(lost)?;
        // Only an event tells what time it is: one of a property that does not change.
        let (mode, name, text) = (PropMode::APPEND, AtomEnum::WM_NAME, AtomEnum::STRING);
        connection.change_property8(mode, window, name, text, b"").map_err(lost)?;
        let atoms = atoms.reply().map_err(lost)?;
        let time = loop {
            if let Event::PropertyNotify(event) = connection.wait_for_event().map_err(lost)? {
                break event.time;
            }
        };
        Ok(Self { connection, window, atoms, time })
    }

    fn selection(&self, options: Options) -> Atom {
        match options.selection {
            Selection::Clipboard => self.atoms.CLIPBOARD,
            Selection::Primary => AtomEnum::PRIMARY.into(),
        }
    }

    /// Waits for an event; `None` if there is none up to then.
    fn next_event(&self, until: Option<Instant>) -> Attempt<Option<Event>> {
        self.connection.flush().map_err(lost)?;
        loop {
            if let Some(event) = self.connection.poll_for_event().map_err(lost)? {
                return Ok(Some(event));
            }
            let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
            let limit = rest.and_then(|rest| Timespec::try_from(rest).ok());
            let stream = self.connection.stream().as_fd();
            match poll(&mut [PollFd::new(&stream, PollFlags::IN)], limit.as_ref()) {
                Ok(0) => return Ok(None),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(lost(errno)),
            }
        }
    }
}

/// The server ended the connection, or answered with an error.
fn lost(error: impl std::fmt::Display) -> Obstacle {
    let (doing, what) = ("talk to the X server".to_owned(), error.to_string());
    Error::Unexpected { doing, what }.into()
}
