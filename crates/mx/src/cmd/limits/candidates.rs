//! What the shell's completion offers for limits: names, values, profiles.

use std::collections::BTreeMap;

use limits::change::Wish;
use limits::{Name, PARAMETERS, Pair, RESOURCES, Resource, Unit, Value, set};

use super::{profiles, show};
use crate::cmd::complete::Candidate;

/// What is to be done with a limit, which decides what values make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cmd) enum Purpose {
    /// The soft limit of the shell goes up.
    Raise,
    /// A command gets it, starting from that of the shell.
    Run,
    /// Another process gets it, whose limits are not known here.
    Set,
}

/// Values that people use, in the unit's own spelling and from low to high.
const USUAL: [(&str, &[&str]); 16] = [
    ("nofile", &["256", "1024", "4096", "8192", "16384", "65536", "262144", "1048576"]),
    ("nproc", &["256", "1024", "4096", "16384", "32768"]),
    ("stack", &["1M", "8M", "16M", "64M", "256M", "1G"]),
    ("as", &["1G", "2G", "4G", "8G", "16G", "32G", "64G"]),
    ("core", &["0", "1G"]),
    ("memlock", &["64k", "8M", "64M", "1G", "8G"]),
    ("fsize", &["0", "1M", "100M", "1G", "10G"]),
    ("locks", &[]),
    ("data", &["1G", "2G", "4G", "8G", "16G", "32G", "64G"]),
    ("rss", &["1G", "2G", "4G", "8G", "16G", "32G", "64G"]),
    ("cpu", &["10s", "1m", "10m", "1h"]),
    ("sigpending", &["1024", "16384", "65536"]),
    ("msgqueue", &["0", "800k", "8M", "64M"]),
    ("nice", &["0", "20", "30", "40"]),
    ("rtprio", &["0", "1", "50", "99"]),
    ("rttime", &["200ms", "1s", "10s"]),
];

/// The limits of this system.
pub(in crate::cmd) fn limit_names() -> Vec<Candidate> {
    let parameters =
        PARAMETERS.iter().filter(|parameter| limits::exists(Name::Parameter(parameter)));
    let parameters = parameters.map(|parameter| {
        Candidate::new("kernel", Name::Parameter(parameter).name(), parameter.description)
    });
    resources("").chain(parameters).collect()
}

/// Behind `NAME=` and `NAME=SOFT:` the values that make sense, else the
/// beginnings of wishes, and the profiles where they are taken.
pub(in crate::cmd) fn limit_values(purpose: Purpose, typed: &str) -> Vec<Candidate> {
    if let Some((name, _)) = typed.split_once('=') {
        return Resource::find(name)
            .map_or_else(|_| Vec::new(), |resource| values(resource, purpose));
    }
    match purpose {
        Purpose::Raise | Purpose::Run => resources("=").chain(profile_names()).collect(),
        Purpose::Set => resources("=").collect(),
    }
}

/// The profiles; none if the file of the user's own is broken.
pub(in crate::cmd) fn profile_names() -> Vec<Candidate> {
    let profiles = profiles::all().unwrap_or_default().into_iter();
    profiles.map(|profile| Candidate::new("profiles", profile.name, profile.description)).collect()
}

fn resources(behind: &str) -> impl Iterator<Item = Candidate> {
    let here = RESOURCES.iter().filter(|resource| limits::exists(Name::Resource(resource)));
    here.map(move |resource| {
        Candidate::new("limits", format!("{}{behind}", resource.name), resource.description)
    })
}

/// What the shell has of a limit, and how high is wise; `None` where it lacks it.
struct Present {
    pair: Pair,
    wise: Value,
}

fn present(resource: &'static Resource) -> Option<Present> {
    let wish = Wish { resource, soft: None, hard: None };
    let change = set::plan(&[wish], None).ok()?.pop()?;
    Some(Present { pair: change.old, wise: change.new.soft })
}

fn values(resource: &'static Resource, purpose: Purpose) -> Vec<Candidate> {
    let Some(present) = present(resource) else { return Vec::new() };
    let own = (purpose != Purpose::Set).then_some(present);
    let profiles = wanted_by_profiles(resource);
    ranked(resource, purpose, own.as_ref(), profiles, sys::user::is_root())
}

/// What profiles want of a limit, with their names.
fn wanted_by_profiles(resource: &'static Resource) -> Vec<(Value, String)> {
    let wants = |name: &Name| *name == Name::Resource(resource);
    let profiles = profiles::all().unwrap_or_default().into_iter();
    profiles
        .filter_map(|profile| {
            let (_, value) = profile.wants.iter().find(|(name, _)| wants(name))?;
            Some((*value, profile.name))
        })
        .collect()
}

/// `max`, then the values from low to high, each with what speaks for it.
fn ranked(
    resource: &Resource,
    purpose: Purpose,
    own: Option<&Present>,
    profiles: Vec<(Value, String)>,
    is_root: bool,
) -> Vec<Candidate> {
    let mut values: BTreeMap<Value, Vec<String>> = BTreeMap::new();
    let usual = USUAL.iter().find(|(name, _)| *name == resource.name);
    for text in usual.map_or(&[][..], |(_, values)| values) {
        if let Ok(value) = Value::parse(text, resource.unit) {
            values.entry(value).or_default();
        }
    }
    if resource.name != "nofile" {
        values.entry(Value::Unlimited).or_default().push("no limit".to_owned());
    }
    if let Some(Present { pair, wise }) = own {
        values.entry(pair.soft).or_default().push("as it is now".to_owned());
        values.entry(pair.hard).or_default();
        if wise > &pair.soft {
            values.entry(*wise).or_default().push("as high as is wise".to_owned());
        }
    }
    for (value, name) in profiles {
        values.entry(value).or_default().push(format!("profile {name}"));
    }
    if let Some(Present { pair, .. }) = own {
        // Only root lifts a hard limit, and raising never lowers.
        values.retain(|value, _| {
            (*value <= pair.hard || (is_root && purpose == Purpose::Run))
                && (*value > pair.soft || purpose != Purpose::Raise)
        });
    }
    let max = match own {
        Some(Present { pair, .. }) => {
            format!("the hard limit, {}", spelled(pair.hard, resource.unit))
        }
        None => "the hard limit of the process".to_owned(),
    };
    let candidate = |(value, reasons): (Value, Vec<String>)| {
        Candidate::new("values", spelled(value, resource.unit), reasons.join(", "))
    };
    let max = Candidate::new("values", "max", max);
    std::iter::once(max).chain(values.into_iter().map(candidate)).collect()
}

/// A value as people write it, if that says exactly the same, else as a number.
fn spelled(value: Value, unit: Unit) -> String {
    let text = show::human(value, unit);
    if Value::parse(&text, unit) == Ok(value) { text } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(name: &str, purpose: Purpose, own: Option<(Value, Value)>, root: bool) -> String {
        let resource = Resource::find(name).expect("a limit");
        let own = own.map(|(soft, hard)| {
            let wise = limits::change::wise(resource, hard, None).max(soft);
            Present { pair: Pair { soft, hard }, wise }
        });
        let profiles = [(16_384, "web"), (65_536, "ml"), (65_536, "db")]
            .map(|(value, name)| (Value::Number(value), name.to_owned()))
            .into_iter()
            .filter(|_| name == "nofile")
            .collect();
        let candidates = ranked(resource, purpose, own.as_ref(), profiles, root);
        let lines = candidates.into_iter().map(|candidate| {
            if candidate.description.is_empty() {
                candidate.word
            } else {
                format!("{} ({})", candidate.word, candidate.description)
            }
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn values_that_make_sense() {
        let own = Some((Value::Number(1024), Value::Number(20_000)));
        assert_eq!(
            offered("nofile", Purpose::Raise, own, true),
            "max (the hard limit, 20000); 4096; 8192; 16384 (profile web); 20000 (as high as is wise)"
        );
        assert_eq!(
            offered("nofile", Purpose::Run, own, false),
            "max (the hard limit, 20000); 256; 1024 (as it is now); 4096; 8192; \
             16384 (profile web); 20000 (as high as is wise)"
        );
        assert!(
            offered("nofile", Purpose::Run, own, true)
                .ends_with("; 65536 (profile ml, profile db); 262144; 1048576")
        );
        assert_eq!(
            offered(
                "stack",
                Purpose::Raise,
                Some((Value::Number(8 << 20), Value::Unlimited)),
                false
            ),
            "max (the hard limit, unlimited); 16M; 64M (as high as is wise); 256M; 1G; \
             unlimited (no limit)"
        );
        let own = Some((Value::Number(0), Value::Number(1025)));
        assert_eq!(
            offered("core", Purpose::Run, own, false),
            "max (the hard limit, 1025); 0 (as it is now); 1025 (as high as is wise)"
        );
        let unlimited = Some((Value::Unlimited, Value::Unlimited));
        assert_eq!(
            offered("cpu", Purpose::Raise, unlimited, false),
            "max (the hard limit, unlimited)"
        );
        assert_eq!(
            offered("cpu", Purpose::Set, None, false),
            "max (the hard limit of the process); 10s; 60s; 600s; 3600s; unlimited (no limit)"
        );
    }

    #[test]
    fn usual_values_are_in_order_and_of_limits_that_exist() {
        for (resource, (name, values)) in RESOURCES.iter().zip(USUAL) {
            assert_eq!(resource.name, name);
            let parsed: Vec<Value> = values
                .iter()
                .map(|text| Value::parse(text, resource.unit).expect("a value"))
                .collect();
            assert!(parsed.windows(2).all(|pair| pair[0] < pair[1]), "{name}");
        }
    }

    #[test]
    fn what_stands_behind_the_sign() {
        let words = |typed: &str, purpose| -> Vec<String> {
            limit_values(purpose, typed).into_iter().map(|candidate| candidate.word).collect()
        };
        assert!(words("", Purpose::Run).contains(&"nofile=".to_owned()));
        assert!(words("", Purpose::Run).contains(&"ml".to_owned()));
        assert!(!words("no", Purpose::Set).contains(&"ml".to_owned()), "set takes no profile");
        assert_eq!(words("nofile=", Purpose::Set)[0], "max");
        assert_eq!(words("-n=1024:", Purpose::Set), words("nofile=", Purpose::Set));
        assert_eq!(words("$(x)=", Purpose::Run), Vec::<String>::new());
    }
}
