//! What a selector chooses is what a client of that address reaches: sockets
//! of every kind, addresses and interfaces, and real clients, in network
//! namespaces of the test. What is compared is what `mx ports kill` would end.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use ports::{Protocol, Query};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::namespace::{Network, inside, run};

/// Below the ports that the kernel gives to clients.
const PORT: u16 = 8080;

/// Addresses to bind: of loopback, of the interfaces, of both families, and one of nobody.
const ADDRESSES: [&str; 12] = [
    "0.0.0.0",
    "*",
    "::",
    "127.0.0.1",
    "127.0.0.2",
    "::1",
    "10.7.0.1",
    "10.7.1.1",
    "2001:db8:7::1",
    "fe80::7%d0",
    "fe80::7%d1",
    "192.0.2.7",
];
const DEVICES: [&str; 4] = ["", "lo", "d0", "d1"];

/// A client: the selector, the address it connects to, and whether it comes
/// from the other end of d0 instead of from this machine.
const CLIENTS: [(&str, &str, bool); 16] = [
    ("127.0.0.1", "127.0.0.1", false),
    ("127.0.0.2", "127.0.0.2", false),
    ("127.0.0.3", "127.0.0.3", false),
    ("0.0.0.0", "0.0.0.0", false),
    ("[::]", "::", false),
    ("[::1]", "::1", false),
    ("10.7.0.1", "10.7.0.1", false),
    ("10.7.1.1", "10.7.1.1", false),
    ("[2001:db8:7::1]", "2001:db8:7::1", false),
    ("[fe80::7%d0]", "fe80::7%d0", false),
    ("[fe80::7%d1]", "fe80::7%d1", false),
    ("192.0.2.7", "192.0.2.7", false),
    ("10.7.9.9", "10.7.9.9", false),
    ("10.7.0.1%d0", "10.7.0.1", true),
    ("10.7.1.1%d0", "10.7.1.1", true),
    ("[2001:db8:7::1%d0]", "2001:db8:7::1", true),
];

/// What tells the sockets of a test apart: address, interface, both families.
type Class = (IpAddr, Option<String>, bool);

/// How a socket is to be bound.
#[derive(Clone, Debug)]
struct Wish {
    protocol: Protocol,
    address: &'static str,
    device: &'static str,
    share: bool,
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let address = prop::sample::select(ADDRESSES.as_slice());
    let device = prop::sample::select(DEVICES.as_slice());
    let protocol = prop::sample::select([Protocol::Tcp, Protocol::Udp].as_slice());
    // Sharing lets more of them be bound beside each other.
    let wish = (protocol, address, device, prop::bool::weighted(0.8))
        .prop_map(|(protocol, address, device, share)| Wish { protocol, address, device, share });
    prop::collection::vec(wish, 1..8)
}

/// A bound socket of the test.
struct Bound {
    class: Class,
    server: Server,
}

enum Server {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Wish {
    fn class(&self) -> Class {
        let (address, zone) = self.address.split_once('%').unwrap_or((self.address, self.device));
        let dual = address == "*";
        let ip = if dual { "::" } else { address }.parse().expect("an address");
        // A link-local address binds to its interface, too (ipv6(7)).
        (ip, (!zone.is_empty()).then(|| zone.to_owned()), dual)
    }

    /// Fails where it may not be bound beside the others.
    fn bind(&self) -> io::Result<Bound> {
        let class = self.class();
        let to = place(if class.2 { "::" } else { self.address });
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let kind = match self.protocol {
            Protocol::Tcp => SocketType::STREAM,
            Protocol::Udp => SocketType::DGRAM,
        };
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        if to.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, !class.2)?;
        }
        if self.address == "192.0.2.7" {
            sockopt::set_ip_freebind(&socket, true)?;
        }
        sockopt::set_socket_reuseport(&socket, self.share)?;
        if !self.device.is_empty() {
            bind_to_device(&socket, self.device)?;
        }
        rustix::net::bind(&socket, &to)?;
        let server = match self.protocol {
            Protocol::Tcp => {
                rustix::net::listen(&socket, 64)?;
                Server::Tcp(socket.into())
            }
            Protocol::Udp => Server::Udp(socket.into()),
        };
        match &server {
            Server::Tcp(listener) => listener.set_nonblocking(true)?,
            Server::Udp(socket) => socket.set_nonblocking(true)?,
        }
        Ok(Bound { class, server })
    }
}

#[expect(unsafe_code, reason = "no safe crate of the tests sets this option")]
fn bind_to_device(socket: &OwnedFd, name: &str) -> io::Result<()> {
    let length = libc::socklen_t::try_from(name.len()).expect("a short name");
    // SAFETY: the option's value is `length` bytes of `name`, which are read before this returns.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            name.as_ptr().cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// An address and the port, with the interface as the kernel counts it.
fn place(text: &str) -> SocketAddr {
    let (address, zone) = text.split_once('%').unwrap_or((text, ""));
    let index = if zone.is_empty() {
        0
    } else {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        rustix::net::netdevice::name_to_index(socket, zone).expect("an interface")
    };
    match address.parse().expect("an address") {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), PORT),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, PORT, 0, index).into(),
    }
}

/// Which of the sockets get what clients send to an address.
fn reached(
    bound: &[Bound],
    protocol: Protocol,
    to: SocketAddr,
    peer: Option<&OwnedFd>,
) -> BTreeSet<Class> {
    /// Clients of one address; where several sockets share it they may reach different ones.
    const CLIENTS: usize = 4;

    let servers: Vec<&Bound> = bound.iter().filter(|bound| bound.protocol() == protocol).collect();
    let mut classes = BTreeSet::new();
    for _ in 0..CLIENTS {
        let sent = match peer {
            Some(peer) => elsewhere(peer, || send(protocol, to)),
            None => send(protocol, to),
        };
        // A refused connection reaches nobody, nor does one that is never answered.
        let Ok(client) = sent else { break };
        let end = Instant::now() + Duration::from_secs(5);
        let taken = loop {
            if let Some(bound) = servers.iter().find(|bound| bound.takes()) {
                break Some(bound);
            }
            // A datagram that nobody gets is answered, at once on one machine.
            if client.is_refused() || Instant::now() > end {
                break None;
            }
        };
        classes.extend(taken.map(|bound| bound.class.clone()));
    }
    classes
}

/// What a client keeps open until it was taken.
enum Client {
    Tcp(#[expect(dead_code, reason = "kept open")] TcpStream),
    Udp(UdpSocket),
}

impl Client {
    fn is_refused(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Udp(socket) => matches!(
                socket.recv(&mut [0; 8]),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock
            ),
        }
    }
}

fn send(protocol: Protocol, to: SocketAddr) -> io::Result<Client> {
    match protocol {
        Protocol::Tcp => {
            TcpStream::connect_timeout(&to, Duration::from_millis(500)).map(Client::Tcp)
        }
        Protocol::Udp => {
            let any: IpAddr = if to.is_ipv4() {
                std::net::Ipv4Addr::UNSPECIFIED.into()
            } else {
                Ipv6Addr::UNSPECIFIED.into()
            };
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(to)?;
            socket.set_nonblocking(true)?;
            socket.send(b"x")?;
            Ok(Client::Udp(socket))
        }
    }
}

/// Runs `f` in another network namespace.
fn elsewhere<T: Send>(namespace: &OwnedFd, f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let network = Some(rustix::thread::LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(namespace.as_fd(), network)
                .expect("a way in");
            f()
        });
        thread.join().expect("an answer")
    })
}

impl Bound {
    fn protocol(&self) -> Protocol {
        match self.server {
            Server::Tcp(_) => Protocol::Tcp,
            Server::Udp(_) => Protocol::Udp,
        }
    }

    /// Takes a connection or a datagram, if one is there.
    fn takes(&self) -> bool {
        match &self.server {
            Server::Tcp(listener) => listener.accept().is_ok(),
            Server::Udp(socket) => socket.recv_from(&mut [0; 8]).is_ok(),
        }
    }
}

/// What `mx ports kill` would end.
fn selected(selector: &str) -> BTreeSet<Class> {
    let selectors = vec![selector.parse().expect("a selector")];
    let query = Query { selectors, serving: true, spare_clients: true, ..Query::default() };
    let report = ports::list(&query).expect("a list");
    let class = |socket: &ports::Socket| {
        (socket.address, socket.interface.clone(), socket.dual_stack == Some(true))
    };
    report.sockets.iter().map(class).collect()
}

/// Two interfaces with addresses; gives the other end of the first.
fn interfaces(network: &Network) -> OwnedFd {
    let peer = network.name();
    // A datagram that nobody gets is answered at once, however many there are.
    for limit in ["ipv4/icmp_ratemask", "ipv6/icmp/ratelimit"] {
        std::fs::write(format!("/proc/sys/net/{limit}"), "0").expect("a setting of this namespace");
    }
    for (name, other) in [("d0", "p0"), ("d1", "p1")] {
        run("ip", &["link", "add", name, "type", "veth", "peer", "name", other, "netns", peer]);
        run("ip", &["link", "set", name, "up"]);
        run("ip", &["-n", peer, "link", "set", other, "up"]);
        run("ip", &["address", "add", "fe80::7/64", "dev", name, "nodad"]);
    }
    run("ip", &["address", "add", "10.7.0.1/24", "dev", "d0"]);
    run("ip", &["address", "add", "10.7.1.1/24", "dev", "d1"]);
    run("ip", &["address", "add", "2001:db8:7::1/64", "dev", "d0", "nodad"]);
    run("ip", &["-n", peer, "address", "add", "10.7.0.2/24", "dev", "p0"]);
    run("ip", &["-n", peer, "address", "add", "2001:db8:7::2/64", "dev", "p0", "nodad"]);
    run("ip", &["-n", peer, "route", "add", "10.7.1.0/24", "via", "10.7.0.1"]);
    std::fs::File::open(format!("/run/netns/{peer}")).expect("a namespace").into()
}

#[test]
fn what_kill_selects_is_what_a_client_reaches() {
    if !inside("reach::what_kill_selects_is_what_a_client_reaches") {
        return;
    }
    let Some(network) = Network::new() else { return crate::hostile::skipped("needs ip netns") };
    let peer = interfaces(&network);
    let mut runner =
        TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&wishes(), |wishes| {
        let bound: Vec<Bound> = wishes.iter().filter_map(|wish| wish.bind().ok()).collect();
        let mut unreached = Vec::new();
        for (selector, to, from_peer) in CLIENTS {
            let from = from_peer.then_some(&peer);
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                let text = format!("{selector}:{PORT}/{}", protocol.name());
                let (chosen, reached) =
                    (selected(&text), reached(&bound, protocol, place(to), from));
                let addresses = |classes: &BTreeSet<Class>| -> BTreeSet<IpAddr> {
                    classes.iter().map(|(address, ..)| *address).collect()
                };
                prop_assert!(chosen.is_superset(&reached), "{text}: {chosen:?}, not {reached:?}");
                prop_assert_eq!(addresses(&chosen), addresses(&reached), "{}", text);
                let others = chosen.difference(&reached).cloned();
                unreached
                    .extend(others.map(|class| (text.clone(), protocol, place(to), from, class)));
            }
        }
        // Of sockets that share an address and a port, the first that was bound may take
        // all: each of the others is reached once it is alone.
        drop(bound);
        for (text, protocol, to, from, class) in unreached {
            let alone: Vec<Bound> = wishes
                .iter()
                .filter(|wish| wish.protocol == protocol && wish.class() == class)
                .filter_map(|wish| wish.bind().ok())
                .collect();
            let reached = reached(&alone, protocol, to, from);
            prop_assert_eq!(reached, BTreeSet::from([class]), "{} alone", text);
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}
