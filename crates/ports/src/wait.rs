//! Whether ports have come up, or have become free.
//!
//! Each call looks once; the caller decides how often and for how long. Up means
//! more than listed by the kernel: a connection to it succeeds, on each loopback
//! family that it is bound to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::io::Errno;
use sys::{Error, Result};

use crate::reach::{Target, is_loopback};
use crate::snapshot::Entry;
use crate::{Protocol, Query, Selector, Socket, State, report, snapshot};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A server accepts connections at every port, or has bound it for UDP.
    Up,
    /// Nothing is bound.
    Free,
}

/// What keeps a selector from the goal, in a few words; `None` if it is reached.
///
/// A range is up if every port of it is. A server that does not accept is given up after `patience`.
pub fn missing(
    selector: &Selector,
    protocol: Option<Protocol>,
    goal: Goal,
    patience: Duration,
) -> Result<Option<String>> {
    let query =
        Query { selectors: vec![selector.clone()], protocol, serving: true, ..Query::default() };
    let sockets = match selector {
        Selector::Port { .. } => {
            let sockets = serving(selector, &snapshot::entries(&query)?);
            // TCP that is bound without listening takes longer to find: it is
            // looked for only where nothing else keeps the port busy.
            if goal == Goal::Free && sockets.is_empty() {
                let query = Query { serving: false, ..query.clone() };
                let found = serving(selector, &snapshot::entries(&query)?);
                if found.is_empty() && crate::look(&query)?.cannot_tell() {
                    return Err(Error::Denied { doing: format!("see all sockets at {selector}") });
                }
                found
            } else {
                sockets
            }
        }
        Selector::Pid(_) | Selector::Process(_) => {
            let report = crate::look(&query)?;
            if goal == Goal::Free && report.cannot_tell() {
                return Err(Error::Denied { doing: format!("see all sockets of {selector}") });
            }
            report.sockets
        }
    };
    Ok(match goal {
        Goal::Free => sockets
            .first()
            .map(|socket| format!("{} {} is bound", socket.protocol.name(), socket.port)),
        Goal::Up => not_up(selector, &sockets, patience),
    })
}

/// The sockets at the address of a selector.
fn serving(selector: &Selector, entries: &[Entry]) -> Vec<Socket> {
    let sockets: Vec<Socket> =
        entries.iter().map(|entry| report::socket(entry, None, Vec::new())).collect();
    let chosen = Target::new(selector).map(|target| target.chosen(&sockets)).unwrap_or_default();
    sockets.into_iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(one, _)| one).collect()
}

fn not_up(selector: &Selector, sockets: &[Socket], patience: Duration) -> Option<String> {
    match selector {
        Selector::Port { ports, .. } => {
            let serves = |port: &u16| sockets.iter().any(|socket| socket.port == *port);
            if let Some(port) = ports.clone().find(|port| !serves(port)) {
                let nothing = "nothing serves it";
                let single = ports.start() == ports.end();
                return Some(if single {
                    nothing.to_owned()
                } else {
                    format!("{port}: {nothing}")
                });
            }
        }
        Selector::Pid(_) | Selector::Process(_) if sockets.is_empty() => {
            return Some("no such process serves a port".to_owned());
        }
        Selector::Pid(_) | Selector::Process(_) => {}
    }
    let listening = sockets.iter().filter(|socket| socket.state == State::Listen);
    listening.flat_map(addresses).find_map(|address| refuses(address, patience))
}

/// Where a client on this machine would connect to.
fn addresses(socket: &Socket) -> Vec<SocketAddr> {
    let at = |ip: IpAddr| SocketAddr::new(ip, socket.port);
    // Of another interface than loopback, this machine is not sure to reach it.
    if socket.interface.as_ref().is_some_and(|name| !is_loopback(name)) {
        return Vec::new();
    }
    match socket.address {
        IpAddr::V4(v4) if v4.is_unspecified() => vec![at(Ipv4Addr::LOCALHOST.into())],
        IpAddr::V6(v6) if v6.is_unspecified() => {
            let both = socket.dual_stack == Some(true);
            let v4 = both.then(|| at(Ipv4Addr::LOCALHOST.into()));
            std::iter::once(at(Ipv6Addr::LOCALHOST.into())).chain(v4).collect()
        }
        // Such an address means nothing without its interface.
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Vec::new(),
        address => vec![at(address)],
    }
}

/// Why a connection fails, if it does.
fn refuses(address: SocketAddr, patience: Duration) -> Option<String> {
    /// A server on this machine accepts within this time, unless its queue is full.
    const PATIENCE: Duration = Duration::from_millis(250);

    // No time at all is not accepted.
    let patience = patience.clamp(Duration::from_millis(1), PATIENCE);
    let error = TcpStream::connect_timeout(&address, patience).err()?;
    // A machine whose loopback lacks this family cannot be asked.
    let no_such_address = [Errno::ADDRNOTAVAIL, Errno::NETUNREACH, Errno::AFNOSUPPORT];
    if no_such_address.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error())) {
        return None;
    }
    Some(format!("{address} does not accept a connection: {error}"))
}
