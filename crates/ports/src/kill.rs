//! Frees ports by ending the processes that hold them.
//!
//! Only owners of bound sockets are ever signalled, each after making sure that
//! it still holds one. Nothing here asks or prints: [`refusal`] says why nothing
//! should be touched, [`end`] does it and says what became of it.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;
use sys::Result;
use sys::signal::Signal;

use crate::{Owner, Query, Report, Socket, os, signal};

/// Why the owners of some sockets must not be signalled.
#[derive(Debug)]
pub enum Refusal {
    /// The owners of this many sockets cannot be seen, so the ports could not be freed.
    Hidden(usize),
    /// A process that is never ended, and what it is.
    Protected(Rc<Owner>, &'static str),
    /// A process that this user may not signal.
    Denied(Rc<Owner>),
}

/// What became of the sockets and their owners.
#[derive(Debug)]
pub struct Ending {
    /// The owners, and whether each has ended.
    pub processes: Vec<(Rc<Owner>, Fate)>,
    /// Sockets that are still bound, or bound again by somebody else.
    pub bound: Vec<Socket>,
    /// Whether one of `bound` is new.
    pub again: bool,
}

/// What became of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It has ended.
    Ended,
    /// It runs on; it may have closed its sockets.
    Running,
}

/// Every process that holds one of the sockets, parents before their children:
/// a parent that goes first cannot start a child again.
pub fn owners(sockets: &[Socket]) -> Vec<Rc<Owner>> {
    let mut owners: Vec<Rc<Owner>> =
        sockets.iter().flat_map(|socket| &socket.owners).map(Rc::clone).collect();
    owners.sort_by_key(|owner| owner.pid);
    owners.dedup_by_key(|owner| owner.pid);
    let parents: Vec<(u32, Option<u32>)> =
        owners.iter().map(|owner| (owner.pid, owner.parent)).collect();
    let parent =
        |pid: u32| parents.iter().find(|(own, _)| *own == pid).and_then(|(_, parent)| *parent);
    owners.sort_by_key(|owner| ancestry(owner.pid, parent).len());
    owners
}

/// Why nothing should be touched; `None` if every owner may be signalled.
pub fn refusal(report: &Report) -> Option<Refusal> {
    let hidden = report.sockets.iter().filter(|socket| crate::lacks_owner(socket)).count();
    if hidden > 0 {
        return Some(Refusal::Hidden(hidden));
    }
    let own = std::process::id();
    let ancestors = ancestry(own, os::parent);
    for owner in owners(&report.sockets) {
        let what = match owner.pid {
            1 => "the first process of this system",
            pid if pid == own => "this program itself",
            pid if ancestors.contains(&pid) => "an ancestor of this program",
            pid if !signal::may_signal(pid) => return Some(Refusal::Denied(owner)),
            _ => continue,
        };
        return Some(Refusal::Protected(owner, what));
    }
    None
}

/// Signals every owner of `sockets`, and waits until none of them is bound or `grace` is over.
///
/// A process that comes to hold one of the sockets meanwhile, as a child that
/// its parent started again, is signalled too. `query` finds the sockets.
pub fn end(query: &Query, sockets: &[Socket], signal: Signal, grace: Duration) -> Result<Ending> {
    let deadline = Instant::now().checked_add(grace);
    let keys = keys(sockets);
    let owners = owners(sockets);
    let watch = could_come_back(&owners);
    let mut processes: Vec<(Rc<Owner>, Option<signal::Process>)> = Vec::new();
    for owner in owners {
        let process = signal::open(owner.pid, &keys)?;
        process.as_ref().map_or(Ok(()), |process| process.signal(signal))?;
        processes.push((owner, process));
    }
    while table(query)?.iter().any(|key| keys.contains(key)) {
        let left =
            deadline.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            break;
        }
        if !wait(&processes, left) {
            signal_newcomers(query, &keys, signal, &mut processes)?;
        }
    }
    let bound = bound_now(query, &keys, watch)?;
    let again = bound.iter().any(|socket| !keys.contains(&socket.key));
    let fate = |process: Option<signal::Process>| match process {
        Some(process) if !process.has_ended() => Fate::Running,
        _ => Fate::Ended,
    };
    let processes = processes.into_iter().map(|(owner, process)| (owner, fate(process))).collect();
    Ok(Ending { processes, bound, again })
}

/// The PIDs above `pid`, nearest first.
fn ancestry(pid: u32, parent: impl Fn(u32) -> Option<u32>) -> Vec<u32> {
    let mut ancestors = Vec::new();
    let mut next = parent(pid);
    while let Some(pid) = next.filter(|pid| *pid != 0 && !ancestors.contains(pid)) {
        ancestors.push(pid);
        next = parent(pid);
    }
    ancestors
}

fn keys(sockets: &[Socket]) -> Vec<u64> {
    let mut keys: Vec<u64> = sockets.iter().map(|socket| socket.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The keys of what serves the chosen ports now.
fn table(query: &Query) -> Result<Vec<u64>> {
    Ok(crate::serving(query)?.iter().map(|entry| entry.key).collect())
}

/// Waits a little for one of the processes to end. False if all of them have:
/// then somebody else holds a socket that is still there.
fn wait(processes: &[(Rc<Owner>, Option<signal::Process>)], left: Duration) -> bool {
    /// A process may close its sockets long before it ends.
    const STEP: Duration = Duration::from_millis(5);

    let running: Vec<&signal::Process> = processes
        .iter()
        .filter_map(|(_, process)| process.as_ref())
        .filter(|process| !process.has_ended())
        .collect();
    if running.is_empty() {
        std::thread::sleep(STEP.min(left));
        return false;
    }
    signal::wait_for_any(&running, STEP.min(left));
    true
}

/// Signals processes that hold one of the sockets but were not there at the beginning.
fn signal_newcomers(
    query: &Query,
    keys: &[u64],
    signal: Signal,
    processes: &mut Vec<(Rc<Owner>, Option<signal::Process>)>,
) -> Result<()> {
    let report = crate::list(query)?;
    let held: Vec<Socket> =
        report.sockets.into_iter().filter(|socket| keys.contains(&socket.key)).collect();
    let known: HashSet<u32> = processes.iter().map(|(owner, _)| owner.pid).collect();
    for owner in owners(&held).into_iter().filter(|owner| !known.contains(&owner.pid)) {
        let process = signal::open(owner.pid, keys)?;
        process.as_ref().map_or(Ok(()), |process| process.signal(signal))?;
        processes.push((owner, process));
    }
    Ok(())
}

/// Whether somebody may start one of the owners again: a service manager, or a
/// parent that is not above this program.
fn could_come_back(owners: &[Rc<Owner>]) -> bool {
    let above = ancestry(std::process::id(), os::parent);
    let set: HashSet<u32> = owners.iter().map(|owner| owner.pid).collect();
    owners.iter().any(|owner| {
        let outside =
            |parent: u32| parent > 1 && !above.contains(&parent) && !set.contains(&parent);
        owner.service.is_some() || owner.parent.is_some_and(outside)
    })
}

/// What the query finds now. After sockets that somebody may bind again, it looks for a while.
fn bound_now(query: &Query, keys: &[u64], watch: bool) -> Result<Vec<Socket>> {
    /// Supervisors that restart at once do so within this time.
    const WATCH: Duration = Duration::from_millis(250);
    const STEP: Duration = Duration::from_millis(10);

    // By a process name, others of that name would be found on other ports.
    let by_port = crate::port_ranges(&query.selectors).is_some();
    let deadline = Instant::now() + if watch { WATCH } else { Duration::ZERO };
    loop {
        let mut bound = Vec::new();
        // Owners are looked for only where there is something to own.
        if !table(query)?.is_empty() {
            bound = crate::list(query)?.sockets;
            bound.retain(|socket| by_port || keys.contains(&socket.key));
        }
        if !bound.is_empty() || Instant::now() >= deadline {
            return Ok(bound);
        }
        std::thread::sleep(STEP);
    }
}
