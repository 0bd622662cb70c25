//! Joins sockets and owners, and chooses what a query asks for.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::rc::Rc;

use crate::snapshot::{Entry, Namespace, Snapshot};
use crate::{Owner, Query, Report, Scope, Selector, Socket, container, explain, os, supervisor};

/// What a query chooses of a snapshot.
pub(crate) fn report(query: &Query, snapshot: Snapshot) -> Report {
    let unread = snapshot.unread.len();
    let all_read = snapshot.complete && unread == 0;
    let mut report = join(snapshot);
    report.sockets.retain(|socket| {
        let chosen = choose(query, socket);
        report.hidden += usize::from(chosen != Choice::No && lacks_owner(socket));
        chosen == Choice::Yes
    });
    report.complete &= report.hidden == 0 && unread == 0;
    let by_name = query.selectors.iter().any(|one| matches!(one, Selector::Process(_)));
    if unread > 0 && report.sockets.is_empty() && (by_name || query.user.is_some()) {
        // An owner that was not seen, beside one that was, could have matched.
        report.undecided = true;
        report.notes.push(format!("processes that could not be read: {unread}"));
    }
    report.sockets.sort_by_cached_key(Socket::rank);
    if query.containers {
        container::find(&mut report);
    }
    explain::found(query, &mut report, all_read);
    report
}

#[derive(PartialEq)]
enum Choice {
    Yes,
    No,
    /// It depends on an owner that cannot be seen.
    Unknown,
}

fn choose(query: &Query, socket: &Socket) -> Choice {
    // Who only may hold it decides nothing.
    let owners = || socket.owners.iter().filter(|owner| owner.certain);
    let of_user = |uid| socket.uid == Some(uid) || owners().any(|owner| owner.uid == uid);
    let yes = match query.user.map(of_user) {
        // One user's socket may have been handed to a process of another.
        Some(false) if lacks_owner(socket) => Choice::Unknown,
        Some(false) => return Choice::No,
        _ => Choice::Yes,
    };
    if query.selectors.is_empty() {
        return yes;
    }
    let mut choice = Choice::No;
    for selector in &query.selectors {
        match selector.matches_socket(socket) {
            Some(true) => return yes,
            None if owners().any(|owner| selector.matches_owner(owner)) => return yes,
            None if lacks_owner(socket) => choice = Choice::Unknown,
            Some(false) | None => {}
        }
    }
    choice
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
    Report {
        complete: snapshot.complete,
        hidden: 0,
        notes: snapshot.notes,
        sockets,
        undecided: false,
    }
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
    Socket {
        protocol: entry.protocol,
        address,
        port: entry.local.port(),
        state: entry.state,
        scope: match &interface {
            Some(name) if address.is_unspecified() && name.starts_with("lo") => Scope::Loopback,
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
    }
}
