//! What to say beside the list: why a port that nobody is bound to may still be
//! busy, and what is known of an owner beyond its name.

use std::ops::RangeInclusive;

use sys::Result;

use crate::busy::{NOT_LISTED, denied, holder, used, would_bind};
use crate::free::Bindable;
use crate::report::{join, lacks_owner};
use crate::snapshot::{Namespaces, Want};
use crate::{Protocol, Query, Report, Selector, Socket, State, os};

/// Adds a note for each selector that chose nothing, with the cause if its port is busy all the same.
pub(crate) fn missing(query: &Query, report: &mut Report) -> Result<()> {
    if query.selectors.is_empty() && report.sockets.is_empty() && report.hidden == 0 {
        report.notes.push(nothing(query, ""));
    }
    let mut missing: Vec<&Selector> = Vec::new();
    for selector in &query.selectors {
        let chosen = report.sockets.iter().any(|socket| chooses(selector, socket));
        // A process whose sockets cannot be seen is not missing.
        let unknown =
            matches!(selector, Selector::Process(_)) && (report.hidden > 0 || report.undecided);
        if !chosen && !unknown && !missing.contains(&selector) {
            missing.push(selector);
        }
    }
    let ports: Vec<RangeInclusive<u16>> = missing.iter().filter_map(|one| single(one)).collect();
    let asks_why = !(ports.is_empty() || query.all || query.user.is_some());
    let connected = if asks_why { connections(query, &ports)? } else { Vec::new() };
    let elsewhere = if asks_why && !query.all_namespaces {
        other_namespaces(query, &ports)?
    } else {
        Vec::new()
    };
    let whole = report.complete;
    for selector in missing {
        let note = nothing(query, &format!(" {selector}"));
        let of = |sockets: &'_ [Socket]| -> Vec<Socket> {
            sockets.iter().filter(|socket| chooses(selector, socket)).cloned().collect()
        };
        let why = if asks_why {
            cause(query, selector, &of(&connected), &of(&elsewhere), whole)
        } else {
            None
        };
        report.notes.push(why.map_or(note.clone(), |why| format!("{note}, but {why}")));
    }
    Ok(())
}

/// Adds what is known of named ports beyond the owners' names: services of the
/// system, TCP that does not listen, and sockets that no process holds.
pub(crate) fn found(query: &Query, report: &mut Report, all_read: bool) {
    let asked: Vec<RangeInclusive<u16>> = query.selectors.iter().filter_map(single).collect();
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

fn chooses(selector: &Selector, socket: &Socket) -> bool {
    selector
        .matches_socket(socket)
        .unwrap_or_else(|| socket.owners.iter().any(|owner| selector.matches_owner(owner)))
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
    let start = os::unprivileged_ports();
    let privileged = single(selector).is_some_and(|port| *port.start() < start);
    if whole && !privileged {
        return None;
    }
    match would_bind(selector, query.protocol.unwrap_or(Protocol::Tcp))? {
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
