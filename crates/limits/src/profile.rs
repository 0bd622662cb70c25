//! Profiles: what kinds of work need, and whether it is there.
//!
//! The form of the file is described at the head of `profiles.toml`, which
//! holds the built-in ones.

use serde::Serialize;
use sys::Result;

use crate::change::{Bound, Wish, bounds_soft_limit};
use crate::mend::{self, Fix, Target};
use crate::resource::{Name, NameError, Resource};
use crate::value::{Value, ValueError};
use crate::{KernelLimit, Limit, Query};

/// The file of the built-in profiles, which explains its form.
pub const TEMPLATE: &str = include_str!("profiles.toml");

/// What a kind of work needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The least value of each limit.
    pub wants: Vec<(Name, Value)>,
}

/// Why a text holds no profiles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is no TOML, or not of this form.
    #[error("{0}")]
    Syntax(String),
    /// A profile may not be called like a limit.
    #[error("[{0}] is the name of a limit")]
    Taken(String),
    /// A key is no limit.
    #[error("[{profile}]: there is no limit '{name}'; did you mean {nearest}?")]
    Unknown {
        /// The profile.
        profile: String,
        /// The key.
        name: String,
        /// The name that is nearest to it.
        nearest: &'static str,
    },
    /// A limit cannot have this value.
    #[error("[{profile}]: '{text}' is no value of {name}: {why}")]
    Value {
        /// The profile.
        profile: String,
        /// The limit.
        name: &'static str,
        /// The value.
        text: String,
        /// What is wrong with it.
        why: ValueError,
    },
}

/// A limit of a profile, beside what there is.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// The limit.
    pub name: &'static str,
    /// What it counts.
    pub unit: crate::Unit,
    /// The least that is enough.
    pub wanted: Value,
    /// What there is; `None` if this system does not have the limit.
    pub value: Option<Value>,
    /// Whether it is enough. A limit that is not there stops nobody.
    pub ok: bool,
    /// What lifts it.
    #[serde(skip)]
    pub fix: Option<Fix>,
}

/// The profiles that come with the program.
pub fn built_in() -> Vec<Profile> {
    parse(TEMPLATE).expect("the built-in profiles are well-formed, as a test says")
}

/// The profiles in the text of a file.
pub fn parse(text: &str) -> std::result::Result<Vec<Profile>, ProfileError> {
    let file: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        ProfileError::Syntax(format!("line {line}: {}", error.message()))
    })?;
    file.iter().map(|(name, content)| profile(name, content)).collect()
}

fn profile(name: &str, content: &toml::Value) -> std::result::Result<Profile, ProfileError> {
    let Some(table) = content.as_table() else {
        return Err(ProfileError::Syntax(format!("'{name}' is no table: [{name}] makes one")));
    };
    if Resource::find(name).is_ok() {
        return Err(ProfileError::Taken(name.to_owned()));
    }
    let mut profile =
        Profile { name: name.to_owned(), description: String::new(), wants: Vec::new() };
    for (key, value) in table {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            other => {
                let kind = other.type_str();
                return Err(ProfileError::Syntax(format!("[{name}]: {key} is a {kind}")));
            }
        };
        if key == "description" {
            profile.description = text;
            continue;
        }
        let limit: Name = key.parse().map_err(|NameError { nearest }| ProfileError::Unknown {
            profile: name.to_owned(),
            name: key.clone(),
            nearest,
        })?;
        let value = Value::parse(&text, limit.unit()).map_err(|why| ProfileError::Value {
            profile: name.to_owned(),
            name: limit.name(),
            text,
            why,
        })?;
        profile.wants.push((limit, value));
    }
    profile.wants.sort_by_key(|(limit, _)| limit.position());
    Ok(profile)
}

impl Profile {
    /// What lifts a process to this profile: the limits of the kernel, and those
    /// that this system lacks, are left out. What is higher already is not lowered.
    pub fn wishes(&self) -> Vec<Wish> {
        let wish = |(name, value): &(Name, Value)| match name {
            Name::Resource(resource) => {
                let value = crate::os::get(resource)?.soft.max(*value);
                Some(Wish { resource, soft: Some(Bound::Value(value)), hard: None })
            }
            Name::Parameter(_) => None,
        };
        self.wants.iter().filter_map(wish).collect()
    }
}

/// Compares a profile with the limits of this process and this system.
pub fn check(profile: &Profile) -> Result<Vec<Check>> {
    let names = profile.wants.iter().map(|(name, _)| *name).collect();
    let report = crate::list(&Query { names, ..Query::default() })?;
    let check = |(name, wanted): &(Name, Value)| match name {
        Name::Resource(_) => {
            let limit = report.limits.iter().find(|limit| limit.is(*name));
            check_limit(*name, *wanted, limit, &Target::Shell(report.pid))
        }
        Name::Parameter(_) => {
            let limits = report.kernel.iter().filter(|limit| limit.is(*name));
            check_kernel(*name, *wanted, limits.min_by_key(|limit| limit.value))
        }
    };
    Ok(profile.wants.iter().map(check).collect())
}

fn check_limit(name: Name, wanted: Value, limit: Option<&Limit>, shell: &Target) -> Check {
    // No ceiling is unlimited: it cannot be what such a profile asks for.
    let ceiling = |limit: &Limit| {
        let ceiling = limit.ceiling.filter(|_| bounds_soft_limit(limit.resource))?;
        (wanted != Value::Unlimited).then_some(Value::Number(ceiling))
    };
    let value = limit.map(|limit| limit.value.soft.min(ceiling(limit).unwrap_or(Value::Unlimited)));
    let ok = value.is_none_or(|value| value >= wanted);
    let fix = limit.filter(|_| !ok).and_then(|limit| match ceiling(limit) {
        Some(ceiling) if ceiling < wanted => mend::lift_ceiling(limit, wanted),
        _ => mend::lift(limit, Some(wanted), shell),
    });
    Check { name: name.name(), unit: name.unit(), wanted, value, ok, fix }
}

fn check_kernel(name: Name, wanted: Value, limit: Option<&KernelLimit>) -> Check {
    let value = limit.map(|limit| Value::Number(limit.value));
    let ok = value.is_none_or(|value| value >= wanted);
    let fix = limit.filter(|_| !ok).and_then(|limit| mend::lift_kernel(limit, wanted.number()));
    Check { name: name.name(), unit: name.unit(), wanted, value, ok, fix }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn the_built_in_profiles() {
        let profiles = built_in();
        let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
        assert_eq!(names, ["db", "jvm", "ml", "watch", "web"]);
        for profile in &profiles {
            assert!(!profile.description.is_empty() && !profile.wants.is_empty(), "{profile:?}");
        }
        let ml = &profiles[2];
        let value = |name: &str| {
            ml.wants.iter().find(|(known, _)| known.name() == name).map(|(_, value)| *value)
        };
        assert_eq!(value("nofile"), Some(Value::Number(65_536)));
        assert_eq!(value("/dev/shm"), Some(Value::Number(1 << 30)));
    }

    #[test]
    fn a_file_with_mistakes_says_which() {
        for (text, message) in [
            ("x = 1", "'x' is no table: [x] makes one"),
            ("[a]\nnofile = \n", "line 2: "),
            ("[nofile]\n", "[nofile] is the name of a limit"),
            ("[a]\nnofiles = 1", "[a]: there is no limit 'nofiles'; did you mean nofile?"),
            ("[a]\nnofile = -1", "[a]: '-1' is no value of nofile: it is negative"),
            (
                "[a]\nnofile = \"8X\"",
                "[a]: '8X' is no value of nofile: 'X' is not a unit of this limit",
            ),
            ("[a]\nnofile = 1.5", "[a]: nofile is a float"),
            ("[a]\nnofile = [1]", "[a]: nofile is a array"),
        ] {
            assert!(error(text).starts_with(message), "{text}: {}", error(text));
        }
        assert_eq!(parse("# nothing\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_there_and_what_is_not() {
        let text =
            "[a]\ncore = 0\nnofile = \"unlimited\"\n\"kern.maxproc\" = 1\n\"fs.file-max\" = 1\n";
        let profile = parse(text).expect("well-formed").remove(0);
        let checks = check(&profile).expect("the limits can be read");
        let of = |name: &str| checks.iter().find(|check| check.name == name).expect("a check");
        assert!(of("core").ok);
        assert!(of("kern.maxproc").ok && of("fs.file-max").ok);
        let absent = checks.iter().filter(|check| check.value.is_none()).count();
        assert_eq!(absent, 1, "one system has the one, the other the other");
    }
}
