//! Linux: the kernel's tables of sockets, asked for by `NETLINK_SOCK_DIAG`.
//!
//! Where netlink is refused (seccomp filters, gVisor) they are read from `/proc/net`.

use std::io;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use sys::{Error, Result};

use crate::diag::{self, Family, Message};
use crate::{Entry, Protocol, Want, procfs};

/// Whether the kernel can list TCP that is bound without listening: Linux 6.8 and later.
pub(crate) fn lists_silent() -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map(|text| text.parse::<u32>().unwrap_or(u32::MAX));
    (numbers.next(), numbers.next()) >= (Some(6), Some(8))
}

/// The kernel's tables of sockets.
pub(crate) const TABLES: [(Protocol, Family); 4] = [
    (Protocol::Tcp, Family::V4),
    (Protocol::Tcp, Family::V6),
    (Protocol::Udp, Family::V4),
    (Protocol::Udp, Family::V6),
];

/// All wanted sockets of both families.
pub(crate) fn sockets(want: &Want, notes: &mut Vec<String>) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut refused = None;
    for (protocol, family) in TABLES {
        if want.protocol.is_none_or(|only| only == protocol) {
            refused = table(family, protocol, want, &mut entries)?.or(refused);
        }
    }
    if let Some(why) = refused {
        notes.push(format!(
            "netlink is not available ({why}): read from /proc/net, which leaves out bound sockets that do not listen"
        ));
    }
    Ok(entries)
}

/// One table, from netlink or else from `/proc/net`; then with the reason why not from netlink.
pub(crate) fn table(
    family: Family,
    protocol: Protocol,
    want: &Want,
    entries: &mut Vec<Entry>,
) -> Result<Option<io::Error>> {
    let before = entries.len();
    let Err(why) = dump(family, protocol, want, entries) else { return Ok(None) };
    entries.truncate(before);
    proc_net(family, protocol, want, entries, &why)?;
    Ok(Some(why))
}

/// Asks the kernel for the sockets of one family and protocol.
fn dump(
    family: Family,
    protocol: Protocol,
    want: &Want,
    entries: &mut Vec<Entry>,
) -> io::Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    let request = diag::request(family, protocol, states(protocol, want), want.ports);
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &request, SendFlags::empty(), &kernel)?;
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (_, length) = rustix::io::retry_on_intr(|| {
            rustix::net::recv(&socket, &mut buffer[..], RecvFlags::TRUNC)
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

/// The same from `/proc/net`. A missing IPv6 file means a kernel without IPv6.
fn proc_net(
    family: Family,
    protocol: Protocol,
    want: &Want,
    entries: &mut Vec<Entry>,
    netlink: &io::Error,
) -> Result<()> {
    let file = match (protocol, family) {
        (Protocol::Tcp, Family::V4) => "/proc/net/tcp",
        (Protocol::Tcp, Family::V6) => "/proc/net/tcp6",
        (Protocol::Udp, Family::V4) => "/proc/net/udp",
        (Protocol::Udp, Family::V6) => "/proc/net/udp6",
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && family == Family::V6 => {
            return Ok(());
        }
        Err(error) => {
            return Err(Error::Unsupported {
                doing: "list sockets".to_owned(),
                why: format!("netlink: {netlink}; {file}: {error}"),
            });
        }
    };
    let lines = text.lines().filter_map(|line| procfs::net_line(line, protocol));
    entries.extend(lines.filter(|entry| want.includes(protocol, entry.state, entry.local.port())));
    Ok(())
}
