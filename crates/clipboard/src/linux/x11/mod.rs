//! The clipboard of an X server: selections, as ICCCM 2 has them.

mod owner;
mod requestor;
mod stream;
mod text;

use std::env;
use std::io;
use std::rc::Rc;

use sys::Error;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ConnectionExt, CreateWindowAux, EventMask, PropMode, Timestamp, Window,
    WindowClass,
};
use x11rb::rust_connection::{PollMode, RustConnection, Stream as _};
use x11rb::wrapper::ConnectionExt as _;

pub(super) use self::owner::{own, types_of};
pub(super) use self::requestor::{paste, types};
use self::stream::Patient;
use crate::patience::Clock;
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
    connection: RustConnection<Patient>,
    clock: Rc<Clock>,
    window: Window,
    atoms: Atoms,
    /// The server's time when the window was made.
    time: Timestamp,
}

impl Server {
    fn connect(clock: &Rc<Clock>) -> Attempt<Self> {
        if env::var_os("DISPLAY").is_none_or(|name| name.is_empty()) {
            return Err(Obstacle::Unreachable("DISPLAY is not set".to_owned()));
        }
        let (connection, screen) = stream::connect(clock).map_err(|error| {
            if clock.is_over() {
                return Obstacle::Silent(clock.complaint("the X server"));
            }
            Obstacle::Unreachable(format!("cannot connect: {error}"))
        })?;
        clock.answered();
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
        Ok(Self { connection, clock: Rc::clone(clock), window, atoms, time })
    }

    fn selection(&self, options: Options) -> Atom {
        match options.selection {
            Selection::Clipboard => self.atoms.CLIPBOARD,
            Selection::Primary => AtomEnum::PRIMARY.into(),
        }
    }

    /// Waits for an event; `None` if there is none in time.
    fn next_event(&self) -> Attempt<Option<Event>> {
        self.connection.flush().map_err(lost)?;
        loop {
            if let Some(event) = self.connection.poll_for_event().map_err(lost)? {
                return Ok(Some(event));
            }
            match self.connection.stream().poll(PollMode::Readable) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(None),
                Err(error) => return Err(Error::from_io("wait for the X server", error).into()),
            }
        }
    }
}

/// The server ended the connection, or answered with an error, or not at all.
fn lost(error: impl std::fmt::Display) -> Obstacle {
    let (doing, why) = ("talk to the X server".to_owned(), error.to_string());
    Error::Unsupported { doing, why }.into()
}
