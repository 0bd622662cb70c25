//! Joins sockets and owners, and chooses what a query asks for.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::rc::Rc;

use crate::reach::{self, Target};
use crate::snapshot::{Entry, Namespace, Snapshot};
use crate::{
    Gap, Owner, Protocol, Query, Report, Scope, Selector, Socket, State, container, explain, os,
    supervisor,
};

/// What a query chooses of a snapshot.
pub(crate) fn report(query: &Query, snapshot: Snapshot) -> Report {
    let unread = snapshot.unread.clone();
    let listed = snapshot.complete;
    let mut report = join(snapshot);
    let selection = Selection::new(query, &report.sockets, &unread);
    let mut others = Vec::new();
    for (index, socket) in std::mem::take(&mut report.sockets).into_iter().enumerate() {
        let choice = selection.choose(index, &socket);
        report.hidden += usize::from(choice != Choice::No && lacks_owner(&socket));
        if choice == Choice::Yes {
            report.sockets.push(socket);
        } else {
            others.push(socket);
        }
    }
    report.complete &= report.hidden == 0 && unread.is_empty();
    report.undecided = gap(query, listed, &unread).filter(|_| report.sockets.is_empty());
    if report.undecided == Some(Gap::Processes) {
        // An owner that was not seen, beside one that was, could have matched.
        report.notes.push(format!("processes that could not be read: {}", unread.len()));
    }
    report.sockets.sort_by_cached_key(Socket::rank);
    others.sort_by_cached_key(Socket::rank);
    if query.containers {
        container::find(&mut report);
    }
    explain::found(query, &mut report, listed && unread.is_empty());
    explain::left_out(query, &others, &mut report.notes);
    report.others = others.iter().map(|socket| socket.key).collect();
    report.others.sort_unstable();
    report.unread = unread;
    report
}

/// What was not seen and could have been chosen.
fn gap(query: &Query, listed: bool, unread: &[u32]) -> Option<Gap> {
    let by_owner = |selector: &Selector| match selector {
        Selector::Port { .. } => query.user.is_some(),
        Selector::Pid(pid) => may_be_unread(*pid, unread),
        Selector::Process(_) => true,
    };
    let any = query.selectors.is_empty() && query.user.is_some();
    let by_pid = |selector: &Selector| matches!(selector, Selector::Pid(_)) && by_owner(selector);
    let some = !unread.is_empty() && (any || query.selectors.iter().any(by_owner));
    if some || query.selectors.iter().any(by_pid) {
        return Some(Gap::Processes);
    }
    (!listed).then_some(Gap::Sockets)
}

/// Whether a process could not be read, or is there and not shown at all (`hidepid`, proc(5)).
fn may_be_unread(pid: u32, unread: &[u32]) -> bool {
    unread.contains(&pid) || (os::user(pid).is_none() && os::signal::exists(pid))
}

#[derive(Clone, Copy, PartialEq)]
enum Choice {
    Yes,
    No,
    /// It depends on an owner that cannot be seen.
    Unknown,
}

/// What a query chooses of some sockets, told by their index.
struct Selection<'a> {
    query: &'a Query,
    /// For each selector of ports, whether it chooses each socket.
    by_port: Vec<(&'a Selector, Vec<bool>)>,
    by_owner: Vec<&'a Selector>,
    /// Whether an owner that was not seen may be one of those.
    may_be_unseen: bool,
    /// The ports of clients, where these are to be left out.
    clients: Option<RangeInclusive<u16>>,
}

impl<'a> Selection<'a> {
    fn new(query: &'a Query, sockets: &[Socket], unread: &[u32]) -> Self {
        let (mut by_port, mut by_owner) = (Vec::new(), Vec::new());
        for selector in &query.selectors {
            match Target::new(selector) {
                Some(target) => by_port.push((selector, target.chosen(sockets))),
                None => by_owner.push(selector),
            }
        }
        let clients = query.spare_clients.then(os::ephemeral_ports).flatten();
        let may_be_unseen = by_owner.iter().any(|selector| match selector {
            Selector::Pid(pid) => may_be_unread(*pid, unread),
            _ => true,
        });
        Self { query, by_port, by_owner, may_be_unseen, clients }
    }

    fn choose(&self, index: usize, socket: &Socket) -> Choice {
        // Candidates do not count as owners here.
        let owners = || socket.owners.iter().filter(|owner| owner.certain);
        let of_user = |uid| socket.uid == Some(uid) || owners().any(|owner| owner.uid == uid);
        let yes = match self.query.user.map(of_user) {
            // One user's socket may have been handed to a process of another.
            Some(false) if lacks_owner(socket) => Choice::Unknown,
            Some(false) => return Choice::No,
            _ => Choice::Yes,
        };
        let mut by_port = self.by_port.iter().filter(|(_, chosen)| chosen[index]);
        let asks_for_udp = self.query.protocol == Some(Protocol::Udp)
            || by_port.any(|(selector, _)| selector.protocol() == Some(Protocol::Udp));
        if !asks_for_udp && may_be_client(socket, self.clients.as_ref()) {
            return Choice::No;
        }
        if self.query.selectors.is_empty()
            || self.by_port.iter().any(|(_, chosen)| chosen[index])
            || owners().any(|owner| self.by_owner.iter().any(|one| one.matches_owner(owner)))
        {
            return yes;
        }
        let depends = self.may_be_unseen && lacks_owner(socket);
        if depends { Choice::Unknown } else { Choice::No }
    }
}

/// Whether a socket is of UDP, without a peer, at a port that the kernel gives to clients.
pub(crate) fn may_be_client(socket: &Socket, clients: Option<&RangeInclusive<u16>>) -> bool {
    (socket.protocol, socket.state) == (Protocol::Udp, State::Bound)
        && clients.is_some_and(|clients| clients.contains(&socket.port))
}

/// Whether some process must hold `socket`, but none was seen to.
pub(crate) fn lacks_owner(socket: &Socket) -> bool {
    !socket.owners.iter().any(|owner| owner.certain) && !socket.is_held_by_kernel()
}

/// Joins entries and owners, and gives users and supervisors their names.
pub(crate) fn join(mut snapshot: Snapshot) -> Report {
    supervisor::add(&mut snapshot.owners);
    let mut users = HashMap::new();
    let mut user = |uid: u32| users.entry(uid).or_insert_with(|| sys::user::name(uid)).clone();
    let owners: Vec<Rc<Owner>> = snapshot
        .owners
        .into_iter()
        .map(|owner| Rc::new(Owner { user: user(owner.uid), ..owner }))
        .collect();
    let mut holders: HashMap<u64, Vec<Rc<Owner>>> = HashMap::new();
    for (key, owner) in snapshot.holds {
        holders.entry(key).or_default().push(Rc::clone(&owners[owner]));
    }
    // A socket that changed its state during the dump may be listed twice.
    let mut listed = HashSet::new();
    let sockets = snapshot
        .entries
        .into_iter()
        .filter(|entry| entry.key == 0 || listed.insert(entry.key))
        .map(|entry| {
            let mut owners = holders.remove(&entry.key).unwrap_or_default();
            owners.sort_by_key(|owner| owner.pid);
            owners.dedup_by_key(|owner| owner.pid);
            let namespace = entry.namespace.map(|index| &snapshot.namespaces[index]);
            Socket { user: entry.uid.and_then(&mut user), ..socket(&entry, namespace, owners) }
        })
        .collect();
    Report { complete: snapshot.complete, notes: snapshot.notes, sockets, ..Report::default() }
}

/// A socket as its entry tells of it.
pub(crate) fn socket(
    entry: &Entry,
    namespace: Option<&Namespace>,
    owners: Vec<Rc<Owner>>,
) -> Socket {
    let wildcard_v6 = entry.local.is_ipv6() && entry.local.ip().is_unspecified();
    let address = entry.local.ip().to_canonical();
    let interface = match namespace {
        _ if entry.interface == 0 => None,
        None => os::interface_name(entry.interface),
        Some(other) => {
            let mut names = other.interfaces.iter();
            names.find(|(index, _)| *index == entry.interface).map(|(_, name)| name.clone())
        }
    };
    // An interface that is gone, or whose name cannot be asked for, still is one.
    let interface =
        interface.or_else(|| Some(entry.interface.to_string()).filter(|_| entry.interface != 0));
    Socket {
        protocol: entry.protocol,
        address,
        port: entry.local.port(),
        state: entry.state,
        scope: match &interface {
            Some(name) if address.is_unspecified() && reach::is_loopback(name) => Scope::Loopback,
            None if address.is_unspecified() => Scope::All,
            _ if address.is_loopback() => Scope::Loopback,
            _ => Scope::Lan,
        },
        interface,
        dual_stack: if wildcard_v6 { entry.only_v6.map(|only| !only) } else { Some(false) },
        peer: entry.peer.map(|peer| SocketAddr::new(peer.ip().to_canonical(), peer.port())),
        uid: entry.uid,
        user: None,
        namespace: namespace.map(|namespace| namespace.name.clone()),
        owners,
        container: None,
        key: entry.key,
        device: entry.interface,
        is_v6: entry.local.is_ipv6(),
    }
}
