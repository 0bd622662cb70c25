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

/// Changes the limits of another process. If one cannot be changed, those
/// before it are put back.
pub fn set_of(pid: u32, changes: &[Change]) -> Result<(), SetError> {
    for (done, change) in changes.iter().enumerate() {
        let set = os::set_limit_of(pid, change.resource, change.new)
            .map_err(|error| refused(change, error))
            .and_then(|()| verify(change, one_of(pid, change.resource)?));
        if let Err(error) = set {
            for before in changes[..done].iter().rev() {
                os::set_limit_of(pid, before.resource, before.old)?;
            }
            return Err(error);
        }
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
