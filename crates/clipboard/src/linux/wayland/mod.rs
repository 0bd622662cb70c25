//! The clipboard of a Wayland compositor, by its protocol for programs without
//! a window: ext-data-control, or wlr-data-control where that is older.
//!
//! GNOME has neither: there the X server beside it is asked.

mod control;
mod owner;
mod requestor;

use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::protocol::wl_seat::{self, WlSeat};
use wayland_client::{Connection, Dispatch, EventQueue, QueueHandle};

use self::control::{Control, State};
pub(super) use self::owner::{own, types_of};
pub(super) use self::requestor::{paste, types};
use crate::{Attempt, Obstacle, Selection};

/// A connection, and the clipboards of the first seat.
struct Compositor {
    queue: EventQueue<State>,
    state: State,
    control: Control,
}

impl Compositor {
    fn connect(selection: Selection) -> Attempt<Self> {
        let unreachable = |why: String| Obstacle::Unreachable(why);
        let connection = Connection::connect_to_env()
            .map_err(|error| unreachable(format!("cannot connect: {error}")))?;
        let (globals, queue) =
            registry_queue_init(&connection).map_err(|error| unreachable(error.to_string()))?;
        let handle = queue.handle();
        let seat: WlSeat = globals
            .bind(&handle, 1..=1, ())
            .map_err(|_| unreachable("it has no seat, and so no clipboard".to_owned()))?;
        let oldest = if selection == Selection::Primary { 2 } else { 1 };
        let control = Control::bind(&globals, &handle, &seat, oldest).ok_or_else(|| {
            unreachable("it gives no program without a window its clipboard".to_owned())
        })?;
        Ok(Self { queue, state: State::default(), control })
    }

    /// Waits until the compositor has answered everything so far.
    fn sync(&mut self) -> Attempt<()> {
        self.queue.roundtrip(&mut self.state).map(drop).map_err(lost)
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for State {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
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

/// The compositor ended the connection, or reported a mistake.
fn lost(error: impl std::fmt::Display) -> Obstacle {
    let (doing, what) = ("talk to the compositor".to_owned(), error.to_string());
    sys::Error::Unexpected { doing, what }.into()
}
