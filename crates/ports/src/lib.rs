//! Who is bound to which port.
//!
//! [`list`] asks the kernel for bound sockets and finds every process that
//! holds one. "On port N" means *bound locally to N*: listening TCP, bound UDP,
//! and TCP that is bound without listening. A client that uses N as its source
//! port is never an owner of N.
//!
//! [`kill`], [`wait`] and [`free`] act on the same sockets: they end the owners,
//! look whether a server is up, and find ports that nobody holds. [`watch`]
//! tells what changes.
//!
//! Containers are named by their engine, Docker or Podman, where [`Query`] wants
//! it; `DOCKER_HOST`, `CONTAINER_HOST`, `XDG_RUNTIME_DIR`, `HOME` and `TMPDIR` say
//! where its unix socket is. That is all that is read from the environment.
//!
//! How it is built: `os` takes a `Snapshot` of sockets and holders, per
//! system; the parsers of kernel data (`diag`, `procfs`, `cgroup`, `darwin`) are
//! plain functions over bytes that compile and are tested on every system;
//! `report` joins, selects and counts. Nothing here prints, and nothing is cached.

mod busy;
#[cfg_attr(
    not(any(target_os = "linux", test, fuzzing)),
    expect(dead_code, reason = "Linux reads through it; it is tested on every system")
)]
mod cgroup;
mod container;
#[cfg_attr(
    not(any(target_os = "macos", test, fuzzing)),
    expect(dead_code, reason = "macOS reads through it; it is tested on every system")
)]
mod darwin;
#[cfg_attr(
    not(any(target_os = "linux", test, fuzzing)),
    expect(dead_code, reason = "Linux reads through it; it is tested on every system")
)]
mod diag;
mod explain;
pub mod free;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod kill;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
mod os;
#[cfg_attr(
    not(any(target_os = "linux", test, fuzzing)),
    expect(dead_code, reason = "Linux reads through it; it is tested on every system")
)]
mod procfs;
mod reach;
mod report;
#[cfg_attr(
    not(any(target_os = "linux", test, fuzzing)),
    expect(dead_code, reason = "Linux reads through it; it is tested on every system")
)]
mod route;
mod selector;
mod snapshot;
pub mod supervisor;
pub mod wait;
pub mod watch;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use sys::Result;

pub use os::missing_right;
pub use selector::{Host, Selector, SelectorError};
use snapshot::{Namespaces, Want};

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP, over IPv4 or IPv6.
    Tcp,
    /// UDP, over IPv4 or IPv6.
    Udp,
}

impl Protocol {
    /// The protocol of this name, in letters of either case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Tcp, Self::Udp].into_iter().find(|one| name.eq_ignore_ascii_case(one.name()))
    }

    /// `tcp` or `udp`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The state of a socket: those of TCP (RFC 9293), and `Bound`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// TCP that accepts connections.
    Listen,
    /// Bound to a port without a peer: any UDP server, or TCP before `listen`.
    Bound,
    /// Connected.
    Established,
    /// Connecting.
    SynSent,
    /// Accepting a connection.
    SynReceived,
    /// Closed here, not yet acknowledged.
    FinWait1,
    /// Closed here, waiting for the peer to close.
    FinWait2,
    /// Closed by the peer, not yet here.
    CloseWait,
    /// Closed by both at once.
    Closing,
    /// Closed by both, waiting for the last acknowledgement.
    LastAck,
    /// Closed; the port pair rests for a while. Held by no process.
    TimeWait,
}

impl State {
    /// The state's name, as in `fin-wait-1`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Bound => "bound",
            Self::Established => "established",
            Self::SynSent => "syn-sent",
            Self::SynReceived => "syn-received",
            Self::FinWait1 => "fin-wait-1",
            Self::FinWait2 => "fin-wait-2",
            Self::CloseWait => "close-wait",
            Self::Closing => "closing",
            Self::LastAck => "last-ack",
            Self::TimeWait => "time-wait",
        }
    }

    /// Whether a socket in this state is bound to its port for itself, not for one connection.
    pub fn is_bound(self) -> bool {
        matches!(self, Self::Listen | Self::Bound)
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// From where a socket can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// This machine only.
    Loopback,
    /// The network of one address of this machine.
    Lan,
    /// Every address of this machine.
    All,
}

/// A bound or connected socket.
#[derive(Clone, Debug, Serialize)]
pub struct Socket {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The local address; a v4-mapped IPv6 address is given as IPv4.
    pub address: IpAddr,
    /// The interface that the socket is bound to, if to one.
    pub interface: Option<String>,
    /// The local port.
    pub port: u16,
    /// Its state.
    pub state: State,
    /// From where it can be reached.
    pub scope: Scope,
    /// Whether it is an IPv6 wildcard that serves IPv4 too; `None` if the system does not say.
    pub dual_stack: Option<bool>,
    /// The other end, of a connected socket.
    pub peer: Option<SocketAddr>,
    /// The user id that created it; `None` if the system does not say.
    pub uid: Option<u32>,
    /// The name of `uid`.
    pub user: Option<String>,
    /// The network namespace, if it is not the caller's: its name, else its number.
    pub namespace: Option<String>,
    /// Every process that holds it, by PID. Empty if none could be seen.
    pub owners: Vec<Rc<Owner>>,
    /// The container that its engine says this port is published for, where no owner could be seen.
    pub container: Option<Container>,
    /// What processes hold it by: see `Entry::key`.
    #[serde(skip)]
    key: u64,
    /// The index of `interface`; 0 for none.
    #[serde(skip)]
    device: u32,
    /// Whether it is a socket of IPv6, whatever its address.
    #[serde(skip)]
    is_v6: bool,
}

impl Socket {
    /// Whether no process holds it: a connection that rests, is being closed by
    /// the kernel, or has not been accepted yet.
    pub fn is_held_by_kernel(&self) -> bool {
        self.key == 0 || matches!(self.state, State::TimeWait | State::SynReceived)
    }

    /// What sockets are listed by: namespace, port, protocol, address, then the
    /// first owner, so that processes that share a port are in the order of their PIDs.
    pub fn rank(&self) -> impl Ord + use<> {
        let place = (self.namespace.clone(), self.port, self.protocol, self.address);
        (place, self.state, self.peer, self.owners.first().map(|owner| owner.pid))
    }
}

/// A process that holds a socket.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Owner {
    /// The process id.
    pub pid: u32,
    /// The process name, in full where the kernel's is cut short. Unfiltered: it may hold any character.
    pub name: String,
    /// The arguments, the first being the command. Empty if they cannot be read.
    pub command: Vec<String>,
    /// The path of the executable, if it can be read.
    pub exe: Option<String>,
    /// The working directory, if it can be read.
    pub cwd: Option<String>,
    /// The effective user id.
    pub uid: u32,
    /// The name of `uid`.
    pub user: Option<String>,
    /// The process id of the parent.
    pub parent: Option<u32>,
    /// When the process started.
    pub started: Option<Timestamp>,
    /// Seconds since `started`.
    pub age: Option<u64>,
    /// What runs it and may start it again: a unit of systemd, a label of
    /// launchd, or a supervisor among its ancestors.
    pub service: Option<String>,
    /// The container that it runs in, or that it passes this port on to.
    pub container: Option<Container>,
    /// Whether the process was seen to hold the socket. If not, it is one of
    /// those that may: they run in the cgroup that the socket was made in, and
    /// this user may not look into them.
    pub certain: bool,
}

/// A container. Its id is known from its control group or from its engine, the
/// rest from its engine only. Unfiltered: texts may hold any character.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Container {
    /// The engine's id.
    pub id: String,
    /// The name given to it.
    pub name: Option<String>,
    /// The image it was made from.
    pub image: Option<String>,
    /// `docker`, `podman`, `containerd` or `cri-o`.
    pub engine: Option<&'static str>,
    /// The published ports that concern the socket, as in `0.0.0.0:8080->80/tcp`.
    pub published: Vec<String>,
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Which sockets; all if empty.
    pub selectors: Vec<Selector>,
    /// Which protocol; both if `None`.
    pub protocol: Option<Protocol>,
    /// Connected sockets too, and those that are closing.
    pub all: bool,
    /// No TCP that is bound without listening, also where a port is named.
    pub serving: bool,
    /// Only sockets that belong to this user id.
    pub user: Option<u32>,
    /// Sockets of every visible network namespace, not only the caller's.
    pub all_namespaces: bool,
    /// Ask Docker and Podman where an owner serves a container or cannot be seen.
    pub containers: bool,
    /// Leave out UDP sockets that may be a client's: without a peer, at a port
    /// that the kernel gives to programs that send without binding one. The
    /// kernel does not say whether a program chose its port. A selector or
    /// `protocol` that names UDP asks for them all the same.
    pub spare_clients: bool,
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Whether every socket and every process could be read.
    pub complete: bool,
    /// How many sockets have an owner that could not be seen. With a process
    /// name among the selectors, those that might have matched it too.
    pub hidden: usize,
    /// What the list does not show: ports in use by clients, data that was not available.
    pub notes: Vec<String>,
    /// The chosen sockets, by port, protocol and address.
    pub sockets: Vec<Socket>,
    /// Why "nothing" would be a guess, where nothing was chosen.
    #[serde(skip)]
    pub undecided: Option<Gap>,
    /// Keys of the sockets that were listed and not chosen, sorted.
    #[serde(skip)]
    others: Vec<u64>,
    /// Processes that could not be read.
    #[serde(skip)]
    unread: Vec<u32>,
}

/// What was not seen of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Some sockets are not listed.
    Sockets,
    /// Some processes could not be read.
    Processes,
}

/// The right that this process lacks to see every owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It does not run as root.
    Root,
    /// It runs as root without this capability (capabilities(7)), as in most containers.
    Capability(&'static str),
}

impl Report {
    /// Whether nothing was found, but not everything that could match was seen:
    /// then "none" would be a guess.
    pub fn cannot_tell(&self) -> bool {
        self.sockets.is_empty() && (self.hidden > 0 || self.undecided.is_some())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (PID {})", self.name, self.pid)
    }
}

/// Lists the sockets that `query` chooses, with every visible owner of each.
///
/// TCP that is bound without listening is listed where a port or everything is
/// asked for: Linux walks its whole table of ports to find it (1.5 ms).
///
/// Fails only if the sockets themselves cannot be listed; owners that cannot
/// be seen are counted in [`Report::hidden`].
pub fn list(query: &Query) -> Result<Report> {
    let mut report = look(query)?;
    explain::missing(query, &mut report)?;
    Ok(report)
}

/// [`list`], without a search for why nothing was chosen.
fn look(query: &Query) -> Result<Report> {
    let ports = snapshot::port_ranges(&query.selectors);
    let snapshot = os::snapshot(&snapshot::want(query, ports.as_deref()))?;
    Ok(report::report(query, snapshot))
}

/// A port that something serves.
#[derive(Clone, Debug)]
pub struct Served {
    /// The local port.
    pub port: u16,
    /// Names and process ids of those who hold it, as far as known.
    pub holders: Vec<(String, u32)>,
}

/// Every port that something serves, by number, with the names that can be had until `deadline`.
///
/// Quicker than [`list`], and less certain: where all processes of the cgroup
/// that a socket was made in have one name, it is taken for theirs.
pub fn served(deadline: Instant) -> Result<Vec<Served>> {
    let snapshot = os::snapshot(&Want {
        protocol: None,
        all: false,
        silent: false,
        ports: None,
        namespaces: Namespaces::Own,
        deadline: Some(deadline),
    })?;
    let mut served: BTreeMap<u16, Vec<(String, u32)>> = BTreeMap::new();
    let ports: HashMap<u64, u16> =
        snapshot.entries.iter().map(|entry| (entry.key, entry.local.port())).collect();
    for port in ports.values() {
        served.entry(*port).or_default();
    }
    for (key, owner) in snapshot.holds {
        let owner = &snapshot.owners[owner];
        if let Some(holders) = ports.get(&key).and_then(|port| served.get_mut(port)) {
            holders.push((owner.name.clone(), owner.pid));
        }
    }
    let served = served.into_iter().map(|(port, mut holders)| {
        holders.sort_unstable();
        holders.dedup();
        Served { port, holders }
    });
    Ok(served.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_not_claimed_where_something_was_not_seen() {
        let report = |hidden, undecided| Report { hidden, undecided, ..Report::default() };
        assert!(report(1, None).cannot_tell());
        assert!(report(0, Some(Gap::Processes)).cannot_tell());
        assert!(report(0, Some(Gap::Sockets)).cannot_tell());
        assert!(!report(0, None).cannot_tell());
    }
}
