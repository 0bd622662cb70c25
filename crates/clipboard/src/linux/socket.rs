//! Connecting to the socket of a server, which may have no room for one more.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use crate::patience::Clock;

/// Connects to the socket at this path.
pub(super) fn connect(path: &[u8], clock: &Clock) -> io::Result<OwnedFd> {
    connect_to(&SocketAddrUnix::new(path)?, clock)
}

/// Connects to the socket with this name, which is no path.
pub(super) fn connect_abstract(name: &[u8], clock: &Clock) -> io::Result<OwnedFd> {
    connect_to(&SocketAddrUnix::new_abstract_name(name)?, clock)
}

fn connect_to(address: &SocketAddrUnix, clock: &Clock) -> io::Result<OwnedFd> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    // It is for connect(2), too, where the queue of the server is full (`unix_stream_connect`).
    let limit = clock.left_at_least(Duration::from_millis(1));
    set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
    loop {
        return match rustix::net::connect(&socket, address) {
            Ok(()) => {
                set_socket_timeout(&socket, Timeout::Send, None)?;
                Ok(socket)
            }
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => {
                let why = clock.complaint("it");
                Err(io::Error::new(io::ErrorKind::TimedOut, why))
            }
            Err(errno) => Err(errno.into()),
        };
    }
}
