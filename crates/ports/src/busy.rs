//! Whether a server could bind a port that nothing is bound to: the one verdict
//! that the listing and the wait for a free port share.
//!
//! The last word is the kernel's: the port is bound for a moment. What the
//! tables say comes first, as that moment takes the port from others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sys::Result;

use crate::free::{self, Bindable};
use crate::reach;
use crate::report::join;
use crate::snapshot::{Namespaces, Want};
use crate::{Host, Protocol, Selector, Socket, State, os};

/// Whether a server could bind a port now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It could; a note says under which condition, if there is one.
    Free(Option<String>),
    /// It could not, and why.
    Busy(String),
    /// That cannot be told, and why.
    Unknown(String),
}

/// Whether any server could bind a port of a selector: quicker than [`verdict`],
/// which says more.
pub(crate) fn is_bindable(selector: &Selector, port: u16, protocol: Protocol) -> bool {
    let Selector::Port { host, .. } = selector else { return true };
    free::bindable(&addresses(host), port, protocol) == Ok(Some(Bindable::Yes))
}

/// The verdict on a port of a selector that the cheap tables show no server on.
pub(crate) fn verdict(selector: &Selector, port: u16, protocol: Protocol) -> Result<Verdict> {
    let Selector::Port { host, .. } = selector else { return Ok(Verdict::Free(None)) };
    let bindable = match free::bindable(&addresses(host), port, protocol) {
        Ok(Some(Bindable::Yes)) => return Ok(Verdict::Free(None)),
        Ok(Some(bindable)) => bindable,
        Ok(None) => return Ok(Verdict::Busy("this machine has no such address".to_owned())),
        Err(errno) => return Ok(Verdict::Unknown(format!("it cannot be bound: {errno}"))),
    };
    let ports = [port..=port];
    let snapshot = os::snapshot(&Want {
        protocol: Some(protocol),
        all: true,
        silent: true,
        ports: Some(&ports),
        namespaces: Namespaces::Own,
        deadline: None,
    })?;
    let complete = snapshot.complete;
    let sockets = reach::chosen(selector, join(snapshot).sockets);
    Ok(judge(bindable, &sockets, complete, protocol, port))
}

/// What to make of a port that could not simply be bound. `complete` says
/// whether `sockets` are all that use it.
fn judge(
    bindable: Bindable,
    sockets: &[Socket],
    complete: bool,
    protocol: Protocol,
    port: u16,
) -> Verdict {
    if let Some(socket) = sockets.iter().find(|socket| socket.state.is_bound()) {
        return Verdict::Busy(bound(socket));
    }
    let used = in_use(sockets.iter());
    let used_so = |used: &str| format!("{used}; {}", words(bindable));
    match (bindable, used) {
        (Bindable::Yes, _) => Verdict::Free(None),
        (Bindable::No, Some(used)) => Verdict::Busy(used_so(&used)),
        // Servers set SO_REUSEADDR for TCP, where it passes over the rest of
        // connections; for UDP it would share the port with what uses it.
        (Bindable::Sharing, Some(used)) if protocol == Protocol::Udp => {
            Verdict::Busy(used_so(&used))
        }
        (Bindable::No, None) => Verdict::Busy(NOT_LISTED.to_owned()),
        (Bindable::Sharing, Some(used)) if complete => Verdict::Free(Some(used_so(&used))),
        (Bindable::Sharing, None) if complete => {
            Verdict::Free(Some(words(Bindable::Sharing).to_owned()))
        }
        // Without SO_REUSEADDR it might have been bound, had this user the right.
        (Bindable::Denied, Some(used)) => Verdict::Busy(used),
        (Bindable::Denied, None) if complete => Verdict::Free(Some(denied())),
        (Bindable::Sharing | Bindable::Denied, _) => Verdict::Unknown(format!(
            "{}, and not all {} sockets on {port} can be listed",
            words(bindable),
            protocol.name().to_uppercase()
        )),
    }
}

/// What keeps others from a port that is bound.
pub(crate) fn bound(socket: &Socket) -> String {
    format!("{} {} is bound", socket.protocol.name(), socket.port)
}

/// Something holds a port, and no table says what.
pub(crate) const NOT_LISTED: &str = "it cannot be bound: what holds it is not listed here";

/// Why this user may not bind a port.
pub(crate) fn denied() -> String {
    format!("this user may not bind it: {}", os::privileged_ports())
}

/// The addresses that a server at `host` binds.
fn addresses(host: &Host) -> Vec<IpAddr> {
    match host {
        Host::Any | Host::Interface(_) => {
            vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
        }
        Host::Loopback => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Host::Address { ip, .. } => vec![*ip],
    }
}

/// Whether a server at the selector's addresses would take connections to every address.
pub(crate) fn binds_wildcards(selector: &Selector) -> bool {
    match selector {
        Selector::Port { host, .. } => addresses(host).iter().all(IpAddr::is_unspecified),
        _ => false,
    }
}

/// What a server at the selector's addresses could do; `None` if that cannot be told.
pub(crate) fn would_bind(selector: &Selector, protocol: Protocol) -> Option<Bindable> {
    let Selector::Port { ports, host, .. } = selector else { return None };
    free::bindable(&addresses(host), *ports.start(), protocol).ok().flatten()
}

fn words(bindable: Bindable) -> &'static str {
    match bindable {
        Bindable::Yes => "a server can bind it all the same",
        Bindable::Sharing => "a server can bind it only with SO_REUSEADDR",
        Bindable::No => "no server can bind it now",
        Bindable::Denied => "this user may not bind it",
    }
}

/// The connections that use the port of a selector, and what they leave to a
/// server, for each protocol that has some.
pub(crate) fn used(selector: &Selector, connected: &[Socket]) -> Option<String> {
    let of = |protocol| {
        let used = in_use(connected.iter().filter(move |socket| socket.protocol == protocol))?;
        Some(match would_bind(selector, protocol) {
            Some(bindable) => format!("{used}; {}", words(bindable)),
            None => used,
        })
    };
    match (of(Protocol::Tcp), of(Protocol::Udp)) {
        (Some(tcp), Some(udp)) => Some(format!("TCP: {tcp}; UDP: {udp}")),
        (tcp, udp) => tcp.or(udp),
    }
}

/// The connections that use a port, in a few words; `None` if there are none.
fn in_use<'a>(used: impl Iterator<Item = &'a Socket>) -> Option<String> {
    let (resting, live): (Vec<_>, Vec<_>) =
        used.partition(|socket| socket.state == State::TimeWait);
    let resting = resting.len();
    let Some(first) = live.first() else {
        let hold = if resting == 1 { "connection holds" } else { "connections hold" };
        return (resting > 0)
            .then(|| format!("{resting} closed {hold} it in TIME_WAIT, for up to a minute"));
    };
    let who = if first.owners.is_empty() && first.is_held_by_kernel() {
        "no process: the kernel is closing it".to_owned()
    } else {
        holder(first)
    };
    let to = first.peer.map(|peer| format!(" to {peer}")).unwrap_or_default();
    let more = match live.len() - 1 {
        0 => String::new(),
        1 => ", and of 1 more connection".to_owned(),
        more => format!(", and of {more} more connections"),
    };
    Some(format!("it is the local port of a connection{to} of {who}{more}"))
}

/// A process that was seen to hold a socket.
pub(crate) fn holder(socket: &Socket) -> String {
    match socket.owners.iter().find(|owner| owner.certain) {
        Some(owner) => owner.to_string(),
        None => "a process that cannot be seen".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_is_not_claimed_where_something_was_not_seen() {
        let judge = |bindable, complete| judge(bindable, &[], complete, Protocol::Tcp, 80);
        for bindable in [Bindable::Sharing, Bindable::Denied] {
            assert!(matches!(judge(bindable, true), Verdict::Free(Some(_))), "{bindable:?}");
            let unknown = judge(bindable, false);
            assert!(matches!(&unknown, Verdict::Unknown(why) if why.contains("can be listed")));
        }
        // What the kernel lets bind is free, whatever else is known.
        assert_eq!(judge(Bindable::Yes, false), Verdict::Free(None));
        assert_eq!(judge(Bindable::No, false), Verdict::Busy(NOT_LISTED.to_owned()));
    }
}
