//! Linux: which interface has an address, asked of the kernel's routing tables.

#![expect(clippy::option_option, reason = "no interface has it, or one that is not known")]

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::net::netdevice::name_to_index;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto,
    socket_with,
};

use crate::free;
use crate::route::{self, Route};

/// Which interface has an address: `None` if none has it and packets to it are
/// not delivered here, `Some(None)` if the interface is not known. `zone` is
/// that of a link-local address, by name or index.
///
/// A routing table may deliver addresses that no interface has, so it is asked,
/// and only where it cannot be, whether the address can be bound.
pub(crate) fn home(ip: IpAddr, zone: Option<&str>) -> Option<Option<u32>> {
    let needs_zone = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    // An interface that is not there has no address.
    let interface = match zone.filter(|_| needs_zone) {
        Some(zone) => Some(index(zone)?),
        None => None,
    };
    match ask(ip, interface) {
        Ok(Route::Local(interface)) => Some(interface),
        Ok(Route::Away) => None,
        Err(_) => free::can_bind_address(SocketAddr::new(ip, 0)).then_some(None),
    }
}

/// The index of an interface, given by name or by itself.
fn index(zone: &str) -> Option<u32> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    let by_name = socket.and_then(|socket| name_to_index(&socket, zone));
    by_name.ok().or_else(|| zone.parse().ok())
}

fn ask(ip: IpAddr, interface: Option<u32>) -> io::Result<Route> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        // NETLINK_ROUTE is 0.
        None,
    )?;
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    sendto(&socket, &route::request(ip, interface), SendFlags::empty(), &kernel)?;
    let mut buffer = [0; 4096];
    let (bytes, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
    route::answer(&buffer[..bytes]).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
