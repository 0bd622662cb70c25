//! The clipboards of a desktop on Linux.
//!
//! Whoever copies owns the clipboard and hands the text out when it is pasted,
//! so a copy leaves a process behind: see `owner`.

mod owner;
mod x11;

use std::env;

use crate::{Attempt, Copied, Options, Sink, Via, not_here};

/// The clipboards that the environment names.
pub(crate) fn desktop() -> Vec<Via> {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    is_set("DISPLAY").then_some(Via::X11).into_iter().collect()
}

pub(crate) fn copy(via: Via, text: &[u8], options: Options) -> Attempt<Copied> {
    let types = match via {
        Via::X11 => {
            owner::stay_behind(options.secret, |ready| x11::own(text, options, ready))?;
            x11::types_of(text, options)
        }
        _ => return Err(not_here()),
    };
    Ok(Copied { via, verified: true, bytes: text.len() as u64, types, notes: Vec::new() })
}

pub(crate) fn paste(via: Via, options: Options, sink: Sink) -> Attempt<bool> {
    match via {
        Via::X11 => x11::paste(options, sink),
        _ => Err(not_here()),
    }
}

pub(crate) fn types(via: Via, options: Options) -> Attempt<Vec<String>> {
    match via {
        Via::X11 => x11::types(options),
        _ => Err(not_here()),
    }
}
