//! The clipboard of a Mac.

use crate::{Attempt, Copied, Options, Sink, Via, not_here};

/// The clipboards of the desktop.
pub(crate) fn desktop() -> Vec<Via> {
    Vec::new()
}

pub(crate) fn copy(_: Via, _: &[u8], _: Options) -> Attempt<Copied> {
    Err(not_here())
}

pub(crate) fn paste(_: Via, _: Options, _: Sink) -> Attempt<bool> {
    Err(not_here())
}

pub(crate) fn types(_: Via, _: Options) -> Attempt<Vec<String>> {
    Err(not_here())
}
