//! Finds ports that a server can bind now.
//!
//! A port counts as free if it could be bound, without `SO_REUSEADDR`, on every
//! address of both families at once: then any server can. Between the answer
//! and the server somebody else may take it; nothing can prevent that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket, sockopt};
use sys::{Error, Result};

use crate::{Protocol, os};

/// Which ports to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// Whatever the kernel gives.
    Any,
    /// From this port upwards, without what is in use elsewhere by custom (see
    /// [`is_customary`]). The ports that the kernel gives to clients come last.
    From(u16),
    /// Every port of a range.
    Within(RangeInclusive<u16>),
}

/// Up to `count` free ports, all different.
pub fn find(search: &Search, protocol: Protocol, count: usize) -> Result<Vec<u16>> {
    /// How many ports of the kernel's choice may turn out to be taken in the other family.
    const TRIES: usize = 100;

    let candidates: Box<dyn Iterator<Item = u16>> = match search {
        Search::Any => Box::new(std::iter::repeat_n(0, count.saturating_add(TRIES))),
        Search::Within(range) => Box::new(range.clone()),
        Search::From(first) => Box::new(upwards(*first, os::ephemeral_ports())),
    };
    let (mut ports, mut held) = (Vec::new(), Vec::new());
    for port in candidates {
        if ports.len() == count {
            break;
        }
        if let Some((port, sockets)) = reserve(port, protocol)? {
            ports.push(port);
            // What is let go the kernel may give again.
            if *search == Search::Any {
                held.push(sockets);
            }
        }
    }
    ports.sort_unstable();
    Ok(ports)
}

/// The ports from `first` upwards that no service is expected at, those of
/// `clients` after all others. The port that was asked for by its number is no
/// surprise: it comes first, whatever it is.
fn upwards(first: u16, clients: Option<RangeInclusive<u16>>) -> impl Iterator<Item = u16> {
    let for_clients = move |port: u16| clients.as_ref().is_some_and(|range| range.contains(&port));
    let others = move || (first..=u16::MAX).skip(1).filter(|port| !is_customary(*port));
    let quiet = for_clients.clone();
    std::iter::once(first)
        .chain(others().filter(move |port| !quiet(*port)))
        .chain(others().filter(move |port| for_clients(*port)))
}

/// Whether a well-known service is expected at this port, or browsers refuse to
/// open it ("bad port" of the Fetch standard).
pub fn is_customary(port: u16) -> bool {
    /// Registered ports (1024 and up) of services that developers run or meet.
    const SERVICES: [u16; 24] = [
        1080, 1433, 1521, 1883, 2181, 2375, 2376, 2379, 3128, 3306, 3389, 5000, 5432, 5672, 5900,
        6379, 6443, 7000, 8883, 9042, 9092, 9200, 11211, 27017,
    ];
    const REFUSED: [u16; 19] = [
        1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
        6669, 6679, 6697, 10080,
    ];
    port < 1024 || SERVICES.contains(&port) || REFUSED.contains(&port)
}

/// Binds a port, or one of the kernel's choice for 0, in both families.
fn reserve(port: u16, protocol: Protocol) -> Result<Option<(u16, Vec<OwnedFd>)>> {
    let mut held = Vec::new();
    let mut port = port;
    for address in
        [SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))]
    {
        match bound(SocketAddr::new(address.ip(), port), protocol, false) {
            Ok((socket, given)) => {
                held.push(socket);
                port = given;
            }
            // Taken, or not for this user.
            Err(Errno::ADDRINUSE | Errno::ACCESS | Errno::PERM) => return Ok(None),
            // A system without this family has nothing to bind there.
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {}
            Err(errno) => {
                return Err(Error::from_io(format!("bind {} port {port}", protocol.name()), errno));
            }
        }
    }
    Ok((!held.is_empty()).then_some((port, held)))
}

/// Whether a server could bind a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bindable {
    Yes,
    /// With `SO_REUSEADDR`, which most servers set.
    Sharing,
    /// Something holds it.
    No,
    /// Not by this user.
    Denied,
}

/// Tries to bind a port at these addresses, and lets it go at once; `None` if
/// this system has none of the addresses.
pub(crate) fn bindable(
    addresses: &[IpAddr],
    port: u16,
    protocol: Protocol,
) -> rustix::io::Result<Option<Bindable>> {
    let mut worst = None;
    for address in addresses.iter().map(|address| SocketAddr::new(*address, port)) {
        let one = match bound(address, protocol, false) {
            Ok(_) => Bindable::Yes,
            Err(Errno::ADDRINUSE) => match bound(address, protocol, true) {
                Ok(_) => Bindable::Sharing,
                Err(Errno::ADDRINUSE) => Bindable::No,
                Err(errno) => return Err(errno),
            },
            Err(Errno::ACCESS | Errno::PERM) => Bindable::Denied,
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => continue,
            Err(errno) => return Err(errno),
        };
        worst = worst.max(Some(one));
    }
    Ok(worst)
}

/// Whether a socket can be bound to an address, at a port of the kernel's choice.
///
/// True if that cannot be told.
pub(crate) fn can_bind_address(address: SocketAddr) -> bool {
    let bound = bound(address, Protocol::Udp, false);
    !matches!(bound, Err(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT))
}

fn bound(
    address: SocketAddr,
    protocol: Protocol,
    sharing: bool,
) -> rustix::io::Result<(OwnedFd, u16)> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = match protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let socket = socket(family, kind, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if sharing {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &address)?;
    let given = SocketAddr::try_from(getsockname(&socket)?)?;
    Ok((socket, given.port()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ports_of_clients_come_last() {
        let first = |from, clients| upwards(from, clients).take(4).collect::<Vec<_>>();
        assert_eq!(first(3000, Some(32768..=60999)), [3000, 3001, 3002, 3003]);
        assert_eq!(first(3000, Some(1024..=65535)), [3000, 3001, 3002, 3003]);
        assert_eq!(first(3000, Some(3001..=3002)), [3000, 3003, 3004, 3005]);
        assert_eq!(first(40_000, Some(32768..=60999)), [40_000, 61_000, 61_001, 61_002]);
        assert_eq!(first(65_534, Some(32768..=60999)), [65_534, 65_535]);
        assert_eq!(first(65_535, None), [65_535]);
        // A customary port only where it is named.
        assert_eq!(first(6664, None), [6664, 6670, 6671, 6672]);
        assert_eq!(first(80, None), [80, 1024, 1025, 1026]);
    }

    proptest::proptest! {
        // Each case goes through all ports.
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(16))]

        /// However the clients' range lies, each usable port comes once, and no other does.
        #[test]
        fn every_usable_port_comes_once(from in 1u16.., low: u16, high: u16) {
            let clients = (low <= high).then_some(low..=high);
            let found: Vec<u16> = upwards(from, clients).collect();
            let expected: HashSet<u16> =
                (from..=u16::MAX).filter(|&port| port == from || !is_customary(port)).collect();
            proptest::prop_assert_eq!(found.len(), expected.len());
            proptest::prop_assert_eq!(found.into_iter().collect::<HashSet<_>>(), expected);
        }
    }
}
