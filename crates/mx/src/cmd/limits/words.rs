//! The words that name limits: `nofile=4096`, `ml`.

use limits::change::{Wish, WishError};
use limits::profile::Profile;
use limits::{Name, NameError, Parameter, Resource, Value};

use super::profiles;
use crate::exit::{Exit, Failure};

/// A wish, or what may be the name of a profile.
#[derive(Clone)]
pub(super) enum Word {
    Wish(Wish),
    Other(String),
}

pub(super) fn word(text: &str) -> Result<Word, Failure> {
    let name = text.split('=').next().unwrap_or_default();
    if Resource::find(name).is_err()
        && let Ok(Name::Parameter(parameter)) = name.parse()
    {
        return Err(of_the_system(parameter));
    }
    if !text.contains('=') && Resource::find(text).is_err() {
        return Ok(Word::Other(text.to_owned()));
    }
    wish(text).map(Word::Wish)
}

/// A parameter of the kernel is no limit of a process.
fn of_the_system(parameter: &Parameter) -> Failure {
    let name = parameter.name;
    let (owner, hint) = match name {
        "pids.max" | "memory.max" => (
            "a cgroup",
            "sudo systemctl set-property UNIT TasksMax=N (MemoryMax=SIZE), or docker run --pids-limit=N (--memory=SIZE)".to_owned(),
        ),
        "/dev/shm" => ("the system", "sudo mount -o remount,size=SIZE /dev/shm".to_owned()),
        "MemTotal" => ("the machine", "mx limits MemTotal shows it".to_owned()),
        "CommitLimit" => ("the system", "sudo sysctl vm.overcommit_memory=0".to_owned()),
        _ => ("the system", format!("sudo sysctl {name}=VALUE, until the next reboot")),
    };
    let why = format!("it is a limit of {owner}, not of a process");
    Failure::usage(format!("cannot change {name} here: {why}"), hint)
}

pub(super) fn wish(text: &str) -> Result<Wish, Failure> {
    text.parse().map_err(|error| match error {
        WishError::Name { name, nearest } => super::unknown(&name, nearest),
        error @ WishError::Value { .. } => Failure::usage(
            format!("cannot use '{text}': {error}"),
            format!("accepted: {}", Value::FORMS),
        ),
    })
}

/// What all words wish for together; of several about one limit the last counts.
pub(super) fn wishes(words: Vec<Word>) -> Result<Vec<Wish>, Failure> {
    let mut wishes: Vec<Wish> = Vec::new();
    for word in words {
        match word {
            Word::Wish(wish) => wishes.push(wish),
            Word::Other(name) => wishes.extend(profile(&name)?.wishes()),
        }
    }
    let last = |index: usize, wish: &Wish| {
        wishes[index + 1..].iter().all(|later| later.resource != wish.resource)
    };
    Ok(wishes
        .iter()
        .enumerate()
        .filter(|(index, wish)| last(*index, wish))
        .map(|(_, wish)| *wish)
        .collect())
}

/// The profile that a word names, if it names no limit.
fn profile(name: &str) -> Result<Profile, Failure> {
    profiles::find(name).map_err(|failure| match (Resource::find(name), failure.hint) {
        (Err(NameError { nearest }), Some(accepted)) if failure.exit == Exit::Usage => {
            Failure::usage(
                format!("cannot use '{name}': there is no limit and no profile of this name"),
                format!("the nearest limit is {nearest}; {accepted}"),
            )
        }
        (_, hint) => Failure { hint, ..failure },
    })
}
