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
//! plain functions over bytes that compile and are tested on every system; this
//! file joins, selects and counts. Nothing here prints, and nothing is cached.

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
mod selector;
mod supervisor;
pub mod wait;
pub mod watch;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Instant;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use sys::Result;

pub use selector::{Host, Selector, SelectorError};

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP, over IPv4 or IPv6.
    Tcp,
    /// UDP, over IPv4 or IPv6.
    Udp,
}

impl Protocol {
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
    /// What processes hold it by: see [`Entry::key`].
    #[serde(skip)]
    key: u64,
}

impl Socket {
    /// Whether no process holds it: a connection that rests, is being closed by
    /// the kernel, or has not been accepted yet.
    pub fn is_held_by_kernel(&self) -> bool {
        self.key == 0 || matches!(self.state, State::TimeWait | State::SynReceived)
    }

    /// What sockets are listed by: namespace, port, protocol, address.
    pub fn rank(&self) -> impl Ord + use<> {
        let place = (self.namespace.clone(), self.port, self.protocol, self.address);
        (place, self.state, self.peer)
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
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, Serialize)]
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
    /// Whether nothing was chosen, but some process that could not be read may
    /// have been what was asked for.
    #[serde(skip)]
    pub undecided: bool,
}

impl Report {
    /// Whether nothing was found, but not everything that could match was seen:
    /// then "none" would be a guess.
    pub fn cannot_tell(&self) -> bool {
        self.sockets.is_empty() && (self.hidden > 0 || self.undecided)
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
    let ports = port_ranges(&query.selectors);
    let snapshot = os::snapshot(&want(query, ports.as_deref()))?;
    Ok(report(query, snapshot))
}

/// What a query asks of the system, where it names these ports.
fn want<'a>(query: &Query, ports: Option<&'a [RangeInclusive<u16>]>) -> Want<'a> {
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

/// What a query chooses of a snapshot.
fn report(query: &Query, snapshot: Snapshot) -> Report {
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

/// What serves the ports of a query, or any port if it names none.
fn serving(query: &Query) -> Result<Vec<Entry>> {
    let ports = port_ranges(&query.selectors);
    os::entries(&want(&Query { serving: true, ..query.clone() }, ports.as_deref()))
}

/// What is bound to the ports of a query, TCP that does not listen too.
fn bound(query: &Query) -> Result<Vec<Entry>> {
    let ports = port_ranges(&query.selectors);
    os::entries(&want(&Query { serving: false, ..query.clone() }, ports.as_deref()))
}

/// What a listing asks of the system.
struct Want<'a> {
    protocol: Option<Protocol>,
    all: bool,
    /// TCP that is bound without listening, too.
    silent: bool,
    /// Only these local ports; every port if `None`.
    ports: Option<&'a [RangeInclusive<u16>]>,
    namespaces: Namespaces,
    /// When to stop looking for owners; they are then only needed by name.
    deadline: Option<Instant>,
}

/// Network namespaces. A system without them has only its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Namespaces {
    Own,
    All,
    /// All but this process's own.
    Others,
}

impl Want<'_> {
    /// Whether a socket of this kind is wanted.
    fn includes(&self, protocol: Protocol, state: State, port: u16) -> bool {
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
struct Entry {
    /// What processes hold it by: the inode on Linux, the socket's handle on
    /// macOS. 0 if no process can hold it, as in `TIME_WAIT`.
    key: u64,
    protocol: Protocol,
    state: State,
    local: SocketAddr,
    peer: Option<SocketAddr>,
    /// Whether an IPv6 socket refuses IPv4; `None` if the source does not say.
    only_v6: Option<bool>,
    /// Interface index, 0 for none.
    interface: u32,
    uid: Option<u32>,
    /// The cgroup that it was made in: the inode of its directory.
    cgroup: Option<u64>,
    /// Index into [`Snapshot::namespaces`] if it is not this process's own.
    namespace: Option<usize>,
}

/// Another network namespace.
struct Namespace {
    name: String,
    /// Names of the interfaces that its sockets are bound to, by index.
    interfaces: Vec<(u32, String)>,
}

/// What a system told at one moment.
#[derive(Default)]
struct Snapshot {
    entries: Vec<Entry>,
    namespaces: Vec<Namespace>,
    owners: Vec<Owner>,
    /// Socket key and index into `owners`, a pair for each holder.
    holds: Vec<(u64, usize)>,
    /// Whether the sockets are all there, and owners were looked for to the end.
    complete: bool,
    /// Processes that may not be read.
    unread: Vec<u32>,
    notes: Vec<String>,
}

#[derive(PartialEq)]
enum Choice {
    Yes,
    No,
    /// It depends on an owner that cannot be seen.
    Unknown,
}

/// The ports to ask the kernel for: `None` if a process name is among the selectors.
fn port_ranges(selectors: &[Selector]) -> Option<Vec<RangeInclusive<u16>>> {
    let ranges: Option<Vec<_>> = selectors
        .iter()
        .map(|selector| match selector {
            Selector::Port { ports, .. } => Some(ports.clone()),
            Selector::Process(_) => None,
        })
        .collect();
    ranges.filter(|ranges| !ranges.is_empty())
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
fn lacks_owner(socket: &Socket) -> bool {
    !socket.owners.iter().any(|owner| owner.certain) && !socket.is_held_by_kernel()
}

/// Joins entries and owners, and gives users and supervisors their names.
fn join(mut snapshot: Snapshot) -> Report {
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

fn socket(entry: &Entry, namespace: Option<&Namespace>, owners: Vec<Rc<Owner>>) -> Socket {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_not_claimed_where_something_was_not_seen() {
        let report = |hidden, undecided| Report {
            complete: false,
            hidden,
            notes: Vec::new(),
            sockets: Vec::new(),
            undecided,
        };
        assert!(report(1, false).cannot_tell());
        assert!(report(0, true).cannot_tell());
        assert!(!report(0, false).cannot_tell());
    }
}
