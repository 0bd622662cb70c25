//! The clipboards of a desktop on Linux.
//!
//! Whoever copies owns the clipboard and hands the text out when it is pasted,
//! so a copy leaves a process behind: see `owner`.

mod owner;
mod wayland;
mod x11;

use std::env;

use crate::{Attempt, Copied, Options, Sink, Via, not_here};

/// The clipboards that the environment names.
pub(crate) fn desktop() -> Vec<Via> {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    // A session of Wayland has an X server beside it.
    let wayland = is_set("WAYLAND_DISPLAY").then_some(Via::Wayland);
    let x11 = is_set("DISPLAY").then_some(Via::X11);
    wayland.into_iter().chain(x11).collect()
}

pub(crate) fn copy(via: Via, text: &[u8], options: Options) -> Attempt<Copied> {
    let types = match via {
        Via::X11 => {
            owner::stay_behind(options.secret, |ready| x11::own(text, options, ready))?;
            x11::types_of(text, options)
        }
        Via::Wayland => {
            owner::stay_behind(options.secret, |ready| wayland::own(text, options, ready))?;
            wayland::types_of(options)
        }
        _ => return Err(not_here()),
    };
    Ok(Copied { via, verified: true, bytes: text.len() as u64, types, notes: Vec::new() })
}

pub(crate) fn paste(via: Via, options: Options, sink: Sink) -> Attempt<bool> {
    match via {
        Via::X11 => x11::paste(options, sink),
        Via::Wayland => wayland::paste(options, sink),
        _ => Err(not_here()),
    }
}

pub(crate) fn types(via: Via, options: Options) -> Attempt<Vec<String>> {
    match via {
        Via::X11 => x11::types(options),
        Via::Wayland => wayland::types(options),
        _ => Err(not_here()),
    }
}
