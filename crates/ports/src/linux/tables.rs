//! Linux: the kernel's tables of sockets, asked for by `NETLINK_SOCK_DIAG`.
//!
//! Where netlink is refused (seccomp filters, gVisor) they are read from `/proc/net`.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use sys::{Error, Result};

use crate::diag::{self, Family, Message};
use crate::snapshot::{Entry, Want};
use crate::{Protocol, procfs};

/// Whether the kernel can list TCP that is bound without listening: Linux 6.8 and later.
pub(super) fn lists_silent() -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map(|text| text.parse::<u32>().unwrap_or(u32::MAX));
    (numbers.next(), numbers.next()) >= (Some(6), Some(8))
}

/// The kernel's tables of sockets.
pub(super) const TABLES: [(Protocol, Family); 3] =
    [(Protocol::Tcp, Family::Both), (Protocol::Udp, Family::V4), (Protocol::Udp, Family::V6)];

/// All wanted sockets of both families; `directory` has the same as files.
pub(super) fn sockets(
    directory: &str,
    want: &Want,
    entries: &mut Vec<Entry>,
    notes: &mut Vec<String>,
) -> Result<()> {
    let mut netlink = open();
    for (protocol, family) in wanted(want) {
        table(&mut netlink, directory, family, protocol, want, entries)?;
    }
    if let Err(why) = netlink {
        notes.push(format!(
            "netlink is not available ({why}): read from /proc/net, which leaves out bound sockets that do not listen"
        ));
    }
    Ok(())
}

/// The tables of the wanted protocol.
pub(super) fn wanted(want: &Want) -> impl Iterator<Item = (Protocol, Family)> {
    let only = want.protocol;
    TABLES.into_iter().filter(move |(protocol, _)| only.is_none_or(|only| only == *protocol))
}

/// One table, from netlink or else from a file; netlink is given up where it fails.
pub(super) fn table(
    netlink: &mut io::Result<OwnedFd>,
    directory: &str,
    family: Family,
    protocol: Protocol,
    want: &Want,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let before = entries.len();
    if let Ok(socket) = netlink {
        match dump(socket, family, protocol, want, entries) {
            Ok(()) => return Ok(()),
            Err(error) => *netlink = Err(error),
        }
    }
    entries.truncate(before);
    let Err(why) = netlink else { return Ok(()) };
    files(directory, family, protocol, want, entries).map_err(|error| Error::Unsupported {
        doing: "list sockets".to_owned(),
        why: format!("netlink: {why}; {directory}/{}: {error}", protocol.name()),
    })
}

/// A socket to ask the kernel by, for one table after the other.
pub(super) fn open() -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?)
}

/// Asks the kernel for the sockets of one family and protocol.
pub(super) fn dump(
    socket: &OwnedFd,
    family: Family,
    protocol: Protocol,
    want: &Want,
    entries: &mut Vec<Entry>,
) -> io::Result<()> {
    let request = diag::request(family, protocol, states(protocol, want), want.ports);
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(socket, &request, SendFlags::empty(), &kernel)?;
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (_, length) = rustix::io::retry_on_intr(|| {
            rustix::net::recv(socket, &mut buffer[..], RecvFlags::TRUNC)
        })?;
        let datagram = buffer.get(..length).ok_or(Errno::MSGSIZE)?;
        for message in diag::messages(datagram, protocol) {
            match message {
                Message::Socket(entry) => {
                    // Port filters are the kernel's, but it may have been given none.
                    if want.includes(protocol, entry.state, entry.local.port()) {
                        entries.push(entry);
                    }
                }
                Message::Done(0) => return Ok(()),
                Message::Done(errno) => return Err(io::Error::from_raw_os_error(errno)),
                Message::Skipped => {}
                Message::Broken => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}

/// The states to ask the kernel for, a bit each. Linux before 6.8 ignores `BOUND_INACTIVE`.
fn states(protocol: Protocol, want: &Want) -> u32 {
    const CLOSE: u32 = 1 << 7;
    const LISTEN: u32 = 1 << 10;
    const BOUND_INACTIVE: u32 = 1 << 13;
    match protocol {
        _ if want.all => u32::MAX,
        Protocol::Tcp if want.silent => LISTEN | BOUND_INACTIVE,
        Protocol::Tcp => LISTEN,
        Protocol::Udp => CLOSE,
    }
}

/// One table from a directory such as `/proc/net`. A missing IPv6 file means a kernel without IPv6.
pub(super) fn files(
    directory: &str,
    family: Family,
    protocol: Protocol,
    want: &Want,
    entries: &mut Vec<Entry>,
) -> io::Result<()> {
    let suffixes: &[&str] = match family {
        Family::Both => &["", "6"],
        Family::V4 => &[""],
        Family::V6 => &["6"],
    };
    for suffix in suffixes {
        let path = format!("{directory}/{}{suffix}", protocol.name());
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && *suffix == "6" => continue,
            text => text?,
        };
        let lines = text.lines().filter_map(|line| procfs::net_line(line, protocol));
        let wanted = |entry: &Entry| want.includes(protocol, entry.state, entry.local.port());
        entries.extend(lines.filter(wanted));
    }
    Ok(())
}
