//! Whether ports have come up, or have become free.
//!
//! Each [`Waiter::look`] looks once; the caller decides how often and for how long.
//!
//! Up means more than listed by the kernel: a connection to every socket of the
//! selector succeeds. As servers may count connections, what has accepted one
//! is not asked again, the first is made when the kernel lists the socket, and
//! failures are tried again after longer and longer pauses. What is not an
//! address of this machine is dialled: see [`Target::is_remote`].
//!
//! Free means that a server could bind the port: see `busy`, whose verdict
//! `crate::list` tells, too.

mod dial;
mod http;
mod probe;
mod target;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use sys::{Error, Result};

use self::dial::Dialled;
use self::probe::Probes;
pub use self::target::{Target, TargetError};
use crate::busy::{self, Verdict};
use crate::reach::{self, is_loopback};
use crate::snapshot::{Entry, Namespaces, Want};
use crate::{Protocol, Query, Selector, Socket, State, os, report, snapshot};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A server accepts connections at every port, or has bound it for UDP.
    Up,
    /// A server could bind every port.
    Free,
}

/// How to look.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What is waited for.
    pub goal: Goal,
    /// The protocols that each target must have the goal in.
    pub protocols: Vec<Protocol>,
    /// Whether a connection must succeed, or the kernel's word is enough that
    /// a socket listens.
    pub connect: bool,
    /// The statuses of HTTP that count as up.
    pub statuses: Vec<RangeInclusive<u16>>,
}

impl Wish {
    /// A connection by TCP to each, and a status of HTTP that means success.
    pub fn up() -> Self {
        let (goal, protocols) = (Goal::Up, vec![Protocol::Tcp]);
        Self { goal, protocols, connect: true, statuses: vec![200..=399] }
    }
}

impl Wish {
    /// The protocols that a selector must have the goal in: its own, if it names one.
    fn protocols_of(&self, selector: &Selector) -> Vec<Protocol> {
        selector.protocol().map_or_else(|| self.protocols.clone(), |own| vec![own])
    }
}

/// What a look at one target has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// What keeps it from the goal, in a few words; `None` if it is reached.
    pub missing: Option<String>,
    /// What to know of a goal that is reached.
    pub note: Option<String>,
    /// Whether the goal may have been reached unseen.
    pub unknown: bool,
}

/// Looks at targets again and again.
pub struct Waiter {
    wish: Wish,
    items: Vec<Item>,
    /// Whether the system lists every socket; `None` as long as it does not matter.
    sees_all: Option<bool>,
    /// Why ports cannot be bound that no table shows to be bound, and when that was found out.
    busy: Option<(Instant, Vec<Looked>)>,
}

struct Item {
    target: Target,
    probes: Probes,
    dialled: Option<Dialled>,
    /// The sockets that `dialled` was begun for, by `Entry::key`.
    keys: Vec<u64>,
}

impl Waiter {
    /// A waiter that has not looked yet.
    pub fn new(targets: Vec<Target>, wish: Wish) -> Self {
        let item =
            |target| Item { target, probes: Probes::default(), dialled: None, keys: Vec::new() };
        Self { items: targets.into_iter().map(item).collect(), wish, sees_all: None, busy: None }
    }

    /// What each target lacks now. A range is up, or free, if every port of it is.
    ///
    /// `left` is the time that may still be waited: without any, an answer that
    /// is under way is waited for briefly.
    pub fn look(&mut self, left: Duration) -> Result<Vec<Looked>> {
        match self.wish.goal {
            Goal::Up => (0..self.items.len()).map(|index| self.up(index, left)).collect(),
            Goal::Free => self.free(),
        }
    }

    fn up(&mut self, index: usize, left: Duration) -> Result<Looked> {
        let item = &mut self.items[index];
        if item.target.is_remote() {
            return Ok(item.dial(&self.wish, left));
        }
        for protocol in self.wish.protocols_of(&item.target.selector) {
            let looked = self.up_in(index, protocol, left)?;
            if looked.missing.is_some() {
                return Ok(looked);
            }
        }
        Ok(Looked::default())
    }

    fn up_in(&mut self, index: usize, protocol: Protocol, left: Duration) -> Result<Looked> {
        let item = &mut self.items[index];
        let (sockets, unknown) = serving(&item.target.selector, &[protocol])?;
        if let Some(missing) = absent(&item.target.selector, &sockets) {
            let is_port = matches!(item.target.selector, Selector::Port { .. });
            item.forget();
            if !is_port || self.sees_all(protocol) {
                return Ok(Looked { missing: Some(missing), note: None, unknown });
            }
            if protocol == Protocol::Tcp && self.wish.connect {
                return Ok(self.items[index].dial(&self.wish, left));
            }
            return Ok(Looked { missing: Some(missing), note: None, unknown: true });
        }
        let listening = sockets.iter().filter(|socket| socket.state == State::Listen);
        if item.target.is_http() {
            item.renew(listening.map(|socket| socket.key).collect());
            return Ok(item.dial(&self.wish, left));
        }
        let missing = if self.wish.connect {
            item.probes.missing(listening.flat_map(|socket| {
                addresses(socket).into_iter().map(|address| (address, socket.key))
            }))
        } else {
            None
        };
        Ok(Looked { missing, ..Looked::default() })
    }

    fn free(&mut self) -> Result<Vec<Looked>> {
        /// How long the reason for a busy port is taken for the present one.
        const LASTS: Duration = Duration::from_secs(1);

        // The tables first: to bind a port takes it from others for a moment.
        let mut looked = Vec::new();
        for item in &self.items {
            let selector = &item.target.selector;
            looked.push(taken(selector, &self.wish.protocols_of(selector))?);
        }
        if looked.iter().any(|one| one.missing.is_some()) {
            return Ok(looked);
        }
        let selectors = || self.items.iter().map(|item| &item.target.selector);
        // Why a port is busy takes a walk through the processes, which is not worth it each time.
        if let Some((said, busy)) = &self.busy {
            let is_free = |selector| is_bindable(selector, &self.wish.protocols_of(selector));
            if said.elapsed() < LASTS && !selectors().all(is_free) {
                return Ok(busy.clone());
            }
        }
        let looked: Result<Vec<Looked>> = selectors()
            .map(|selector| bindable(selector, &self.wish.protocols_of(selector)))
            .collect();
        let looked = looked?;
        self.busy = Some((Instant::now(), looked.clone()));
        Ok(looked)
    }

    /// Whether the system lists every socket of a protocol. If not, one that is
    /// not listed may be there all the same.
    fn sees_all(&mut self, protocol: Protocol) -> bool {
        *self.sees_all.get_or_insert_with(|| {
            let nothing = os::snapshot(&Want {
                protocol: Some(protocol),
                all: false,
                silent: false,
                // Nothing can be bound to it.
                ports: Some(&[0..=0]),
                namespaces: Namespaces::Own,
                deadline: None,
            });
            nothing.is_ok_and(|snapshot| snapshot.complete)
        })
    }
}

impl Item {
    /// Dials, or goes on with it.
    fn dial(&mut self, wish: &Wish, left: Duration) -> Looked {
        if self.dialled.is_none() {
            self.dialled = Dialled::new(&self.target, &wish.statuses);
        }
        let missing = self.dialled.as_mut().and_then(|dialled| dialled.missing(left));
        Looked { missing, ..Looked::default() }
    }

    /// Begins anew where other sockets listen than before.
    fn renew(&mut self, keys: Vec<u64>) {
        if !keys.iter().any(|key| self.keys.contains(key)) {
            self.dialled = None;
        }
        self.keys = keys;
    }

    /// Whatever comes now is another server.
    fn forget(&mut self) {
        self.probes = Probes::default();
        if !self.keys.is_empty() {
            self.dialled = None;
            self.keys.clear();
        }
    }
}

/// The sockets that serve at a selector, and whether there may be others.
fn serving(selector: &Selector, protocols: &[Protocol]) -> Result<(Vec<Socket>, bool)> {
    let query = query(selector, protocols, true);
    if let Selector::Port { .. } = selector {
        return Ok((listed(selector, &snapshot::entries(&query)?), false));
    }
    let report = crate::look(&query)?;
    let unknown = report.cannot_tell() || !report.complete;
    Ok((report.sockets, unknown))
}

fn query(selector: &Selector, protocols: &[Protocol], serving: bool) -> Query {
    let only = match protocols {
        [only] => Some(*only),
        _ => None,
    };
    Query { selectors: vec![selector.clone()], protocol: only, serving, ..Query::default() }
}

/// The sockets at the address of a selector.
fn listed(selector: &Selector, entries: &[Entry]) -> Vec<Socket> {
    let sockets = entries.iter().map(|entry| report::socket(entry, None, Vec::new())).collect();
    reach::chosen(selector, sockets)
}

/// What of a selector is not served at all.
fn absent(selector: &Selector, sockets: &[Socket]) -> Option<String> {
    let Selector::Port { ports, .. } = selector else {
        return sockets.is_empty().then(|| "no such process serves a port".to_owned());
    };
    let serves = |port: &u16| sockets.iter().any(|socket| socket.port == *port);
    let port = ports.clone().find(|port| !serves(port))?;
    Some(of_range(ports, port, "nothing serves it"))
}

/// What is said of a port of a selector: it is named only if there are others.
fn of_range(ports: &RangeInclusive<u16>, port: u16, text: &str) -> String {
    if ports.start() == ports.end() { text.to_owned() } else { format!("{port}: {text}") }
}

/// What the tables show to be bound at a selector.
fn taken(selector: &Selector, protocols: &[Protocol]) -> Result<Looked> {
    let (mut sockets, unknown) = serving(selector, protocols)?;
    if unknown && sockets.is_empty() {
        return Err(Error::Unsupported {
            doing: format!("tell whether {selector} is free"),
            why: "some processes or sockets cannot be seen".to_owned(),
        });
    }
    // TCP that is bound without listening takes longer to find: it is looked
    // for only where nothing else keeps the port busy.
    if let (true, Selector::Port { .. }) = (sockets.is_empty(), selector) {
        sockets = listed(selector, &snapshot::entries(&query(selector, protocols, false))?);
    }
    let missing = sockets.first().map(busy::bound);
    Ok(Looked { missing, ..Looked::default() })
}

/// Every port and protocol of a selector; none for the name of a process.
fn pairs<'a>(
    selector: &Selector,
    protocols: &'a [Protocol],
) -> impl Iterator<Item = (u16, Protocol)> + use<'a> {
    let ports = match selector {
        Selector::Port { ports, .. } => Some(ports.clone()),
        Selector::Pid(_) | Selector::Process(_) => None,
    };
    let pair = move |port| protocols.iter().map(move |protocol| (port, *protocol));
    ports.into_iter().flatten().flat_map(pair)
}

fn is_bindable(selector: &Selector, protocols: &[Protocol]) -> bool {
    pairs(selector, protocols).all(|(port, protocol)| busy::is_bindable(selector, port, protocol))
}

/// Whether a server could bind every port of a selector.
fn bindable(selector: &Selector, protocols: &[Protocol]) -> Result<Looked> {
    let Selector::Port { ports, .. } = selector else { return Ok(Looked::default()) };
    let mut note = None;
    for (port, protocol) in pairs(selector, protocols) {
        let said = |text: String| of_range(ports, port, &text);
        match busy::verdict(selector, port, protocol)? {
            Verdict::Free(why) => note = note.or(why.map(said)),
            Verdict::Busy(why) => {
                return Ok(Looked { missing: Some(said(why)), ..Looked::default() });
            }
            Verdict::Unknown(why) => {
                return Err(Error::Unsupported {
                    doing: format!("tell whether {selector} is free"),
                    why: said(why),
                });
            }
        }
    }
    Ok(Looked { note, ..Looked::default() })
}

/// Where a client on this machine would connect to.
fn addresses(socket: &Socket) -> Vec<SocketAddr> {
    let at = |ip: IpAddr| SocketAddr::new(ip, socket.port);
    match socket.address {
        // Such an address means nothing without its interface.
        IpAddr::V6(v6) if v6.is_unicast_link_local() => match socket.device {
            0 => Vec::new(),
            zone => vec![SocketAddrV6::new(v6, socket.port, 0, zone).into()],
        },
        // Of another interface than loopback, this machine is not sure to reach it.
        _ if socket.interface.as_ref().is_some_and(|name| !is_loopback(name)) => Vec::new(),
        IpAddr::V4(v4) if v4.is_unspecified() => vec![at(Ipv4Addr::LOCALHOST.into())],
        IpAddr::V6(v6) if v6.is_unspecified() => {
            let both = socket.dual_stack == Some(true);
            let v4 = both.then(|| at(Ipv4Addr::LOCALHOST.into()));
            std::iter::once(at(Ipv6Addr::LOCALHOST.into())).chain(v4).collect()
        }
        address => vec![at(address)],
    }
}
