//! What a limit is to become: `NAME`, `NAME=VALUE` and `NAME=SOFT:HARD`.
//!
//! Deciding is apart from doing: [`Change::of`] looks at what is there and
//! sets nothing.

use std::str::FromStr;

use crate::resource::{NameError, Resource};
use crate::value::{Pair, Value, ValueError};

/// A value as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// This value.
    Value(Value),
    /// The hard limit.
    Max,
}

/// What is asked of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which limit.
    pub resource: &'static Resource,
    /// The soft limit.
    pub soft: Option<Bound>,
    /// The hard limit. With neither, the soft limit goes as high as is wise.
    pub hard: Option<Bound>,
}

/// Why a text is no [`Wish`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// No limit has this name.
    #[error("there is no limit '{name}'")]
    Name {
        /// The name.
        name: String,
        /// The name that is nearest to it.
        nearest: &'static str,
    },
    /// The limit cannot hold the value.
    #[error("'{text}' is no value of {name}: {why}")]
    Value {
        /// The limit.
        name: &'static str,
        /// The value.
        text: String,
        /// What is wrong with it.
        why: ValueError,
    },
}

/// A limit as it is, and as it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which limit.
    pub resource: &'static Resource,
    /// What it is.
    pub old: Pair,
    /// What it is to be.
    pub new: Pair,
}

/// The soft limit would be above the hard one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the soft limit {soft} would be above the hard limit {hard}")]
pub struct SoftAboveHard {
    soft: Value,
    hard: Value,
}

impl FromStr for Wish {
    type Err = WishError;

    fn from_str(text: &str) -> Result<Self, WishError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let resource = Resource::find(name)
            .map_err(|NameError { nearest }| WishError::Name { name: name.to_owned(), nearest })?;
        let Some(value) = value else { return Ok(Self { resource, soft: None, hard: None }) };
        let bound = |text: &str| bound(text, resource);
        let (soft, hard) = match value.split_once(':') {
            None => (Some(bound(value)?), None),
            Some(("", hard)) => (None, Some(bound(hard)?)),
            Some((soft, "")) => (Some(bound(soft)?), None),
            Some((soft, hard)) => (Some(bound(soft)?), Some(bound(hard)?)),
        };
        Ok(Self { resource, soft, hard })
    }
}

fn bound(text: &str, resource: &'static Resource) -> Result<Bound, WishError> {
    if text.eq_ignore_ascii_case("max") {
        return Ok(Bound::Max);
    }
    Value::parse(text, resource.unit).map(Bound::Value).map_err(|why| WishError::Value {
        name: resource.name,
        text: text.to_owned(),
        why,
    })
}

impl Change {
    /// What `wish` makes of a limit.
    ///
    /// A soft limit alone lifts the hard one where that is lower, which takes a
    /// privilege; else the hard limit stays. Without any value the soft limit
    /// goes as high as is [`wise`], and never down.
    pub fn of(wish: &Wish, old: Pair, ceiling: Option<u64>) -> Result<Self, SoftAboveHard> {
        let resolve = |bound| match bound {
            Bound::Value(value) => value,
            Bound::Max => old.hard,
        };
        let new = match (wish.soft.map(resolve), wish.hard.map(resolve)) {
            (None, None) => {
                Pair { soft: wise(wish.resource, old.hard, ceiling).max(old.soft), ..old }
            }
            (Some(soft), None) => Pair { soft, hard: old.hard.max(soft) },
            (soft, Some(hard)) => Pair { soft: soft.unwrap_or(old.soft), hard },
        };
        if new.soft > new.hard {
            return Err(SoftAboveHard { soft: new.soft, hard: new.hard });
        }
        Ok(Self { resource: wish.resource, old, new })
    }
}

/// The highest soft limit that does no harm.
///
/// - `nofile`: programs that close every descriptor they might have inherited
///   hang for minutes where there may be 2³⁰. 65,536 costs them milliseconds.
/// - `stack`: it is also the size of each thread's stack, and `unlimited`
///   changes how Linux lays out memory.
/// - The memory of a machine or a cgroup is no bound for addresses, of which
///   programs reserve far more than they use.
pub fn wise(resource: &Resource, hard: Value, ceiling: Option<u64>) -> Value {
    const MOST_FILES: u64 = 65_536;
    const MOST_STACK: u64 = 64 << 20;

    let harmless = match resource.name {
        "nofile" => Value::Number(MOST_FILES),
        "stack" => Value::Number(MOST_STACK),
        _ => Value::Unlimited,
    };
    let possible = match ceiling {
        Some(ceiling) if bounds_soft_limit(resource) => Value::Number(ceiling),
        _ => Value::Unlimited,
    };
    harmless.min(possible).min(hard)
}

/// Whether a limit counts the same as its ceiling.
pub(crate) fn bounds_soft_limit(resource: &Resource) -> bool {
    !matches!(resource.name, "as" | "data" | "rss")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(soft: u64, hard: u64) -> Pair {
        Pair { soft: Value::Number(soft), hard: Value::Number(hard) }
    }

    fn change(text: &str, old: Pair, ceiling: Option<u64>) -> Result<Pair, String> {
        let wish: Wish = text.parse().map_err(|error: WishError| error.to_string())?;
        Change::of(&wish, old, ceiling).map(|change| change.new).map_err(|error| error.to_string())
    }

    #[test]
    fn soft_hard_and_both() {
        let old = pair(1024, 4096);
        for (text, new) in [
            ("nofile=2048", pair(2048, 4096)),
            ("-n=2k", pair(2048, 4096)),
            ("nofile=max", pair(4096, 4096)),
            ("nofile=512", pair(512, 4096)),
            ("nofile=8192", pair(8192, 8192)),
            ("nofile=512:1024", pair(512, 1024)),
            ("nofile=:2048", pair(1024, 2048)),
            ("nofile=2048:", pair(2048, 4096)),
            ("nofile=max:max", pair(4096, 4096)),
            ("nofile", pair(4096, 4096)),
        ] {
            assert_eq!(change(text, old, None), Ok(new), "{text}");
        }
        assert_eq!(
            change("stack=unlimited", old, None),
            Ok(Pair { soft: Value::Unlimited, hard: Value::Unlimited })
        );
    }

    #[test]
    fn what_cannot_be() {
        let old = pair(1024, 4096);
        for (text, why) in [
            ("nofile=2:1", "the soft limit 2 would be above the hard limit 1"),
            ("nofile=:512", "the soft limit 1024 would be above the hard limit 512"),
            (
                "nofile=unlimited:4096",
                "the soft limit unlimited would be above the hard limit 4096",
            ),
            ("nofile=", "'' is no value of nofile: the value is missing"),
            ("nofile=:", "'' is no value of nofile: the value is missing"),
            ("nofile=-1", "'-1' is no value of nofile: it is negative"),
            ("nofile=1:2:3", "'2:3' is no value of nofile: ':3' is not a unit of this limit"),
            ("cpu=1G", "'1G' is no value of cpu: 'G' is not a unit of this limit"),
            ("files=1", "there is no limit 'files'"),
            ("=1", "there is no limit ''"),
        ] {
            let error = change(text, old, None).expect_err(text);
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }

    #[test]
    fn as_high_as_is_wise_and_never_down() {
        let soft = |name: &str, old: Pair, ceiling: Option<u64>| {
            change(name, old, ceiling).map(|new| new.soft)
        };
        let open = |soft| Pair { soft: Value::Number(soft), hard: Value::Unlimited };
        assert_eq!(soft("nofile", open(256), Some(10_240)), Ok(Value::Number(10_240)));
        assert_eq!(soft("nofile", open(256), Some(1 << 30)), Ok(Value::Number(65_536)));
        assert_eq!(soft("nofile", pair(256, 1 << 30), None), Ok(Value::Number(65_536)));
        assert_eq!(
            soft("nofile", pair(100_000, 200_000), Some(1 << 20)),
            Ok(Value::Number(100_000))
        );
        assert_eq!(soft("nproc", pair(100, 96_000), Some(32_768)), Ok(Value::Number(32_768)));
        assert_eq!(soft("stack", open(8 << 20), None), Ok(Value::Number(64 << 20)));
        assert_eq!(soft("as", open(1 << 30), Some(1 << 31)), Ok(Value::Unlimited));
        assert_eq!(soft("core", open(0), None), Ok(Value::Unlimited));
        let unlimited = Pair { soft: Value::Unlimited, hard: Value::Unlimited };
        assert_eq!(soft("stack", unlimited, None), Ok(Value::Unlimited));
    }
}
