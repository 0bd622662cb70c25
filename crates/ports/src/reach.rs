//! Which sockets a client of an address reaches: decided here, once, for
//! listing, ending, waiting and watching.
//!
//! Several sockets may be bound to one port, and the kernel delivers to the most
//! specific of them only. Linux (`__inet_lookup_listener`, `__udp4_lib_lookup` and
//! their twins for IPv6) and macOS (`in_pcblookup_hash`) agree on this order:
//! a socket bound to the address itself comes before one bound to every address,
//! then one of the client's family before one of IPv6 that serves IPv4, too. What
//! is equal shares the port (SO_REUSEPORT, SO_REUSEADDR). Some clients reach one of
//! them and some another, or the order decides in which they were bound, which the
//! kernel does not show: all of them count as reached.
//!
//! A client on this machine counts as one that comes through the interface that
//! has the address (`rt_iif` in net/ipv4/route.c, `ip6_rcv_core`), although its
//! packets go through loopback: to 127.0.0.1 it reaches nothing that is bound to
//! another interface, to 192.168.1.5 what is bound to the interface with that address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Host, Protocol, Selector, Socket, State, os};

/// Where clients of one selector connect to.
pub(crate) struct Target<'a> {
    selector: &'a Selector,
    clients: Vec<Client<'a>>,
}

/// A client that connects to an address.
struct Client<'a> {
    ip: IpAddr,
    through: Through<'a>,
    /// Whether this machine has the address.
    is_local: bool,
}

/// The interface that a client comes through.
enum Through<'a> {
    Loopback,
    /// That of the selector.
    Zone(&'a str),
    /// That which has the address, by its index; `None` if it is not known.
    Home(Option<u32>),
}

/// Those of `sockets` that a selector of ports chooses; none for one of processes.
pub(crate) fn chosen(selector: &Selector, sockets: Vec<Socket>) -> Vec<Socket> {
    let chosen = Target::new(selector).map(|target| target.chosen(&sockets)).unwrap_or_default();
    sockets.into_iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(one, _)| one).collect()
}

impl<'a> Target<'a> {
    /// The target of a selector of ports; `None` for one of processes.
    pub(crate) fn new(selector: &'a Selector) -> Option<Self> {
        let Selector::Port { host, .. } = selector else { return None };
        let clients = match host {
            Host::Any | Host::Interface(_) => Vec::new(),
            Host::Loopback => vec![
                Client::new(Ipv4Addr::LOCALHOST.into(), None),
                Client::new(Ipv6Addr::LOCALHOST.into(), None),
            ],
            Host::Address { ip, zone } => vec![Client::new(*ip, zone.as_deref())],
        };
        Some(Self { selector, clients })
    }

    /// The address that this machine does not have, if it is one.
    pub(crate) fn foreign(&self) -> Option<IpAddr> {
        self.clients.iter().find(|client| !client.is_local).map(|client| client.ip)
    }

    /// Whether a socket has the port and the protocol, whatever its address.
    pub(crate) fn names(&self, socket: &Socket) -> bool {
        let Selector::Port { ports, protocol, .. } = self.selector else { return false };
        ports.contains(&socket.port) && protocol.is_none_or(|only| only == socket.protocol)
    }

    /// Whether each socket is chosen; what is bound beside a socket decides, too.
    pub(crate) fn chosen(&self, sockets: &[Socket]) -> Vec<bool> {
        let Selector::Port { host, .. } = self.selector else { return vec![false; sockets.len()] };
        let chooses = |socket: &Socket| match host {
            Host::Any => true,
            Host::Interface(zone) => is_bound_to(socket, zone),
            Host::Loopback | Host::Address { .. } => {
                self.clients.iter().any(|client| client.reaches(socket, sockets))
            }
        };
        sockets.iter().map(|socket| self.names(socket) && chooses(socket)).collect()
    }
}

impl<'a> Client<'a> {
    fn new(ip: IpAddr, zone: Option<&'a str>) -> Self {
        let zone = zone.filter(|zone| !is_loopback(zone));
        // To connect to 0.0.0.0 or [::] is to connect to this machine's loopback.
        let ip = match ip {
            IpAddr::V4(ip) if ip.is_unspecified() && zone.is_none() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() && zone.is_none() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let anywhere = ip.is_loopback() || ip.is_unspecified() || is_shared(ip);
        let home = if anywhere { Some(None) } else { os::home(ip, zone) };
        let through = match zone {
            Some(zone) => Through::Zone(zone),
            None if anywhere => Through::Loopback,
            None => Through::Home(home.flatten()),
        };
        Self { ip, through, is_local: home.is_some() }
    }

    /// Whether the kernel may give a client's packets to `socket`, among `sockets`.
    fn reaches(&self, socket: &Socket, sockets: &[Socket]) -> bool {
        if !self.could_reach(socket) {
            return false;
        }
        // What is connected serves its peer only, and TCP that does not listen
        // nobody: these are only told where they are.
        if !serves(socket) || is_shared(self.ip) {
            return true;
        }
        let rank = self.rank(socket);
        let rivals = sockets.iter().filter(|rival| {
            (rival.port, rival.protocol) == (socket.port, socket.protocol)
                && rival.namespace == socket.namespace
                && serves(rival)
                && self.could_reach(rival)
        });
        !rivals.into_iter().any(|rival| self.rank(rival) > rank)
    }

    /// Whether a client would reach `socket` if nothing else were bound.
    fn could_reach(&self, socket: &Socket) -> bool {
        let bound = socket.address;
        let by_address = bound == self.ip;
        let same_family = bound.is_ipv4() == self.ip.is_ipv4();
        let dual = self.ip.is_ipv4() && socket.dual_stack != Some(false);
        let by_wildcard = bound.is_unspecified() && (same_family || dual);
        // What addresses another namespace has is not known here.
        let has_address = match socket.namespace {
            None => self.is_local,
            Some(_) => by_address || self.ip.is_loopback(),
        };
        let by_interface = socket.device == 0
            || match self.through {
                Through::Loopback => socket.interface.as_deref().is_some_and(is_loopback),
                Through::Zone(zone) => is_bound_to(socket, zone),
                Through::Home(index) => index == Some(socket.device),
            };
        has_address && by_interface && (by_address || by_wildcard)
    }

    /// How specific a socket is that a client could reach: the highest is reached.
    fn rank(&self, socket: &Socket) -> (bool, bool) {
        (socket.address == self.ip, self.ip.is_ipv4() != socket.is_v6)
    }
}

/// Whether a socket takes what any client sends.
fn serves(socket: &Socket) -> bool {
    match socket.protocol {
        Protocol::Tcp => socket.state == State::Listen,
        Protocol::Udp => socket.state == State::Bound,
    }
}

/// Whether every socket gets what is sent to an address: multicast and broadcast.
fn is_shared(ip: IpAddr) -> bool {
    ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Whether a socket is bound to the interface of this name or index.
fn is_bound_to(socket: &Socket, zone: &str) -> bool {
    socket.device != 0
        && (socket.interface.as_deref() == Some(zone) || zone.parse() == Ok(socket.device))
}

/// Whether an interface of this name is the loopback: `lo` on Linux, `lo0` on macOS.
pub(crate) fn is_loopback(interface: &str) -> bool {
    let number = interface.strip_prefix("lo");
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;

    /// A socket as it is written in the tests: `tcp 0.0.0.0%d0`, `udp *`, `bound 127.0.0.1`.
    fn socket(text: &str) -> Socket {
        let (kind, place) = text.split_once(' ').expect("a kind and an address");
        let (address, zone) = place.split_once('%').unwrap_or((place, ""));
        let dual = address == "*";
        let ip: IpAddr = if dual { "::" } else { address }.parse().expect("an address");
        let (protocol, state) = match kind {
            "tcp" => (Protocol::Tcp, State::Listen),
            "udp" => (Protocol::Udp, State::Bound),
            "bound" => (Protocol::Tcp, State::Bound),
            "connected" => (Protocol::Tcp, State::Established),
            other => panic!("no kind {other}"),
        };
        let devices = ["", "lo", "d0", "d1"];
        let device = devices.iter().position(|name| *name == zone).expect("a known interface");
        Socket {
            protocol,
            address: ip,
            interface: (device > 0).then(|| zone.to_owned()),
            port: 8080,
            state,
            scope: Scope::All,
            dual_stack: Some(dual),
            peer: None,
            uid: None,
            user: None,
            namespace: None,
            owners: Vec::new(),
            container: None,
            key: 0,
            device: u32::try_from(device).expect("few interfaces"),
            is_v6: ip.is_ipv6(),
        }
    }

    /// The sockets that a selector chooses among `sockets`.
    fn chosen(selector: &str, sockets: &[&str]) -> Vec<String> {
        let selector: Selector = selector.parse().expect("a selector");
        let all: Vec<Socket> = sockets.iter().map(|text| socket(text)).collect();
        let target = Target::new(&selector).expect("a selector of ports");
        let chosen = target.chosen(&all);
        sockets.iter().zip(chosen).filter(|(_, is)| *is).map(|(text, _)| (*text).into()).collect()
    }

    #[test]
    fn alone_a_socket_is_reached_by_the_addresses_that_it_is_bound_to() {
        for (selector, one, reached) in [
            ("127.0.0.1:8080", "tcp 127.0.0.1", true),
            ("127.0.0.1:8080", "tcp 0.0.0.0", true),
            ("127.0.0.1:8080", "tcp *", true),
            ("127.0.0.1:8080", "tcp ::", false),
            ("127.0.0.1:8080", "tcp 127.0.0.2", false),
            ("[::1]:8080", "tcp ::", true),
            ("[::1]:8080", "tcp 0.0.0.0", false),
            ("localhost:8080", "tcp 127.0.0.53", false),
            ("localhost:8080", "tcp 127.0.0.1", true),
            ("localhost:8080", "tcp ::1", true),
            ("localhost:8080", "tcp 192.0.2.1", false),
            ("0.0.0.0:8080", "tcp 127.0.0.1", true),
            ("0.0.0.0:8080", "tcp *", true),
            ("0.0.0.0:8080", "tcp 192.0.2.1", false),
            ("[::]:8080", "tcp ::1", true),
            (":8081", "tcp ::1", false),
            // This machine has no address of the documentation's networks.
            ("192.0.2.1:8080", "tcp 0.0.0.0", false),
            ("192.0.2.1:8080", "tcp 192.0.2.1", false),
            ("[2001:db8::1]:8080", "tcp *", false),
        ] {
            let expected: &[&str] = if reached { &[one] } else { &[] };
            assert_eq!(chosen(selector, &[one]), expected, "{selector} {one}");
        }
    }

    #[test]
    fn a_protocol_chooses_its_own_sockets_only() {
        let both = ["tcp 127.0.0.1", "udp 127.0.0.1"];
        for (selector, expected) in [
            ("8080", &both[..]),
            ("localhost:8080", &both),
            ("8080/tcp", &both[..1]),
            ("udp:8080", &both[1..]),
            ("http://localhost:8080/", &both[..1]),
            ("udp://127.0.0.1:8080", &both[1..]),
        ] {
            assert_eq!(chosen(selector, &both), expected, "{selector}");
        }
    }

    #[test]
    fn an_interface_lets_nobody_in_who_comes_another_way() {
        let all = ["tcp 0.0.0.0%d0", "tcp 0.0.0.0%d1", "tcp ::%lo"];
        for (selector, expected) in [
            ("8080", &all[..]),
            ("127.0.0.1:8080", &[]),
            ("localhost:8080", &all[2..]),
            ("0.0.0.0%d0:8080", &all[..1]),
            ("*%d1:8080", &all[1..2]),
            ("*%3:8080", &all[1..2]),
            ("0.0.0.0%lo:8080", &[]),
        ] {
            assert_eq!(chosen(selector, &all), expected, "{selector}");
        }
    }

    #[test]
    fn the_most_specific_socket_wins() {
        for (selector, all, expected) in [
            ("127.0.0.1:8080", vec!["tcp 0.0.0.0", "tcp 127.0.0.1"], vec!["tcp 127.0.0.1"]),
            ("127.0.0.2:8080", vec!["tcp 0.0.0.0", "tcp 127.0.0.1"], vec!["tcp 0.0.0.0"]),
            ("127.0.0.1:8080", vec!["tcp *", "tcp 0.0.0.0"], vec!["tcp 0.0.0.0"]),
            ("127.0.0.1:8080", vec!["udp *%lo", "udp 0.0.0.0"], vec!["udp 0.0.0.0"]),
            ("127.0.0.1:8080", vec!["tcp *%lo", "tcp 0.0.0.0"], vec!["tcp 0.0.0.0"]),
            // Which of two that share the port depends on the order of binding.
            ("[::1]:8080", vec!["tcp *%lo", "tcp *", "tcp 0.0.0.0"], vec!["tcp *%lo", "tcp *"]),
            ("localhost:8080", vec!["tcp 127.0.0.1", "tcp *"], vec!["tcp 127.0.0.1", "tcp *"]),
            (
                "127.0.0.1:8080",
                vec!["tcp 127.0.0.1", "udp 0.0.0.0"],
                vec!["tcp 127.0.0.1", "udp 0.0.0.0"],
            ),
            // Neither listens: neither keeps the other from its clients.
            (
                "127.0.0.1:8080",
                vec!["bound 127.0.0.1", "tcp 0.0.0.0"],
                vec!["bound 127.0.0.1", "tcp 0.0.0.0"],
            ),
            (
                "127.0.0.1:8080",
                vec!["connected 127.0.0.1", "tcp 0.0.0.0"],
                vec!["connected 127.0.0.1", "tcp 0.0.0.0"],
            ),
            ("8080", vec!["tcp 0.0.0.0", "tcp 127.0.0.1"], vec!["tcp 0.0.0.0", "tcp 127.0.0.1"]),
            (
                "224.0.0.251:8080",
                vec!["udp 0.0.0.0", "udp 224.0.0.251"],
                vec!["udp 0.0.0.0", "udp 224.0.0.251"],
            ),
        ] {
            assert_eq!(chosen(selector, &all), expected, "{selector} {all:?}");
        }
    }

    #[test]
    fn the_loopback_is_known_by_its_name() {
        for (name, is) in [("lo", true), ("lo0", true), ("lowpan0", false), ("eth0", false)] {
            assert_eq!(is_loopback(name), is, "{name}");
        }
    }
}
