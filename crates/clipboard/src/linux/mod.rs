//! The clipboards of a desktop on Linux.
//!
//! Whoever copies owns the clipboard and hands the text out when it is pasted,
//! so a copy leaves a process behind: see `owner`.

mod owner;
mod socket;
mod wayland;
mod x11;

use std::env;
use std::rc::Rc;

use crate::patience::Clock;
use crate::route::Way;
use crate::{Attempt, Copied, Options, Sink, Via, not_here};

/// The clipboards that the environment names, or does not.
pub(crate) fn desktop() -> Vec<Way> {
    let way = |via, name| match env::var_os(name) {
        Some(value) if !value.is_empty() => Way::open(via),
        _ => Way::closed(via, format!("{name} is not set")),
    };
    // A session of Wayland has an X server beside it.
    vec![way(Via::Wayland, "WAYLAND_DISPLAY"), way(Via::X11, "DISPLAY")]
}

pub(crate) fn copy(via: Via, text: &[u8], options: Options, clock: &Rc<Clock>) -> Attempt<Copied> {
    let types = match via {
        Via::X11 => {
            let work = |ready: &owner::Ready| x11::own(text, options, clock, ready);
            owner::stay_behind(options.secret, clock, work)?;
            x11::types_of(text, options)
        }
        Via::Wayland => {
            let work = |ready: &owner::Ready| wayland::own(text, options, clock, ready);
            owner::stay_behind(options.secret, clock, work)?;
            wayland::types_of(options)
        }
        _ => return Err(not_here()),
    };
    Ok(Copied { via, verified: true, bytes: text.len() as u64, types, notes: Vec::new() })
}

pub(crate) fn paste(via: Via, options: Options, clock: &Rc<Clock>, sink: Sink) -> Attempt<bool> {
    match via {
        Via::X11 => x11::paste(options, clock, sink),
        Via::Wayland => wayland::paste(options, clock, sink),
        _ => Err(not_here()),
    }
}

pub(crate) fn types(via: Via, options: Options, clock: &Rc<Clock>) -> Attempt<Vec<String>> {
    match via {
        Via::X11 => x11::types(options, clock),
        Via::Wayland => wayland::types(options, clock),
        _ => Err(not_here()),
    }
}
