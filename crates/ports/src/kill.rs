//! Frees ports by ending the processes that hold them.
//!
//! Only owners of bound sockets are ever signalled, each after making sure that
//! it still holds one and may be ended: every signal goes through
//! `Signaller::send`. Nothing here asks or prints: [`refusal`] says why nothing
//! should be touched, [`end`] does it and says what became of it.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::Serialize;
use sys::Result;
use sys::signal::Signal;

use crate::os::{self, signal};
use crate::{
    Container, Owner, Protocol, Query, Report, Selector, Socket, container, report, snapshot,
};

/// How often sockets are looked at: a process may close them long before it ends.
const STEP: Duration = Duration::from_millis(5);

/// Why the owners of some sockets must not be signalled.
#[derive(Debug)]
pub enum Refusal {
    /// A container publishes this port: without its proxy it would run on, and
    /// nobody would reach it. It is the container that must be stopped.
    Published {
        /// The port.
        port: u16,
        /// The proxy; `None` if it cannot be seen.
        owner: Option<Rc<Owner>>,
        /// The container; `None` if no engine names it.
        container: Option<Container>,
    },
    /// An owner of each of this many sockets cannot be seen, so the ports could not be freed.
    Hidden(usize),
    /// A process that may hold a socket as well, since it descends from an owner, and that cannot be read.
    Unread {
        /// The process.
        pid: u32,
        /// Its name.
        name: String,
        /// The owner that it descends from.
        owner: Rc<Owner>,
    },
    /// A process that is never ended, and what it is.
    Protected(Rc<Owner>, &'static str),
    /// A process that this user may not signal.
    Denied(Rc<Owner>),
}

/// What became of the sockets and their owners.
#[derive(Debug)]
pub struct Ending {
    /// The owners, with what was sent to them.
    pub targets: Vec<Target>,
    /// Sockets that are still bound, or bound again by somebody else.
    pub bound: Vec<Socket>,
    /// The first of `bound` that is new.
    pub again: Option<Socket>,
    /// Keys of the sockets that were not to be touched, sorted.
    others: Vec<u64>,
}

/// An owner of some sockets.
#[derive(Debug)]
pub struct Target {
    /// The owner, as it was found.
    pub owner: Rc<Owner>,
    /// The ports of its sockets.
    pub ports: Vec<u16>,
    /// What was sent to it, unless it was left untouched.
    pub signal: Signal,
    /// Whether it was stopped: then it was told to go on, too, as it would not end otherwise.
    pub stopped: bool,
    /// Whether nothing is waited for: the signal is no request to end.
    is_only_sent: bool,
    /// The process, if it was signalled.
    process: Option<signal::Process>,
}

impl Target {
    /// What has become of it so far.
    pub fn fate(&self) -> Fate {
        match &self.process {
            None => Fate::Untouched,
            Some(_) if self.is_only_sent => Fate::Sent,
            Some(process) if process.has_ended() => Fate::Ended,
            Some(_) => Fate::Running,
        }
    }
}

/// What became of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It has ended.
    Ended,
    /// It runs on; it may have closed its sockets.
    Running,
    /// A signal was delivered that is no request to end.
    Sent,
    /// It was not signalled: it no longer held a socket, or must not be ended.
    Untouched,
}

/// Whether a signal asks a process to end, or ends it. HUP makes a daemon read
/// its configuration again; it and the signals of job control do not count.
pub fn ends(signal: Signal) -> bool {
    use Signal::{
        SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGINT, SIGKILL, SIGQUIT, SIGSEGV, SIGSYS, SIGTERM,
        SIGTRAP,
    };

    let endings = [
        SIGTERM, SIGINT, SIGQUIT, SIGKILL, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS,
        SIGTRAP,
    ];
    endings.contains(&signal)
}

/// Whether a process is stopped, as by Ctrl-Z; false if that cannot be read.
pub fn is_stopped(owner: &Owner) -> bool {
    os::is_stopped(owner.pid)
}

/// Sends a signal that is no request to end to every owner of the sockets in
/// `report`, and does not wait for anything.
pub fn send(report: &Report, signal: Signal) -> Result<Ending> {
    let sockets = &report.sockets;
    let mut signaller =
        Signaller { signal, must_end: false, keys: keys(sockets), targets: Vec::new() };
    owners(sockets).into_iter().try_for_each(|owner| signaller.send(owner, sockets))?;
    Ok(Ending { targets: signaller.targets, bound: Vec::new(), again: None, others: Vec::new() })
}

/// Every process that was seen to hold one of the sockets, parents before their children:
/// a parent that goes first cannot start a child again.
pub fn owners(sockets: &[Socket]) -> Vec<Rc<Owner>> {
    let owners = sockets.iter().flat_map(|socket| &socket.owners);
    let mut owners: Vec<Rc<Owner>> = owners.filter(|owner| owner.certain).map(Rc::clone).collect();
    owners.sort_by_key(|owner| owner.pid);
    owners.dedup_by_key(|owner| owner.pid);
    let parents: Vec<(u32, Option<u32>)> =
        owners.iter().map(|owner| (owner.pid, owner.parent)).collect();
    let parent =
        |pid: u32| parents.iter().find(|(own, _)| *own == pid).and_then(|(_, parent)| *parent);
    owners.sort_by_key(|owner| ancestry(owner.pid, parent).len());
    owners
}

/// The ports on which an owner holds one of the sockets.
pub fn ports(owner: &Owner, sockets: &[Socket]) -> Vec<u16> {
    let holds = |socket: &&Socket| socket.owners.iter().any(|other| other.pid == owner.pid);
    let mut ports: Vec<u16> = sockets.iter().filter(holds).map(|socket| socket.port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Why nothing should be touched; `None` if every owner may be signalled.
pub fn refusal(report: &Report) -> Option<Refusal> {
    if let Some(published) = report.sockets.iter().find_map(published) {
        return Some(published);
    }
    let may_be_hidden = |socket: &&Socket| {
        report::lacks_owner(socket) || may_have_hidden_owner(socket, &report.unread)
    };
    let hidden = report.sockets.iter().filter(may_be_hidden).count();
    if hidden > 0 {
        return Some(Refusal::Hidden(hidden));
    }
    let owners = owners(&report.sockets);
    if let Some(unread) = unread_descendant(&owners, &report.unread) {
        return Some(unread);
    }
    owners.into_iter().find_map(|owner| match protection(owner.pid) {
        Some(what) => Some(Refusal::Protected(owner, what)),
        None => (!signal::may_signal(owner.pid)).then_some(Refusal::Denied(owner)),
    })
}

/// Whether a container is behind a socket, and not the process that holds it.
///
/// A process that runs in a container and holds the socket itself is the one to end.
fn published(socket: &Socket) -> Option<Refusal> {
    let port = socket.port;
    if let Some(container) = &socket.container {
        return Some(Refusal::Published { port, owner: None, container: Some(container.clone()) });
    }
    let proxy = |owner: &&Rc<Owner>| {
        let leads_to_one = || container::may_be_proxy(owner) && owner.container.is_some();
        container::is_proxy(owner) || leads_to_one()
    };
    let owner = socket.owners.iter().find(proxy)?;
    let container = owner.container.clone();
    Some(Refusal::Published { port, owner: Some(Rc::clone(owner)), container })
}

/// Whether another user made the socket, and handed it to the owners that are
/// seen: then a process of that user, which is not, may well hold it too.
///
/// With the right to read every process, only those that refused all the same count,
/// less process 1: it is never ended, and some virtual machines protect theirs.
fn may_have_hidden_owner(socket: &Socket, unread: &[u32]) -> bool {
    let Some(maker) = socket.uid else { return false };
    if socket.owners.iter().any(|owner| owner.certain && owner.uid == maker) {
        return false;
    }
    let of_maker = |pid: &u32| *pid != 1 && os::user(*pid) == Some(maker);
    os::missing_right().is_some() || unread.iter().any(of_maker)
}

/// A process that could not be read, and that an owner or a child of one started:
/// it inherits the sockets of its parent (fork(2)), also where it then becomes another user.
fn unread_descendant(owners: &[Rc<Owner>], unread: &[u32]) -> Option<Refusal> {
    unread.iter().find_map(|&pid| {
        let above = ancestry(pid, parent);
        let owner = owners.iter().find(|owner| above.contains(&owner.pid))?;
        let name = os::ancestor(pid)?.name;
        Some(Refusal::Unread { pid, name, owner: Rc::clone(owner) })
    })
}

/// What makes a process one that is never ended.
fn protection(pid: u32) -> Option<&'static str> {
    match pid {
        1 => Some("the first process of this system"),
        pid if pid == std::process::id() => Some("this program itself"),
        pid if above().contains(&pid) => Some("an ancestor of this program"),
        _ => None,
    }
}

/// Signals every owner of the sockets in `report`, and waits until none of them
/// is bound or `grace` is over. `query` is what found them.
///
/// A process that comes to hold one of the sockets meanwhile, as a child that
/// its parent started again, is signalled too.
pub fn end(query: &Query, report: &Report, signal: Signal, grace: Duration) -> Result<Ending> {
    end_sockets(query, &report.sockets, &report.others, signal, grace)
}

/// [`end`] for some sockets; `others` are bound beside them and stay as they are.
fn end_sockets(
    query: &Query,
    sockets: &[Socket],
    others: &[u64],
    signal: Signal,
    grace: Duration,
) -> Result<Ending> {
    let deadline = Instant::now().checked_add(grace);
    let keys = keys(sockets);
    let query = &by_ports(query, sockets);
    let owners = owners(sockets);
    let watch = time_to_come_back(&owners);
    let mut signaller = Signaller { signal, must_end: true, keys, targets: Vec::new() };
    owners.into_iter().try_for_each(|owner| signaller.send(owner, sockets))?;
    let free = loop {
        let left =
            deadline.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        // Most processes end faster than the kernel lists its sockets.
        let running = signaller.wait(left);
        let now = table(query)?;
        if !now.iter().any(|key| signaller.keys.contains(key)) {
            break now.iter().all(|key| is_other(others, *key));
        }
        if left.is_zero() {
            break false;
        }
        if !running {
            signaller.send_to_newcomers(query)?;
            std::thread::sleep(STEP.min(left));
        }
    };
    signaller.wait_for_ends();
    let Signaller { keys, targets, .. } = signaller;
    let bound = if free && watch.is_zero() { Vec::new() } else { bound_now(query, others, watch)? };
    let again = bound.iter().find(|socket| !keys.contains(&socket.key)).cloned();
    Ok(Ending { targets, bound, again, others: others.to_vec() })
}

/// Sends KILL to every owner of what is still bound after `ending`, and waits in the same way.
pub fn force(query: &Query, ending: Ending, grace: Duration) -> Result<Ending> {
    let mut forced = end_sockets(query, &ending.bound, &ending.others, Signal::SIGKILL, grace)?;
    // Owners that KILL was not sent to are told as they were before.
    for target in ending.targets {
        match forced.targets.iter_mut().find(|other| other.owner.pid == target.owner.pid) {
            None => forced.targets.push(target),
            Some(other) if other.process.is_none() => *other = target,
            Some(_) => {}
        }
    }
    Ok(forced)
}

fn parent(pid: u32) -> Option<u32> {
    os::ancestor(pid).map(|process| process.parent)
}

/// The ancestors of this program, as they were at first: one that ends is
/// followed by another of them.
fn above() -> &'static [u32] {
    static ABOVE: OnceLock<Vec<u32>> = OnceLock::new();

    ABOVE.get_or_init(|| ancestry(std::process::id(), parent))
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

/// A query for the ports of some sockets, where processes were asked for:
/// another process that binds such a port again need not have the same name.
fn by_ports(query: &Query, sockets: &[Socket]) -> Query {
    // What an engine would tell was told before; now it would only take time.
    let mut query = Query { containers: false, serving: true, ..query.clone() };
    if snapshot::port_ranges(&query.selectors).is_none() {
        let mut ports: Vec<(u16, Protocol)> =
            sockets.iter().map(|socket| (socket.port, socket.protocol)).collect();
        ports.sort_unstable();
        ports.dedup();
        let selector = |(port, protocol)| Selector::port(port, Some(protocol));
        query.selectors = ports.into_iter().map(selector).collect();
    }
    query
}

fn keys(sockets: &[Socket]) -> Vec<u64> {
    let mut keys: Vec<u64> = sockets.iter().map(|socket| socket.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Whether a socket was there before and is not to be touched.
fn is_other(others: &[u64], key: u64) -> bool {
    others.binary_search(&key).is_ok()
}

/// The keys of what serves the chosen ports now.
fn table(query: &Query) -> Result<Vec<u64>> {
    // Other namespaces are found by their processes.
    if query.all_namespaces {
        let report = crate::look(query)?;
        return Ok(report.sockets.iter().map(|socket| socket.key).chain(report.others).collect());
    }
    Ok(snapshot::entries(query)?.iter().map(|entry| entry.key).collect())
}

/// Sends one signal to holders of some sockets, and remembers whom it was sent to.
struct Signaller {
    signal: Signal,
    /// Whether the processes are to end of it.
    must_end: bool,
    /// The sockets, sorted.
    keys: Vec<u64>,
    /// The owners so far.
    targets: Vec<Target>,
}

impl Signaller {
    /// Signals an owner that still holds one of the sockets and may be ended.
    fn send(&mut self, owner: Rc<Owner>, sockets: &[Socket]) -> Result<()> {
        let mut process = None;
        if protection(owner.pid).is_none() {
            process = signal::open(owner.pid, &self.keys)?;
        }
        let mut stopped = false;
        if let Some(process) = &process {
            stopped = is_stopped(&owner);
            process.signal(self.signal)?;
            // It gets no other signal before it goes on; KILL needs none.
            if stopped && self.must_end && self.signal != Signal::SIGKILL {
                process.signal(Signal::SIGCONT)?;
            }
        }
        let ports = ports(&owner, sockets);
        let (signal, is_only_sent) = (self.signal, !self.must_end);
        self.targets.push(Target { owner, ports, signal, stopped, is_only_sent, process });
        Ok(())
    }

    /// Signals processes that hold one of the sockets but were not there at the beginning.
    fn send_to_newcomers(&mut self, query: &Query) -> Result<()> {
        let mut held = crate::look(query)?.sockets;
        held.retain(|socket| self.keys.contains(&socket.key));
        let known: HashSet<u32> = self.targets.iter().map(|target| target.owner.pid).collect();
        let mut new = owners(&held).into_iter().filter(|owner| !known.contains(&owner.pid));
        new.try_for_each(|owner| self.send(owner, &held))
    }

    /// Gives processes that have closed their sockets time to end: most do so
    /// in their last moment.
    fn wait_for_ends(&self) {
        const TIME: Duration = Duration::from_millis(20);

        let deadline = Instant::now() + TIME;
        for process in self.targets.iter().filter_map(|target| target.process.as_ref()) {
            let left = deadline.saturating_duration_since(Instant::now());
            signal::wait_for_any(&[process], left);
        }
    }

    /// Waits a little for one of the processes to end. False if all of them have:
    /// then somebody else holds a socket that is still there.
    fn wait(&self, left: Duration) -> bool {
        let running: Vec<&signal::Process> = self
            .targets
            .iter()
            .filter_map(|target| target.process.as_ref())
            .filter(|process| !process.has_ended())
            .collect();
        if running.is_empty() {
            return false;
        }
        signal::wait_for_any(&running, STEP.min(left));
        true
    }
}

/// How long something that may start one of the owners again is waited for.
///
/// systemd waits 100 ms before that (`RestartSec`), runit up to a second; PM2 and
/// others start it at once. Any other parent is given a moment, if it is not above
/// this program. Process 1 is above it, but starts things again on macOS and in
/// many containers.
fn time_to_come_back(owners: &[Rc<Owner>]) -> Duration {
    const SERVICE: Duration = Duration::from_secs(2);
    const PARENT: Duration = Duration::from_millis(250);

    let set: HashSet<u32> = owners.iter().map(|owner| owner.pid).collect();
    let has_parent = |owner: &Rc<Owner>| {
        let outside =
            |parent: u32| parent == 1 || !(above().contains(&parent) || set.contains(&parent));
        owner.parent.is_some_and(outside)
    };
    if owners.iter().any(|owner| owner.service.is_some()) {
        SERVICE
    } else if owners.iter().any(has_parent) {
        PARENT
    } else {
        Duration::ZERO
    }
}

/// What the query finds now. After sockets that somebody may bind again, it looks for a while.
fn bound_now(query: &Query, others: &[u64], watch: Duration) -> Result<Vec<Socket>> {
    const STEP: Duration = Duration::from_millis(10);

    let deadline = Instant::now() + watch;
    loop {
        let mut bound = Vec::new();
        // Owners are looked for only where there is something to own.
        if table(query)?.iter().any(|key| !is_other(others, *key)) {
            bound = crate::look(query)?.sockets;
            bound.retain(|socket| !is_other(others, socket.key));
        }
        if !bound.is_empty() || Instant::now() >= deadline {
            return Ok(bound);
        }
        std::thread::sleep(STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn this_process_is_not_signalled_whoever_asks() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let selectors = vec![port.to_string().parse().expect("a selector")];
        let query = Query { selectors, serving: true, ..Query::default() };
        let report = crate::list(&query).expect("a list");
        assert!(matches!(refusal(&report), Some(Refusal::Protected(_, "this program itself"))));
        // Without asking first, too: a signal would end this test.
        let ending = end(&query, &report, Signal::SIGTERM, Duration::from_millis(20))
            .expect("nothing to fail");
        let fates: Vec<_> =
            ending.targets.iter().map(|target| (target.owner.pid, target.fate())).collect();
        assert_eq!(fates, [(std::process::id(), Fate::Untouched)]);
        assert!(!ending.bound.is_empty() && ending.again.is_none());
    }
}
