//! Changing the limits of this process, which a command then inherits, and of others.
//!
//! Everything is decided before anything is changed, and what the system says
//! afterwards is compared with what was asked for: macOS clamps some limits
//! without a word.

use rustix::process::Rlimit;
use sys::Error;

use crate::change::{Bound, Change, SoftAboveHard, Wish};
use crate::os;
use crate::resource::Resource;
use crate::value::Pair;

/// Why limits cannot be changed as asked.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// This system does not have the limit.
    #[error("there is no limit {0} here")]
    Absent(&'static str),
    /// The wish contradicts itself or what is there.
    #[error("{name}: {why}")]
    SoftAboveHard {
        /// Which limit.
        name: &'static str,
        /// The two values.
        why: SoftAboveHard,
    },
    /// The hard limit is in the way, and only a privilege lifts it.
    #[error("the hard limit of {} is {}", .0.resource.name, .0.old.hard)]
    AboveHard(Change),
    /// The system did something else than asked.
    #[error("the system made {name} {is}")]
    Ignored {
        /// Which limit.
        name: &'static str,
        /// What it is.
        is: Pair,
    },
    /// A system call failed.
    #[error(transparent)]
    System(#[from] Error),
    /// It failed, and what was changed before could not be put back.
    #[error("{first}; {} changed already and cannot be put back", left_over(.left))]
    Left {
        /// Why it failed.
        first: Box<SetError>,
        /// What is changed now.
        left: Vec<Change>,
    },
}

fn left_over(left: &[Change]) -> String {
    let names: Vec<&str> = left.iter().map(|change| change.resource.name).collect();
    format!("{} {}", names.join(", "), if left.len() == 1 { "is" } else { "are" })
}

/// What the wishes mean for this process, or for another one. Changes nothing.
pub fn plan(wishes: &[Wish], pid: Option<u32>) -> Result<Vec<Change>, SetError> {
    let others = pid.map(os::limits_of).transpose()?;
    let system = os::System::new(pid.unwrap_or_else(os::parent));
    wishes
        .iter()
        .map(|wish| {
            let resource = wish.resource;
            let old = match &others {
                Some(limits) => {
                    limits.iter().find(|(known, _)| *known == resource).map(|(_, pair)| *pair)
                }
                None => os::get(resource),
            };
            let old = old.ok_or(SetError::Absent(resource.name))?;
            let is_open = wish.soft.is_none() && wish.hard.is_none();
            let ceiling = is_open.then(|| system.ceiling(resource)).flatten();
            let ceiling = ceiling.map(|ceiling| ceiling.value);
            let change = Change::of(wish, old, ceiling)
                .map_err(|why| SetError::SoftAboveHard { name: resource.name, why })?;
            let new = os::attainable(resource, change.new, wish.soft == Some(Bound::Max));
            Ok(Change { new, ..change })
        })
        .collect()
}

/// Changes the limits of this process, one after another up to the first that fails.
pub fn set_own(changes: &[Change]) -> Result<(), SetError> {
    changes.iter().filter(|change| change.new != change.old).try_for_each(|change| {
        let raw = os::raw(change.resource).ok_or(SetError::Absent(change.resource.name))?;
        let new = Rlimit { current: change.new.soft.number(), maximum: change.new.hard.number() };
        rustix::process::setrlimit(raw, new).map_err(|errno| {
            let doing = format!("set {}", change.resource.name);
            refused(change, Error::from_io(doing, errno))
        })?;
        verify(change, os::get(change.resource))
    })
}

/// Changes the limits of another process, all of them or none.
///
/// Only a privilege lifts a hard limit, so that a lowered one may be impossible
/// to put back: what lowers one comes last, when all that may be refused is done.
/// If one cannot be changed, those before it are put back, and the first error
/// is what is reported.
pub fn set_of(pid: u32, changes: &[Change]) -> Result<(), SetError> {
    let set = |change: &Change| {
        os::set_limit_of(pid, change.resource, change.new)
            .map_err(|error| refused(change, error))
            .and_then(|()| verify(change, one_of(pid, change.resource)?))
    };
    let put_back = |change: &Change| {
        os::set_limit_of(pid, change.resource, change.old).is_ok()
            || one_of(pid, change.resource).is_ok_and(|is| is == Some(change.old))
    };
    all_or_none(changes, set, put_back)
}

fn all_or_none(
    changes: &[Change],
    mut set: impl FnMut(&Change) -> Result<(), SetError>,
    mut put_back: impl FnMut(&Change) -> bool,
) -> Result<(), SetError> {
    let lowers = |change: &&Change| change.new.hard < change.old.hard;
    let (last, first): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(lowers);
    let ordered: Vec<&Change> = first.into_iter().chain(last).collect();
    for (done, change) in ordered.iter().enumerate() {
        let Err(first) = set(change) else { continue };
        // The system may have set something, if not what was asked for.
        let touched = usize::from(matches!(first, SetError::Ignored { .. }));
        let mut left: Vec<Change> =
            ordered[..done + touched].iter().rev().map(|done| **done).collect();
        left.retain(|done| !put_back(done));
        if left.is_empty() {
            return Err(first);
        }
        return Err(SetError::Left { first: Box::new(first), left });
    }
    Ok(())
}

fn one_of(pid: u32, resource: &'static Resource) -> Result<Option<Pair>, Error> {
    let limits = os::limits_of(pid)?;
    Ok(limits.into_iter().find(|(known, _)| *known == resource).map(|(_, pair)| pair))
}

fn refused(change: &Change, error: Error) -> SetError {
    let is_lift = change.new.hard > change.old.hard;
    if is_lift && matches!(error, Error::Denied { .. }) {
        return SetError::AboveHard(*change);
    }
    SetError::System(error)
}

fn verify(change: &Change, is: Option<Pair>) -> Result<(), SetError> {
    let name = change.resource.name;
    match is {
        Some(is) if is == change.new => Ok(()),
        Some(is) => Err(SetError::Ignored { name, is }),
        None => Err(SetError::Absent(name)),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::value::Value;

    fn change(name: &str, old: u64, new: u64) -> Change {
        let pair = |hard| Pair { soft: Value::Number(1), hard: Value::Number(hard) };
        let resource = Resource::find(name).expect("a limit");
        Change { resource, old: pair(old), new: pair(new) }
    }

    /// What an unprivileged process that may not touch `refused` makes of them.
    fn attempt(changes: &[Change], refused: &str) -> (Vec<String>, Result<(), SetError>) {
        let log = RefCell::new(Vec::new());
        let note = |what: &str, change: &Change| {
            log.borrow_mut().push(format!("{what}{}", change.resource.name));
        };
        let set = |change: &Change| {
            note("", change);
            let is_refused = change.resource.name == refused;
            if is_refused { Err(SetError::AboveHard(*change)) } else { Ok(()) }
        };
        let put_back = |change: &Change| {
            note("-", change);
            change.new.hard >= change.old.hard
        };
        let done = all_or_none(changes, set, put_back);
        (log.into_inner(), done)
    }

    #[test]
    fn what_cannot_be_put_back_comes_last() {
        let changes = [change("nofile", 9, 2), change("core", 1, 5), change("fsize", 3, 3)];
        let (log, done) = attempt(&changes, "core");
        assert_eq!(log, ["core"], "nothing is touched before it");
        assert!(matches!(done, Err(SetError::AboveHard(change)) if change == changes[1]));
        let (log, done) = attempt(&changes, "fsize");
        assert_eq!(log, ["core", "fsize", "-core"]);
        assert!(matches!(done, Err(SetError::AboveHard(change)) if change == changes[2]));
        let (log, done) = attempt(&changes, "");
        assert!(done.is_ok() && log == ["core", "fsize", "nofile"]);
    }

    #[test]
    fn the_first_error_is_kept_and_what_is_left_is_named() {
        let changes = [change("stack", 9, 2), change("nofile", 9, 2), change("core", 9, 2)];
        let (log, done) = attempt(&changes, "core");
        assert_eq!(log, ["stack", "nofile", "core", "-nofile", "-stack"]);
        let Err(error) = done else { panic!("an error") };
        assert_eq!(
            error.to_string(),
            "the hard limit of core is 9; nofile, stack are changed already and cannot be put back"
        );
    }
}
