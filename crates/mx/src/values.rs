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

/// How often to look at something that changes.
pub(crate) fn interval(text: &str) -> Result<Duration, Failure> {
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(60 * 60);

    let interval = duration(text)?;
    if (SHORTEST..=LONGEST).contains(&interval) {
        return Ok(interval);
    }
    Err(Failure::usage(
        format!(
            "cannot use '{text}' as an interval: it is too {}",
            if interval < SHORTEST { "short" } else { "long" }
        ),
        "accepted: from 10ms to 1h",
    ))
}
