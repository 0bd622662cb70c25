//! What a system is asked for, and what it tells at one moment.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Instant;

use sys::Result;

use crate::{Owner, Protocol, Query, Selector, State, os};

/// What a listing asks of the system.
pub(crate) struct Want<'a> {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) all: bool,
    /// TCP that is bound without listening, too.
    pub(crate) silent: bool,
    /// Only these local ports; every port if `None`.
    pub(crate) ports: Option<&'a [RangeInclusive<u16>]>,
    pub(crate) namespaces: Namespaces,
    /// When to stop looking for owners; they are then only needed by name.
    pub(crate) deadline: Option<Instant>,
}

/// Network namespaces. A system without them has only its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namespaces {
    Own,
    All,
    /// All but this process's own.
    Others,
}

impl Want<'_> {
    /// Whether a socket of this kind is wanted.
    pub(crate) fn includes(&self, protocol: Protocol, state: State, port: u16) -> bool {
        self.protocol.is_none_or(|only| only == protocol)
            && match (protocol, state) {
                (_, State::Listen) | (Protocol::Udp, State::Bound) => true,
                (Protocol::Tcp, State::Bound) => self.silent,
                _ => self.all,
            }
            && self.ports.is_none_or(|ports| ports.iter().any(|range| range.contains(&port)))
    }
}

/// A socket as the kernel lists it, before its owners are known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// What processes hold it by: the inode on Linux, the socket's handle on
    /// macOS. 0 if no process can hold it, as in `TIME_WAIT`.
    pub(crate) key: u64,
    pub(crate) protocol: Protocol,
    pub(crate) state: State,
    pub(crate) local: SocketAddr,
    pub(crate) peer: Option<SocketAddr>,
    /// Whether an IPv6 socket refuses IPv4; `None` if the source does not say.
    pub(crate) only_v6: Option<bool>,
    /// Interface index, 0 for none.
    pub(crate) interface: u32,
    pub(crate) uid: Option<u32>,
    /// The cgroup that it was made in: the inode of its directory.
    pub(crate) cgroup: Option<u64>,
    /// Index into [`Snapshot::namespaces`] if it is not this process's own.
    pub(crate) namespace: Option<usize>,
}

/// Another network namespace.
pub(crate) struct Namespace {
    pub(crate) name: String,
    /// Names of the interfaces that its sockets are bound to, by index.
    pub(crate) interfaces: Vec<(u32, String)>,
}

/// What a system told at one moment.
#[derive(Default)]
pub(crate) struct Snapshot {
    pub(crate) entries: Vec<Entry>,
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) owners: Vec<Owner>,
    /// Socket key and index into `owners`, a pair for each holder.
    pub(crate) holds: Vec<(u64, usize)>,
    /// Whether the sockets are all there, and owners were looked for to the end.
    pub(crate) complete: bool,
    /// Processes that may not be read.
    pub(crate) unread: Vec<u32>,
    pub(crate) notes: Vec<String>,
}

/// What a query asks of the system, where it names these ports.
pub(crate) fn want<'a>(query: &Query, ports: Option<&'a [RangeInclusive<u16>]>) -> Want<'a> {
    let by_port = query.selectors.iter().any(|one| matches!(one, Selector::Port { .. }));
    Want {
        protocol: query.protocol,
        all: query.all,
        silent: query.all || (by_port && !query.serving),
        ports,
        namespaces: if query.all_namespaces { Namespaces::All } else { Namespaces::Own },
        deadline: None,
    }
}

/// The ports to ask the kernel for: `None` if a process is among the selectors.
pub(crate) fn port_ranges(selectors: &[Selector]) -> Option<Vec<RangeInclusive<u16>>> {
    let ranges: Option<Vec<_>> = selectors
        .iter()
        .map(|selector| match selector {
            Selector::Port { ports, .. } => Some(ports.clone()),
            Selector::Pid(_) | Selector::Process(_) => None,
        })
        .collect();
    ranges.filter(|ranges| !ranges.is_empty())
}

/// What is bound to the ports of a query, or to any port if it names none.
pub(crate) fn entries(query: &Query) -> Result<Vec<Entry>> {
    let ports = port_ranges(&query.selectors);
    os::entries(&want(query, ports.as_deref()))
}
