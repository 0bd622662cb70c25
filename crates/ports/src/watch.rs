//! What changes among the sockets that a query chooses.
//!
//! Each [`Watcher::look`] asks the kernel for its sockets, which is cheap on
//! Linux, and walks through the processes for their owners only if a socket has
//! come or gone, or if the last walk is long enough ago. So a socket is told of
//! at the look that follows its change; that other processes hold it than before
//! (a parent has left it to its children), up to [`PAUSE`] later. A socket that is
//! opened and closed between two looks is not seen.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use sys::Result;

use crate::snapshot::Entry;
use crate::{Protocol, Query, Report, Socket, State, os, snapshot};

/// The time between two walks through the processes while no socket comes or
/// goes: 50 times as long as the last walk took, within these limits.
pub const PAUSE: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(10);

/// What happened to a socket. Events of one look are told in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It is gone, or no longer what the query asks for.
    Closed,
    /// Other processes hold it than before.
    Changed,
    /// It is new, or newly what the query asks for.
    Opened,
}

impl Event {
    /// `opened`, `changed` or `closed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Changed => "changed",
            Self::Opened => "opened",
        }
    }
}

/// An event, and when it was noticed.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// What happened.
    pub event: Event,
    /// When it was noticed.
    pub time: Timestamp,
    /// Whether the socket was there at the first look.
    pub initial: bool,
    /// The socket: as it is now, or as it was last seen.
    pub socket: Socket,
    /// The socket with the owners that it had before they changed.
    #[serde(skip)]
    pub before: Option<Socket>,
}

/// Looks at sockets again and again.
pub struct Watcher {
    query: Query,
    /// Every socket of the last walk, chosen or not.
    seen: Vec<Identity>,
    /// What was chosen of them.
    report: Report,
    /// When to walk again, if no socket comes or goes before; `None` before the first look.
    due: Option<Instant>,
}

impl Watcher {
    /// A watcher that has not looked yet.
    pub fn new(query: Query) -> Self {
        Self { query, seen: Vec::new(), report: Report::default(), due: None }
    }

    /// What has changed since the last look; the first time, everything that is there.
    pub fn look(&mut self) -> Result<Vec<Change>> {
        let ports = snapshot::port_ranges(&self.query.selectors);
        let want = snapshot::want(&self.query, ports.as_deref());
        // Other namespaces are not looked at without their processes.
        if !self.query.all_namespaces
            && self.due.is_some_and(|due| Instant::now() < due)
            && identities(&os::entries(&want)?) == self.seen
        {
            return Ok(Vec::new());
        }
        let start = Instant::now();
        let snapshot = os::snapshot(&want)?;
        self.seen = identities(&snapshot.entries);
        let report = crate::report::report(&self.query, snapshot);
        let before = self.due.is_some().then_some(self.report.sockets.as_slice());
        let changes = changes(before, &report.sockets, now());
        self.report = report;
        self.due = Some(Instant::now() + pause(start.elapsed()));
        Ok(changes)
    }

    /// What was found at the last walk: nothing, and not complete, before the first.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// How long to leave owners alone after a walk that took so long.
fn pause(walk: Duration) -> Duration {
    (walk * 50).clamp(*PAUSE.start(), *PAUSE.end())
}

/// What makes a socket the same at two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Identity {
    protocol: Protocol,
    address: IpAddr,
    port: u16,
    state: State,
    key: u64,
    /// Tells connections apart that no process holds, and that have no key.
    peer: Option<SocketAddr>,
}

/// The identities of what the kernel lists, in an order of their own.
fn identities(entries: &[Entry]) -> Vec<Identity> {
    let identity = |entry: &Entry| Identity {
        protocol: entry.protocol,
        address: entry.local.ip(),
        port: entry.local.port(),
        state: entry.state,
        key: entry.key,
        peer: entry.peer,
    };
    let own = entries.iter().filter(|entry| entry.namespace.is_none());
    let mut all: Vec<Identity> = own.map(identity).collect();
    all.sort_unstable();
    all
}

fn identity(socket: &Socket) -> Identity {
    Identity {
        protocol: socket.protocol,
        address: socket.address,
        port: socket.port,
        state: socket.state,
        key: socket.key,
        peer: socket.peer,
    }
}

/// What makes a socket the same among those of several namespaces: each may
/// have a connection with the same ends that nothing else tells apart.
fn whole(socket: &Socket) -> (Identity, Option<&str>) {
    (identity(socket), socket.namespace.as_deref())
}

/// What happened between two lists; `None` stands for the list before the first.
fn changes(before: Option<&[Socket]>, after: &[Socket], time: Timestamp) -> Vec<Change> {
    let initial = before.is_none();
    let change = |event, socket: &Socket, before: Option<&Socket>| Change {
        event,
        time,
        initial,
        socket: socket.clone(),
        before: before.cloned(),
    };
    let sockets = before.unwrap_or_default();
    let mut gone: HashMap<_, &Socket> =
        sockets.iter().map(|socket| (whole(socket), socket)).collect();
    let mut changes = Vec::new();
    for socket in after {
        match gone.remove(&whole(socket)) {
            None => changes.push(change(Event::Opened, socket, None)),
            Some(old) if !same_owners(old, socket) => {
                changes.push(change(Event::Changed, socket, Some(old)));
            }
            Some(_) => {}
        }
    }
    changes.extend(gone.into_values().map(|socket| change(Event::Closed, socket, None)));
    changes.sort_by_cached_key(|change| (change.event, change.socket.rank(), change.socket.key));
    changes
}

/// Whether the same processes were seen to hold them. Who may hold a socket, but
/// was not seen to, comes and goes without meaning anything.
fn same_owners(one: &Socket, other: &Socket) -> bool {
    let pids = |socket: &Socket| -> Vec<u32> {
        socket.owners.iter().filter(|owner| owner.certain).map(|owner| owner.pid).collect()
    };
    pids(one) == pids(other)
}

/// The present moment to a millisecond: finer than anybody looks.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::rc::Rc;

    use super::*;
    use crate::Owner;

    /// Owners below 100 were seen to hold it.
    fn socket(port: u16, key: u64, pids: &[u32]) -> Socket {
        let entry = Entry {
            key,
            protocol: Protocol::Tcp,
            state: State::Listen,
            local: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            peer: None,
            only_v6: None,
            interface: 0,
            uid: None,
            cgroup: None,
            namespace: None,
        };
        let owner =
            |pid: &u32| Rc::new(Owner { pid: *pid, certain: *pid < 100, ..Owner::default() });
        crate::report::socket(&entry, None, pids.iter().map(owner).collect())
    }

    /// Event, port and PIDs of each change, and the PIDs before.
    fn told(before: Option<&[Socket]>, after: &[Socket]) -> Vec<String> {
        let pids =
            |socket: &Socket| -> Vec<u32> { socket.owners.iter().map(|owner| owner.pid).collect() };
        let tell = |change: &Change| {
            let before = change.before.as_ref().map(pids);
            let Change { event, initial, socket, .. } = change;
            format!("{} {} {:?} {before:?} {initial}", event.name(), socket.port, pids(socket))
        };
        changes(before, after, Timestamp::UNIX_EPOCH).iter().map(tell).collect()
    }

    #[test]
    fn the_first_list_is_initial_and_an_equal_one_is_silent() {
        let sockets = [socket(1, 10, &[7]), socket(2, 11, &[])];
        assert_eq!(told(None, &sockets), ["opened 1 [7] None true", "opened 2 [] None true"]);
        assert!(told(Some(&sockets), &sockets).is_empty());
        assert_eq!(told(Some(&[]), &sockets[..1]), ["opened 1 [7] None false"]);
    }

    #[test]
    fn a_port_that_is_bound_again_was_closed_before() {
        let before = [socket(1, 10, &[7]), socket(2, 11, &[7])];
        let after = [socket(1, 12, &[7]), socket(2, 11, &[7])];
        assert_eq!(
            told(Some(&before), &after),
            ["closed 1 [7] None false", "opened 1 [7] None false"]
        );
    }

    #[test]
    fn other_owners_change_a_socket() {
        let before = [socket(1, 10, &[7, 8])];
        for pids in [&[8][..], &[], &[7, 8, 9], &[7, 9]] {
            let after = [socket(1, 10, pids)];
            assert_eq!(
                told(Some(&before), &after),
                [format!("changed 1 {pids:?} Some([7, 8]) false")]
            );
        }
    }

    #[test]
    fn owners_are_looked_for_after_ten_seconds_at_most() {
        for (walk, expected) in
            [(0, 2_000), (40, 2_000), (100, 5_000), (200, 10_000), (9_000, 10_000)]
        {
            assert_eq!(pause(Duration::from_millis(walk)), Duration::from_millis(expected));
        }
        let mut watcher = Watcher::new(Query::default());
        watcher.look().expect("a look");
        assert!(watcher.due.is_some_and(|due| due <= Instant::now() + *PAUSE.end()));
    }

    #[test]
    fn who_may_hold_a_socket_does_not_change_it() {
        let before = [socket(1, 10, &[7, 100])];
        assert!(told(Some(&before), &[socket(1, 10, &[7])]).is_empty());
        assert!(told(Some(&before), &[socket(1, 10, &[7, 101])]).is_empty());
        assert_eq!(
            told(Some(&before), &[socket(1, 10, &[7, 8])]),
            ["changed 1 [7, 8] Some([7, 100]) false"]
        );
    }

    #[test]
    fn namespaces_are_told_apart() {
        let rests = |namespace: &str| Socket {
            state: State::TimeWait,
            namespace: Some(namespace.to_owned()),
            ..socket(1, 0, &[])
        };
        let both = [rests("blue"), rests("red")];
        assert!(told(Some(&both), &both).is_empty());
        assert_eq!(told(Some(&both), &both[..1]), ["closed 1 [] None false"]);
    }

    #[test]
    fn sockets_that_share_a_port_are_told_apart() {
        let before = [socket(1, 10, &[7]), socket(1, 11, &[8])];
        assert_eq!(told(Some(&before), &before[1..]), ["closed 1 [7] None false"]);
    }
}
