//! Values of limits, and how they are written.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::resource::Unit;

/// A number, or no limit. `Unlimited` is greater than any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// So many of the limit's unit.
    Number(u64),
    /// No limit.
    Unlimited,
}

/// The two values of a limit of setrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// What is in force.
    pub soft: Value,
    /// How far the process may raise the soft limit by itself.
    pub hard: Value,
}

/// Why a text is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Nothing there.
    #[error("the value is missing")]
    Empty,
    /// A number below zero.
    #[error("it is negative")]
    Negative,
    /// A number that no limit can hold.
    #[error("it is too large")]
    TooLarge,
    /// Anything else.
    #[error("it is not a number")]
    NotANumber,
    /// A number with a unit that the limit is not counted in.
    #[error("'{0}' is not a unit of this limit")]
    Suffix(String),
}

impl Value {
    /// How values are written, for messages.
    pub const FORMS: &'static str = "a number, also with k, M, G or T (binary: 64k is 65536), or with s, m or h for a time; max; unlimited";

    /// The number, unless there is no limit.
    pub fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Unlimited => None,
        }
    }

    /// Reads a number with an optional suffix, or `unlimited`.
    ///
    /// A size without a suffix is in bytes, as in setrlimit(2), whatever the
    /// unit of `ulimit` is. `k`, `M`, `G` and `T` are binary for counts too.
    pub fn parse(text: &str, unit: Unit) -> Result<Self, ValueError> {
        if text.eq_ignore_ascii_case("unlimited") {
            return Ok(Self::Unlimited);
        }
        let is_digit = |char: char| char.is_ascii_digit();
        if text.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_digit)) {
            return Err(ValueError::Negative);
        }
        let (digits, suffix) =
            text.split_at(text.find(|char| !is_digit(char)).unwrap_or(text.len()));
        if text.is_empty() {
            return Err(ValueError::Empty);
        }
        if digits.is_empty() {
            return Err(ValueError::NotANumber);
        }
        let factor = factor(suffix, unit).ok_or_else(|| ValueError::Suffix(suffix.to_owned()))?;
        let number: u64 = digits.parse().map_err(|_| ValueError::TooLarge)?;
        // The largest number of macOS stands for no limit there; Linux has no use for more.
        number
            .checked_mul(factor)
            .filter(|&number| number < u64::MAX / 2)
            .map(Self::Number)
            .ok_or(ValueError::TooLarge)
    }
}

fn factor(suffix: &str, unit: Unit) -> Option<u64> {
    const SECOND: u64 = 1_000_000;
    let lower = suffix.to_ascii_lowercase();
    match unit {
        Unit::Bytes | Unit::Count => {
            let prefix = match unit {
                Unit::Bytes => {
                    lower.strip_suffix("ib").or(lower.strip_suffix('b')).unwrap_or(&lower)
                }
                _ => &lower,
            };
            let power = ["", "k", "m", "g", "t"].iter().position(|known| *known == prefix)?;
            Some(1 << (10 * power))
        }
        Unit::Seconds => match suffix {
            "" | "s" => Some(1),
            "m" => Some(60),
            "h" => Some(60 * 60),
            _ => None,
        },
        Unit::Microseconds => match suffix {
            "" | "us" => Some(1),
            "ms" => Some(1000),
            "s" => Some(SECOND),
            "m" => Some(60 * SECOND),
            _ => None,
        },
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Unlimited => write!(f, "unlimited"),
        }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.soft, self.hard)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_counts_and_times() {
        for (text, unit, number) in [
            ("0", Unit::Count, 0),
            ("4096", Unit::Count, 4096),
            ("64k", Unit::Count, 65_536),
            ("1M", Unit::Count, 1 << 20),
            ("8192", Unit::Bytes, 8192),
            ("64k", Unit::Bytes, 65_536),
            ("8M", Unit::Bytes, 8 << 20),
            ("8MiB", Unit::Bytes, 8 << 20),
            ("8mb", Unit::Bytes, 8 << 20),
            ("512B", Unit::Bytes, 512),
            ("1G", Unit::Bytes, 1 << 30),
            ("2t", Unit::Bytes, 2 << 40),
            ("90", Unit::Seconds, 90),
            ("90s", Unit::Seconds, 90),
            ("2m", Unit::Seconds, 120),
            ("1h", Unit::Seconds, 3600),
            ("200", Unit::Microseconds, 200),
            ("5ms", Unit::Microseconds, 5000),
            ("1s", Unit::Microseconds, 1_000_000),
        ] {
            assert_eq!(Value::parse(text, unit), Ok(Value::Number(number)), "{text}");
        }
        assert_eq!(Value::parse("unlimited", Unit::Bytes), Ok(Value::Unlimited));
        assert!(Value::Unlimited > Value::Number(u64::MAX));
    }

    #[test]
    fn what_is_no_value() {
        for (text, unit, error) in [
            ("", Unit::Count, ValueError::Empty),
            ("-1", Unit::Count, ValueError::Negative),
            ("-1k", Unit::Bytes, ValueError::Negative),
            ("-", Unit::Count, ValueError::NotANumber),
            ("max", Unit::Count, ValueError::NotANumber),
            ("k", Unit::Bytes, ValueError::NotANumber),
            ("1.5G", Unit::Bytes, ValueError::Suffix(".5G".to_owned())),
            ("1 k", Unit::Bytes, ValueError::Suffix(" k".to_owned())),
            ("8B", Unit::Count, ValueError::Suffix("B".to_owned())),
            ("8M", Unit::Seconds, ValueError::Suffix("M".to_owned())),
            ("٣", Unit::Count, ValueError::NotANumber),
            ("18446744073709551616", Unit::Count, ValueError::TooLarge),
            ("18446744073709551615", Unit::Count, ValueError::TooLarge),
            ("9223372036854775807", Unit::Count, ValueError::TooLarge),
            ("9007199254740992k", Unit::Bytes, ValueError::TooLarge),
        ] {
            assert_eq!(Value::parse(text, unit), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_value_or_an_error(text in "\\PC*") {
            for unit in [Unit::Bytes, Unit::Count, Unit::Seconds, Unit::Microseconds] {
                if let Ok(Value::Number(number)) = Value::parse(&text, unit) {
                    prop_assert!(text.starts_with(|char: char| char.is_ascii_digit()));
                    prop_assert!(number < u64::MAX / 2);
                }
            }
        }
    }
}
