//! The clipboard of a Wayland compositor, by its protocol for programs without
//! a window: ext-data-control, or wlr-data-control where that is older.
//!
//! GNOME has neither: there the X server beside it is asked.

mod control;
mod owner;
mod requestor;

use std::env;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sys::Error;
use wayland_client::backend::WaylandError;
use wayland_client::protocol::wl_callback::{self, WlCallback};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::protocol::wl_seat::{self, WlSeat};
use wayland_client::{Connection, Dispatch, EventQueue, QueueHandle};

use self::control::{Control, State};
pub(super) use self::owner::{own, types_of};
pub(super) use self::requestor::{paste, types};
use super::socket;
use crate::patience::Clock;
use crate::{Attempt, Obstacle, Selection};

/// A connection, and the clipboards of the first seat.
struct Compositor {
    connection: Connection,
    queue: EventQueue<State>,
    state: State,
    clock: Rc<Clock>,
}

impl Compositor {
    fn connect(selection: Selection, clock: &Rc<Clock>) -> Attempt<(Self, Control)> {
        let unreachable = |why: String| Obstacle::Unreachable(why);
        let connection = open(clock).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Obstacle::Silent(clock.complaint("the compositor")),
            _ => unreachable(format!("cannot connect: {error}")),
        })?;
        let queue = connection.new_event_queue();
        let handle = queue.handle();
        let registry = connection.display().get_registry(&handle, ());
        let (state, clock) = (State::default(), Rc::clone(clock));
        let mut compositor = Self { connection, queue, state, clock };
        compositor.sync().map_err(|obstacle| match obstacle {
            Obstacle::Failed(error) => unreachable(error.to_string()),
            other => other,
        })?;
        compositor.clock.answered();
        let globals = &compositor.state.globals;
        let seat: WlSeat = globals
            .bind(&registry, &handle, 1..=1)
            .ok_or_else(|| unreachable("it has no seat, and so no clipboard".to_owned()))?;
        let oldest = if selection == Selection::Primary { 2 } else { 1 };
        let control =
            Control::bind(globals, &registry, &handle, &seat, oldest).ok_or_else(|| {
                unreachable("it gives no program without a window its clipboard".to_owned())
            })?;
        Ok((compositor, control))
    }

    /// Sends what is to be sent.
    fn flush(&self) -> Attempt<()> {
        self.queue.flush().map_err(|error| match error {
            // It went away, as a reset or a closed pipe; else this process lacks something.
            WaylandError::Io(error) if !is_end(&error) => {
                Error::from_io("send a request to the compositor", error).into()
            }
            error => lost(error),
        })
    }

    /// Waits until the compositor has answered everything so far.
    fn sync(&mut self) -> Attempt<()> {
        self.state.is_synchronous = false;
        self.connection.display().sync(&self.queue.handle(), ());
        while !self.state.is_synchronous {
            let limit = self.clock.left();
            if self.wait(&[], limit)? == 0 {
                return Err(Obstacle::Silent(self.clock.complaint("the compositor")));
            }
        }
        Ok(())
    }

    /// Waits for the compositor, and takes what it says, or until one of the
    /// pipes takes more. How many are ready: zero if none is in time.
    fn wait(&mut self, pipes: &[&OwnedFd], limit: Option<Duration>) -> Attempt<usize> {
        self.flush()?;
        let Some(guard) = self.queue.prepare_read() else {
            self.queue.dispatch_pending(&mut self.state).map_err(lost)?;
            return Ok(1);
        };
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let connection = guard.connection_fd();
        let pipes = pipes.iter().map(|pipe| PollFd::new(*pipe, PollFlags::OUT));
        let mut wanted: Vec<PollFd> =
            std::iter::once(PollFd::new(&connection, PollFlags::IN)).chain(pipes).collect();
        let ready = match poll(&mut wanted, limit.as_ref()) {
            Err(Errno::INTR) => return Ok(1),
            result => result.map_err(|errno| Error::from_io("wait for the compositor", errno))?,
        };
        let has_events = !wanted[0].revents().is_empty();
        drop(wanted);
        if has_events {
            guard.read().map_err(lost)?;
            self.queue.dispatch_pending(&mut self.state).map_err(lost)?;
        }
        Ok(ready)
    }
}

/// Connects to the compositor of `WAYLAND_DISPLAY`.
fn open(clock: &Clock) -> io::Result<Connection> {
    let missing = |name| io::Error::new(io::ErrorKind::NotFound, format!("{name} is not set"));
    let name = env::var_os("WAYLAND_DISPLAY").filter(|name| !name.is_empty());
    let name = PathBuf::from(name.ok_or_else(|| missing("WAYLAND_DISPLAY"))?);
    let path = if name.is_absolute() {
        name
    } else {
        let directory = env::var_os("XDG_RUNTIME_DIR").filter(|name| !name.is_empty());
        PathBuf::from(directory.ok_or_else(|| missing("XDG_RUNTIME_DIR"))?).join(name)
    };
    let socket = socket::connect(path.as_os_str().as_bytes(), clock)?;
    Connection::from_socket(UnixStream::from(socket)).map_err(io::Error::other)
}

impl Dispatch<WlRegistry, ()> for State {
    fn event(
        state: &mut Self,
        _: &WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_registry::Event::Global { name, interface, version } = event {
            state.globals.0.push((name, interface, version));
        }
    }
}

impl Dispatch<WlCallback, ()> for State {
    fn event(
        state: &mut Self,
        _: &WlCallback,
        event: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        state.is_synchronous |= matches!(event, wl_callback::Event::Done { .. });
    }
}

impl Dispatch<WlSeat, ()> for State {
    fn event(
        _: &mut Self,
        _: &WlSeat,
        _: wl_seat::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};

    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected | UnexpectedEof)
}

/// The compositor ended the connection, or reported a mistake.
fn lost(error: impl std::fmt::Display) -> Obstacle {
    let (doing, why) = ("talk to the compositor".to_owned(), error.to_string());
    Error::Unsupported { doing, why }.into()
}
