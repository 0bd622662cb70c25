//! What to say beside the list: why a port that nobody is bound to may still be
//! busy, and what is known of an owner beyond its name.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use sys::Result;

use crate::busy::{self, NOT_LISTED, binds_wildcards, denied, holder, used, would_bind};
use crate::free::Bindable;
use crate::reach::Target;
use crate::report::{join, lacks_owner, may_be_client};
use crate::snapshot::{Namespaces, Want};
use crate::{Gap, Protocol, Query, Report, Selector, Socket, State, os};

/// Adds a note for each selector that chose nothing, with the cause if its port is busy all the same.
///
/// Where not every socket is listed, only a port that can be bound is free.
pub(crate) fn missing(query: &Query, report: &mut Report) -> Result<()> {
    let unlisted = report.undecided == Some(Gap::Sockets);
    if query.selectors.is_empty() && report.sockets.is_empty() && report.hidden == 0 && !unlisted {
        report.notes.push(nothing(query, ""));
    }
    let missing = missing_selectors(query, report);
    let ports: Vec<RangeInclusive<u16>> = missing.iter().filter_map(|one| single(one)).collect();
    let asks_why = !(ports.is_empty() || query.all || query.user.is_some());
    let reasons = Reasons {
        query,
        connected: if asks_why { connections(query, &ports)? } else { Vec::new() },
        elsewhere: if asks_why && !query.all_namespaces {
            other_namespaces(query, &ports)?
        } else {
            Vec::new()
        },
        whole: report.complete || report.undecided.is_none(),
        asks_why,
    };
    let mut all_free = !missing.is_empty() && !query.all_namespaces && query.user.is_none();
    for selector in missing {
        let is_free = !unlisted || can_bind_all(query, selector);
        all_free &= is_free;
        report.notes.push(if is_free {
            let note = nothing(query, &format!(" {selector}"));
            reasons.of(selector).map_or(note.clone(), |why| format!("{note}{why}"))
        } else {
            format!("not every socket can be listed here, and {selector} cannot be bound")
        });
    }
    if all_free {
        report.undecided = report.undecided.filter(|_| !unlisted);
    }
    Ok(())
}

/// What explains that a selector chose nothing.
struct Reasons<'a> {
    query: &'a Query,
    /// Connections that use the missing ports.
    connected: Vec<Socket>,
    /// What is bound to them in other namespaces.
    elsewhere: Vec<Socket>,
    /// Whether every socket is listed.
    whole: bool,
    asks_why: bool,
}

impl Reasons<'_> {
    /// The end of a sentence that says that nothing is bound.
    fn of(&self, selector: &Selector) -> Option<String> {
        let target = Target::new(selector)?;
        if let Some(ip) = target.foreign() {
            return Some(format!(": {ip} is not an address of this machine"));
        }
        if !self.asks_why {
            return None;
        }
        let of = |sockets: &[Socket]| choose(&target, sockets);
        let (connected, elsewhere) = (of(&self.connected), of(&self.elsewhere));
        let cause = cause(self.query, selector, &connected, &elsewhere, self.whole)?;
        Some(format!(", but {cause}"))
    }
}

/// The selectors that chose nothing, each once.
fn missing_selectors<'a>(query: &'a Query, report: &Report) -> Vec<&'a Selector> {
    let mut missing: Vec<&Selector> = Vec::new();
    for selector in &query.selectors {
        let target = Target::new(selector);
        let mut owners = report.sockets.iter().flat_map(|socket| &socket.owners);
        let chosen = match &target {
            Some(target) => target.chosen(&report.sockets).contains(&true),
            None => owners.any(|owner| selector.matches_owner(owner)),
        };
        // A process whose sockets cannot be seen is not missing.
        let unknown = target.is_none() && (report.hidden > 0 || report.undecided.is_some());
        if !chosen && !unknown && !missing.contains(&selector) {
            missing.push(selector);
        }
    }
    missing
}

fn choose(target: &Target, sockets: &[Socket]) -> Vec<Socket> {
    let chosen = target.chosen(sockets).into_iter();
    sockets.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(one, _)| one.clone()).collect()
}

/// Whether a server can bind every port of a selector; false for so many that trying would take them from others.
fn can_bind_all(query: &Query, selector: &Selector) -> bool {
    const MOST: usize = 64;

    let Selector::Port { ports, protocol, .. } = selector else { return false };
    let one = protocol.or(query.protocol);
    let wanted = || {
        [Protocol::Tcp, Protocol::Udp].into_iter().filter(|own| one.is_none_or(|one| one == *own))
    };
    let is_free = |port| wanted().all(|protocol| busy::is_bindable(selector, port, protocol));
    ports.len() <= MOST && ports.clone().all(is_free)
}

/// Adds what is bound to a named port and was not chosen: by another address, or perhaps by a client.
pub(crate) fn left_out(query: &Query, others: &[Socket], notes: &mut Vec<String>) {
    /// More of one kind are counted.
    const MOST: usize = 3;

    let targets: Vec<Target> = query.selectors.iter().filter_map(Target::new).collect();
    let named = |socket: &&Socket| {
        socket.state.is_bound()
            && query.protocol.is_none_or(|only| only == socket.protocol)
            && targets.iter().any(|target| target.names(socket))
    };
    let clients = query.spare_clients.then(os::ephemeral_ports).flatten();
    let is_spared = |socket: &&Socket| {
        let chosen = |target: &Target| target.chosen(std::slice::from_ref(*socket))[0];
        may_be_client(socket, clients.as_ref()) && targets.iter().any(chosen)
    };
    let (spared, unreached): (Vec<&Socket>, Vec<&Socket>) =
        others.iter().filter(named).partition(is_spared);
    notes.extend(spared.into_iter().map(|socket| {
        format!(
            "left alone: {}, which may be a client's; {}/udp names it",
            place(socket),
            socket.port
        )
    }));
    if query.user.is_some() || unreached.is_empty() {
        return;
    }
    let shown: Vec<String> = unreached.iter().take(MOST).map(|socket| place(socket)).collect();
    let more = match unreached.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    notes.push(format!("also bound, not reached by this address: {}{more}", shown.join(", ")));
}

/// A socket in a few words, as in `tcp 127.0.0.1:80 of nginx (PID 7)`.
fn place(socket: &Socket) -> String {
    let zone = socket.interface.as_ref().map(|name| format!("%{name}")).unwrap_or_default();
    let address = match socket.address {
        IpAddr::V6(_) if socket.dual_stack == Some(true) => format!("*{zone}"),
        IpAddr::V6(ip) => format!("[{ip}{zone}]"),
        IpAddr::V4(ip) => format!("{ip}{zone}"),
    };
    format!("{} {address}:{} of {}", socket.protocol.name(), socket.port, holder(socket))
}

/// Adds what is known of named ports beyond the owners' names: services of the
/// system, TCP that does not listen, and sockets that no process holds.
pub(crate) fn found(query: &Query, report: &mut Report, all_read: bool) {
    let asked: Vec<RangeInclusive<u16>> = query.selectors.iter().filter_map(single).collect();
    let names_udp = query.protocol == Some(Protocol::Udp)
        || query.selectors.iter().any(|one| one.protocol() == Some(Protocol::Udp));
    let clients = (!asked.is_empty()).then(os::ephemeral_ports).flatten();
    let mut notes = Vec::new();
    for socket in &report.sockets {
        if !asked.iter().any(|port| port.contains(&socket.port)) {
            continue;
        }
        notes.extend(socket.owners.iter().filter_map(|owner| {
            system_service(&owner.name, socket.port).map(|what| format!("{owner} is {what}"))
        }));
        if (socket.protocol, socket.state) == (Protocol::Tcp, State::Bound) {
            let who = holder(socket);
            notes.push(format!("{who} has bound {} without listening on it", socket.port));
        }
        if !names_udp && may_be_client(socket, clients.as_ref()) {
            notes.push(format!(
                "udp {} of {} may be a client's: the kernel gives such ports to programs that only send",
                socket.port,
                holder(socket)
            ));
        }
        if all_read && lacks_owner(socket) {
            notes.push(format!(
                "no process that is visible from here holds {} {}: it is on its way from one process to another, \
                 of the kernel itself, or held from outside this container",
                socket.protocol.name(),
                socket.port
            ));
        }
    }
    notes.dedup();
    report.notes.append(&mut notes);
}

/// What a process of the operating system does at a port where developers do not expect it.
fn system_service(name: &str, port: u16) -> Option<&'static str> {
    const AIRPLAY: &str = "AirPlay Receiver of macOS, which starts again when it is ended: \
                           System Settings, General, AirDrop & Handoff turns it off";
    match (name, port) {
        ("ControlCenter" | "ControlCe", 5000 | 7000) => Some(AIRPLAY),
        _ => None,
    }
}

/// "nothing is bound to 8080", as the query was put.
fn nothing(query: &Query, target: &str) -> String {
    let what = match query.protocol {
        Some(protocol) => format!("no {} socket", protocol.name().to_uppercase()),
        None => "nothing".to_owned(),
    };
    let whose = if query.user.is_some() { " of this user" } else { "" };
    let is = match query {
        Query { all: true, .. } => "uses",
        Query { serving: true, .. } => "serves",
        _ => "is bound to",
    };
    let target = if target.is_empty() { " a port" } else { target };
    format!("{what}{whose} {is}{target}")
}

/// The port of a selector that names one. A range is a question about what is
/// there, only a single port one about why not.
fn single(selector: &Selector) -> Option<RangeInclusive<u16>> {
    match selector {
        Selector::Port { ports, .. } if ports.start() == ports.end() => Some(ports.clone()),
        _ => None,
    }
}

/// Connections that use the ports.
fn connections(query: &Query, ports: &[RangeInclusive<u16>]) -> Result<Vec<Socket>> {
    let mut sockets = sockets(query, ports, Namespaces::Own)?;
    sockets.retain(|socket| !socket.state.is_bound());
    Ok(sockets)
}

/// What is bound to the ports in other namespaces.
fn other_namespaces(query: &Query, ports: &[RangeInclusive<u16>]) -> Result<Vec<Socket>> {
    let mut sockets = sockets(query, ports, Namespaces::Others)?;
    sockets.retain(|socket| socket.state.is_bound());
    Ok(sockets)
}

fn sockets(
    query: &Query,
    ports: &[RangeInclusive<u16>],
    namespaces: Namespaces,
) -> Result<Vec<Socket>> {
    let want = Want {
        protocol: query.protocol,
        all: true,
        silent: !query.serving,
        ports: Some(ports),
        namespaces,
        deadline: None,
    };
    Ok(join(os::snapshot(&want)?).sockets)
}

/// Why the port of a selector is busy; `None` if nothing speaks for it.
fn cause(
    query: &Query,
    selector: &Selector,
    connected: &[Socket],
    elsewhere: &[Socket],
    whole: bool,
) -> Option<String> {
    if let Some(used) = used(selector, connected) {
        return Some(used);
    }
    if let Some(socket) = elsewhere.first() {
        let who = holder(socket);
        let place = socket.namespace.as_deref().unwrap_or_default();
        return Some(format!(
            "{who} is bound to it in the network namespace {place}: --all-namespaces shows it"
        ));
    }
    // To bind a port takes it from others for a moment: it is not done where
    // the tables tell enough.
    let start = os::unprivileged_ports(binds_wildcards(selector));
    let privileged = single(selector).is_some_and(|port| *port.start() < start);
    if whole && !privileged {
        return None;
    }
    let protocol = selector.protocol().or(query.protocol).unwrap_or(Protocol::Tcp);
    match would_bind(selector, protocol)? {
        Bindable::Yes => None,
        Bindable::Denied => Some(denied()),
        Bindable::Sharing | Bindable::No => Some(NOT_LISTED.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::system_service;

    #[test]
    fn airplay_is_named_only_where_it_is() {
        assert!(system_service("ControlCenter", 5000).is_some_and(|what| what.contains("AirPlay")));
        assert_eq!(system_service("ControlCenter", 8080), None);
        assert_eq!(system_service("python3", 5000), None);
    }
}
