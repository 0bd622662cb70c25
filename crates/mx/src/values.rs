//! Values of arguments that several commands take.

use std::time::Duration;

use crate::exit::Failure;

/// A duration, as in `500ms`, `5s` and `2m`.
pub(crate) fn duration(text: &str) -> Result<Duration, Failure> {
    humantime::parse_duration(text).map_err(|error| {
        Failure::usage(
            format!("cannot use '{text}' as a duration: {error}"),
            "accepted: a number with a unit, as in 500ms, 5s or 2m",
        )
    })
}
