//! Signals, by the names and numbers that people use.

use std::str::FromStr;

pub use nix::sys::signal::Signal;

/// The signal meant by `TERM`, `SIGTERM`, `term` or `15`.
pub fn parse(text: &str) -> Option<Signal> {
    if let Ok(number) = text.parse::<i32>() {
        return Signal::try_from(number).ok();
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    Signal::from_str(&format!("SIG{name}")).ok()
}

/// The signal's name without the `SIG`, as kill(1) writes it.
pub fn name(signal: Signal) -> &'static str {
    signal.as_str().trim_start_matches("SIG")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for text in ["TERM", "SIGTERM", "sigterm", "term", "15"] {
            assert_eq!(parse(text), Some(Signal::SIGTERM), "{text}");
        }
        for text in ["", "0", "-9", "SIGNOPE", "SIG", "999"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(name(Signal::SIGKILL), "KILL");
    }
}
