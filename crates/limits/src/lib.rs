//! What limits a process, what really stops it, and how near it is.
//!
//! [`list`] answers for the limits of setrlimit(2), for those of the kernel and
//! of the cgroups; [`set`] changes those of setrlimit(2); [`explain`] finds the
//! limit behind an error message; [`profile`] holds what kinds of work need.
//!
//! How it is built: `os` reads, per system; the parsers (`procfs`, `cgroup`)
//! and the decisions (`change`) compile and are tested on every system. Each
//! fact is read when it is first asked for, as most calls need few of them.
//!
//! Not here: counting the descriptors of any process but the one asked about,
//! and any privilege: what is denied is an error or an unknown.

#[cfg_attr(
    not(any(target_os = "linux", test)),
    expect(dead_code, reason = "Linux reads through it; it is tested on every system")
)]
mod cgroup;
pub mod change;
pub mod daemons;
mod errno;
pub mod explain;
#[cfg_attr(
    not(any(target_os = "linux", test)),
    expect(dead_code, reason = "Linux reads through it; it is tested on every system")
)]
mod files;
mod matching;
pub mod mend;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod os;
#[cfg_attr(
    not(any(target_os = "linux", test)),
    expect(dead_code, reason = "Linux reads through it; it is tested on every system")
)]
mod procfs;
pub mod profile;
mod quoted;
mod resource;
mod scan;
pub mod scope;
pub mod set;
#[cfg_attr(
    not(any(target_os = "linux", test)),
    expect(dead_code, reason = "Linux reads through it; it is tested on every system")
)]
mod shared;
mod symptoms;
mod value;
mod watches;

use std::path::PathBuf;

use serde::Serialize;
use sys::Result;

pub use os::LIFTS_HARD;
pub use resource::{Name, NameError, PARAMETERS, Parameter, RESOURCES, Resource, Unit};
pub use value::{Pair, Value, ValueError};
pub use watches::Holder;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Which limits; the usual ones if empty.
    pub names: Vec<Name>,
    /// Of which process; what it uses is counted too. `None` for the limits of
    /// this process and the use of the one that started it: the shell's.
    pub pid: Option<u32>,
    /// Every limit there is.
    pub all: bool,
    /// Which processes hold inotify watches, too: a walk over all descriptors.
    pub holders: bool,
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The process whose use is counted.
    pub pid: u32,
    /// Limits of setrlimit(2).
    pub limits: Vec<Limit>,
    /// Limits of the kernel and of cgroups.
    pub kernel: Vec<KernelLimit>,
    /// The processes that watch files, those with most watches first; `None` if
    /// nobody asked.
    pub holders: Option<Vec<Holder>>,
    /// How many processes of other users may hold watches, too.
    #[serde(skip)]
    pub hidden: u64,
    /// What the answer does not show.
    pub notes: Vec<String>,
}

/// A limit of setrlimit(2).
#[derive(Clone, Debug, Serialize)]
pub struct Limit {
    /// Which one.
    #[serde(flatten, serialize_with = "serialize_resource")]
    pub resource: &'static Resource,
    /// What is in force, and how far it may be raised.
    #[serde(flatten)]
    pub value: Pair,
    /// What stops a process all the same, where the limit is higher.
    pub ceiling: Option<u64>,
    /// The kernel's name of the ceiling.
    pub ceiling_source: Option<String>,
    /// How much is in use; `None` if it is not known.
    pub used: Option<u64>,
    /// An upper bound of `used`, where counting would take long.
    pub used_at_most: Option<u64>,
    /// How near the use is to the limit; `None` if it is not known.
    pub state: Option<State>,
}

/// A limit that several processes share, or that the kernel sets.
#[derive(Clone, Debug, Serialize)]
pub struct KernelLimit {
    /// The kernel's name of it.
    pub name: &'static str,
    /// What it limits.
    pub description: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// The limit.
    pub value: u64,
    /// How much is in use; `None` if it is not known.
    pub used: Option<u64>,
    /// How near the use is to the limit; `None` if it is not known.
    pub state: Option<State>,
    /// The cgroup that it belongs to.
    pub cgroup: Option<String>,
    /// The file of the cgroup that holds it.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    #[serde(skip)]
    parameter: &'static Parameter,
}

impl Limit {
    /// Whether it is the one of this name.
    pub fn is(&self, name: Name) -> bool {
        name == Name::Resource(self.resource)
    }
}

impl KernelLimit {
    /// Whether it is one of this name, which several cgroups may set.
    pub fn is(&self, name: Name) -> bool {
        name == Name::Parameter(self.parameter)
    }
}

/// How near a limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Less than four fifths are in use.
    Ok,
    /// Four fifths or more are.
    Near,
    /// All is in use.
    Reached,
}

impl State {
    /// How near `used` is to `limit`.
    pub fn of(used: u64, limit: u64) -> Self {
        if used >= limit {
            Self::Reached
        } else if used >= limit - limit / 5 {
            Self::Near
        } else {
            Self::Ok
        }
    }
}

/// The names of a resource, as fields of the limit that holds it.
fn serialize_resource<S: serde::Serializer>(
    resource: &Resource,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;

    let mut map = serializer.serialize_map(Some(3))?;
    map.serialize_entry("name", resource.name)?;
    map.serialize_entry("description", resource.description)?;
    map.serialize_entry("unit", &resource.unit)?;
    map.end()
}

/// How much of a limit is in use, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    exactly: Option<u64>,
    at_most: Option<u64>,
}

/// What stops a process where its limit does not.
struct Ceiling {
    value: u64,
    source: &'static str,
}

/// Lists the limits that `query` chooses.
///
/// How many processes a user has is counted only where `nproc` or everything
/// is asked for, or where the limit may be near: it takes a walk over all
/// processes. Else an upper bound is given.
pub fn list(query: &Query) -> Result<Report> {
    let others = query.pid.map(os::limits_of).transpose()?;
    let mut system = os::System::new(query.pid.unwrap_or_else(os::parent));
    let get = |resource: &'static Resource| match &others {
        Some(limits) => limits.iter().find(|(known, _)| *known == resource).map(|(_, pair)| *pair),
        None => os::get(resource),
    };
    let by_name = !query.names.is_empty();
    let named = |name: Name| query.names.contains(&name);
    let mut limits = Vec::new();
    for resource in &RESOURCES {
        let name = Name::Resource(resource);
        if !(query.all || named(name) || (!by_name && resource.usual)) {
            continue;
        }
        if let Some(pair) = get(resource) {
            limits.push(limit(&mut system, resource, pair, query.all || named(name)));
        }
    }
    let mut kernel = Vec::new();
    for parameter in &PARAMETERS {
        let name = Name::Parameter(parameter);
        if query.all || named(name) {
            kernel.extend(system.parameter(parameter));
        } else if !by_name && parameter.usual {
            kernel.extend(tightest(system.parameter(parameter)));
        }
    }
    let mut notes = notes(query, &limits, &kernel, &system);
    notes.extend(system.notes_on(&kernel));
    let (holders, hidden) = if query.holders {
        let (holders, hidden) = system.holders()?;
        count_holders(&mut kernel, &holders, &system);
        (Some(holders), hidden)
    } else {
        (None, 0)
    };
    Ok(Report { pid: system.pid(), limits, kernel, holders, hidden, notes })
}

/// What the user of the process watches, which is what the limits count.
fn count_holders(kernel: &mut [KernelLimit], holders: &[Holder], system: &os::System) {
    let Some(uid) = system.user() else { return };
    let of_user = || holders.iter().filter(|one| one.uid == Some(uid));
    for limit in kernel {
        let used = match resource::WATCHES.iter().position(|name| *name == limit.name) {
            Some(0) => of_user().map(|one| one.watches).sum(),
            Some(_) => of_user().map(|one| one.instances).sum(),
            None => continue,
        };
        limit.used = Some(used);
        limit.state = Some(State::of(used, limit.value));
    }
}

/// Whether this system has a limit, and for a cgroup, whether one is set.
pub fn exists(name: Name) -> bool {
    match name {
        Name::Resource(resource) => os::raw(resource).is_some(),
        Name::Parameter(parameter) => os::System::new(os::parent()).has(parameter),
    }
}

fn limit(
    system: &mut os::System,
    resource: &'static Resource,
    value: Pair,
    exactly: bool,
) -> Limit {
    let ceiling = system.ceiling(resource);
    // What a user has is not what a cgroup has, nor the system.
    let comparable = ceiling
        .as_ref()
        .filter(|_| change::bounds_soft_limit(resource) && resource.name != "nproc");
    let lowest =
        comparable.map(|ceiling| ceiling.value).into_iter().chain(value.soft.number()).min();
    let used = system.used(resource, if exactly { None } else { lowest });
    let state = lowest.and_then(|lowest| {
        let used = used.exactly.or(used.at_most)?;
        Some(State::of(used, lowest))
    });
    Limit {
        resource,
        value,
        ceiling: ceiling.as_ref().map(|ceiling| ceiling.value),
        ceiling_source: ceiling.map(|ceiling| ceiling.source.to_owned()),
        used: used.exactly,
        used_at_most: used.at_most,
        state,
    }
}

/// Of a limit that several cgroups set, the lowest and those that are near.
fn tightest(limits: Vec<KernelLimit>) -> Vec<KernelLimit> {
    let lowest = limits.iter().map(|limit| limit.value).min();
    let mut lowest_seen = false;
    let keep = |limit: &KernelLimit| {
        let first_lowest = !lowest_seen && Some(limit.value) == lowest;
        lowest_seen |= first_lowest;
        first_lowest || limit.state.is_some_and(|state| state != State::Ok)
    };
    limits.into_iter().filter(keep).collect()
}

fn notes(
    query: &Query,
    limits: &[Limit],
    kernel: &[KernelLimit],
    system: &os::System,
) -> Vec<String> {
    let shown = |name: &Name| {
        limits.iter().any(|limit| limit.is(*name)) || kernel.iter().any(|limit| limit.is(*name))
    };
    let absent = query.names.iter().filter(|name| !shown(name));
    let mut notes: Vec<String> =
        absent.map(|name| format!("there is no limit {} here", name.name())).collect();
    if system.is_partly_hidden() {
        notes.push(format!("what process {} uses cannot be seen in full", system.pid()));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_near() {
        for (used, limit, state) in [
            (0, 10, State::Ok),
            (7, 10, State::Ok),
            (8, 10, State::Near),
            (9, 10, State::Near),
            (10, 10, State::Reached),
            (11, 10, State::Reached),
            (0, 0, State::Reached),
            (3, 4, State::Ok),
            (u64::MAX - 1, u64::MAX, State::Near),
        ] {
            assert_eq!(State::of(used, limit), state, "{used} of {limit}");
        }
    }
}
