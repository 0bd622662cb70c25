//! Decoders for what libproc and sysctl return on macOS, as bytes.
//!
//! Offsets are those of `struct socket_fdinfo`, `proc_bsdinfo` and
//! `proc_vnodepathinfo` in `sys/proc_info.h` (checked against Apple's headers
//! by `tests/macos/layout.c`). No public header has `proc_uniqidentifierinfo` of
//! xnu's `bsd/sys/proc_info_private.h`, nor the records of `net.inet.*.pcblist_n`
//! of its `bsd/netinet/in_pcb.h` and `bsd/sys/socketvar.h`, which are packed to 4
//! bytes. Integers are little-endian: every Mac is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::snapshot::Entry;
use crate::{Protocol, State};

/// `sizeof(struct socket_fdinfo)`.
pub(crate) const SOCKET_INFO: usize = 792;
/// `sizeof(struct proc_uniqidentifierinfo)`.
pub(crate) const IDENTITY_INFO: usize = 56;
/// `sizeof(struct proc_bsdinfo)`.
pub(crate) const PROCESS_INFO: usize = 136;
/// `sizeof(struct proc_bsdshortinfo)`.
pub(crate) const SHORT_INFO: usize = 64;
/// `sizeof(struct proc_vnodepathinfo)`.
pub(crate) const DIRECTORY_INFO: usize = 2352;
/// `sizeof(struct proc_fdinfo)`, and of `struct proc_fileportinfo`.
pub(crate) const DESCRIPTOR: usize = 8;

const FDTYPE_SOCKET: u32 = 2;

/// What `proc_bsdinfo` tells of a process, and `proc_bsdshortinfo` but for the start.
#[derive(Debug, PartialEq)]
pub(crate) struct Process {
    pub(crate) parent: u32,
    /// The effective user id.
    pub(crate) uid: u32,
    /// The process name, up to 31 bytes, or 15 of the short one.
    pub(crate) name: String,
    /// Seconds since the epoch.
    pub(crate) start: Option<i64>,
}

/// The numbers of the sockets in a list of `proc_fdinfo` or `proc_fileportinfo`.
pub(crate) fn sockets(list: &[u8]) -> impl Iterator<Item = u32> {
    list.chunks_exact(DESCRIPTOR)
        .filter(|item| read_u32(item, 4) == Some(FDTYPE_SOCKET))
        .filter_map(|item| read_u32(item, 0))
}

/// Decodes a `socket_fdinfo`; `None` if it is not TCP or UDP, or is not bound.
pub(crate) fn socket(info: &[u8]) -> Option<Entry> {
    /// `psi.soi_so`, `psi.soi_protocol`, `psi.soi_kind` and `psi.soi_proto`.
    const HANDLE: usize = 24 + 136;
    const PROTOCOL: usize = 24 + 156;
    const KIND: usize = 24 + 232;
    const INET: usize = 24 + 240;
    /// `in_sockinfo`: foreign port, local port, version flag, foreign address,
    /// local address, interface; behind it `tcpsi_state`.
    const FOREIGN_PORT: usize = 0;
    const LOCAL_PORT: usize = 4;
    const VERSION: usize = 24;
    const FOREIGN: usize = 32;
    const LOCAL: usize = 48;
    const TCP_STATE: usize = 80;
    const KIND_INET: u32 = 1;
    const KIND_TCP: u32 = 2;

    let kind = read_u32(info, KIND)?;
    let protocol = match read_u32(info, PROTOCOL)? {
        6 if kind == KIND_TCP => Protocol::Tcp,
        17 if kind == KIND_INET => Protocol::Udp,
        _ => return None,
    };
    let inet = info.get(INET..)?;
    entry(&Pcb {
        key: read_u64(info, HANDLE)?,
        protocol,
        version: *inet.get(VERSION)?,
        // Network order inside an int.
        local_port: read_port(inet, LOCAL_PORT)?,
        foreign_port: read_port(inet, FOREIGN_PORT)?,
        local: octets(inet, LOCAL)?,
        foreign: octets(inet, FOREIGN)?,
        tcp_state: read_u32(inet, TCP_STATE)?,
        uid: None,
    })
}

/// Decodes `net.inet.tcp.pcblist_n` or `net.inet.udp.pcblist_n`: every user's sockets.
///
/// Records carry their length and kind, each padded to 8 bytes, and grow from
/// release to release. One socket is an INPCB followed by others; a header of
/// 24 bytes stands at both ends.
pub(crate) fn pcb_list(bytes: &[u8], protocol: Protocol) -> Vec<Entry> {
    const ENDS: usize = 24;
    const KIND_SOCKET: u32 = 0x01;
    const KIND_INPCB: u32 = 0x10;
    const KIND_TCPCB: u32 = 0x20;

    let mut entries = Vec::new();
    let mut current: Option<Pcb> = None;
    let mut rest = bytes.get(ENDS..).unwrap_or(&[]);
    while let (Some(length), Some(kind)) = (read_u32(rest, 0), read_u32(rest, 4)) {
        let Some(record) = usize::try_from(length).ok().and_then(|length| rest.get(..length))
        else {
            break;
        };
        if record.len() <= ENDS {
            break;
        }
        match kind {
            KIND_INPCB => {
                entries.extend(current.take().and_then(|pcb| entry(&pcb)));
                current = inpcb(record, protocol);
            }
            KIND_SOCKET => {
                if let (Some(pcb), Some(key)) = (&mut current, read_u64(record, 8)) {
                    pcb.key = key;
                    pcb.uid = read_u32(record, 64);
                }
            }
            KIND_TCPCB => {
                if let (Some(pcb), Some(state)) = (&mut current, read_u32(record, 36)) {
                    pcb.tcp_state = state;
                }
            }
            _ => {}
        }
        rest = rest.get(record.len().next_multiple_of(8)..).unwrap_or(&[]);
    }
    entries.extend(current.and_then(|pcb| entry(&pcb)));
    entries
}

/// Decodes a `proc_bsdinfo`.
pub(crate) fn process(info: &[u8]) -> Option<Process> {
    let long = text(info.get(64..96)?);
    let short = text(info.get(48..64)?);
    Some(Process {
        parent: read_u32(info, 16)?,
        uid: read_u32(info, 20)?,
        name: if long.is_empty() { short } else { long },
        start: i64::try_from(read_u64(info, 120)?).ok(),
    })
}

/// Decodes a `proc_bsdshortinfo`.
pub(crate) fn short_process(info: &[u8]) -> Option<Process> {
    Some(Process {
        parent: read_u32(info, 4)?,
        uid: read_u32(info, 36)?,
        name: text(info.get(16..32)?),
        start: None,
    })
}

/// Whether a `proc_bsdshortinfo` is of a stopped process: `SSTOP` in sys/proc.h.
pub(crate) fn is_stopped(info: &[u8]) -> bool {
    read_u32(info, 12) == Some(4)
}

/// The unique id in a `proc_uniqidentifierinfo`: no later process has it, and
/// `exec` keeps it.
pub(crate) fn identity(info: &[u8]) -> Option<u64> {
    read_u64(info, 16)
}

/// The working directory in a `proc_vnodepathinfo`.
pub(crate) fn directory(info: &[u8]) -> Option<String> {
    let path = text(info.get(152..152 + 1024)?);
    (!path.is_empty()).then_some(path)
}

/// The arguments in `KERN_PROCARGS2`.
pub(crate) fn arguments(bytes: &[u8]) -> Option<Vec<String>> {
    let (count, strings) = start_strings(bytes)?;
    Some(strings.take(count).map(|text| String::from_utf8_lossy(text).into_owned()).collect())
}

/// The label of the launchd service that started a process or an ancestor of
/// it, from the environment in `KERN_PROCARGS2` (`XPC_SERVICE_NAME`,
/// launchd.plist(5)). `None` for what a user opened: a terminal, an application.
pub(crate) fn launchd_label(bytes: &[u8]) -> Option<String> {
    let (count, strings) = start_strings(bytes)?;
    let label = strings.skip(count).find_map(|text| text.strip_prefix(b"XPC_SERVICE_NAME="))?;
    let by_user = label == b"0" || label.is_empty() || label.starts_with(b"application.");
    (!by_user).then(|| String::from_utf8_lossy(label).into_owned())
}

/// `KERN_PROCARGS2`: the argument count, the path that was executed, padding,
/// then the arguments and the environment as strings.
///
/// The path and its NUL are padded to the size of a pointer (`exec_extract_strings` in xnu's
/// `bsd/kern/kern_exec.c`). More NULs are empty arguments: to skip them too would
/// take as many strings of the environment for arguments.
fn start_strings(bytes: &[u8]) -> Option<(usize, impl Iterator<Item = &[u8]>)> {
    let count = usize::try_from(read_u32(bytes, 0)?).ok()?;
    let rest = &bytes[4..];
    let path = rest.iter().position(|&byte| byte == 0)?;
    let padding = (path + 1).next_multiple_of(8) - path;
    // A 32-bit process (until macOS 10.14) has less of it.
    let shorter = rest[path..].iter().take(padding).position(|&byte| byte != 0);
    let strings = rest.get(path + shorter.unwrap_or(padding)..)?;
    Some((count, strings.split(|&byte| byte == 0)))
}

/// What both sources tell of a socket.
struct Pcb {
    key: u64,
    protocol: Protocol,
    /// `INP_IPV4` is 1, `INP_IPV6` 2; a dual-stack listener has both.
    version: u8,
    local_port: u16,
    foreign_port: u16,
    local: [u8; 16],
    foreign: [u8; 16],
    tcp_state: u32,
    uid: Option<u32>,
}

fn inpcb(record: &[u8], protocol: Protocol) -> Option<Pcb> {
    Some(Pcb {
        key: 0,
        protocol,
        version: *record.get(44)?,
        local_port: read_port(record, 18)?,
        foreign_port: read_port(record, 16)?,
        local: octets(record, 64)?,
        foreign: octets(record, 48)?,
        tcp_state: 0,
        uid: None,
    })
}

fn entry(pcb: &Pcb) -> Option<Entry> {
    const V4: u8 = 1;
    const V6: u8 = 2;

    if pcb.local_port == 0 {
        return None;
    }
    let is_v6 = pcb.version & V6 != 0;
    let (local, interface) = address(pcb.local, is_v6);
    let (foreign, _) = address(pcb.foreign, is_v6);
    let connected = pcb.foreign_port != 0;
    let state = match pcb.protocol {
        // A client whose connection is over, but whose descriptor is still open.
        Protocol::Tcp if connected && pcb.tcp_state == 0 => return None,
        Protocol::Tcp => tcp_state(pcb.tcp_state)?,
        Protocol::Udp if connected => State::Established,
        Protocol::Udp => State::Bound,
    };
    Some(Entry {
        key: pcb.key,
        protocol: pcb.protocol,
        state,
        local: SocketAddr::new(local, pcb.local_port),
        peer: (!state.is_bound()).then(|| SocketAddr::new(foreign, pcb.foreign_port)),
        only_v6: Some(is_v6 && pcb.version & V4 == 0),
        interface,
        uid: pcb.uid,
        cgroup: None,
        namespace: None,
    })
}

/// `TSI_S_*` of `sys/proc_info.h`, the same as `TCPS_*` of `netinet/tcp_fsm.h`.
fn tcp_state(number: u32) -> Option<State> {
    Some(match number {
        0 => State::Bound,
        1 => State::Listen,
        2 => State::SynSent,
        3 => State::SynReceived,
        4 => State::Established,
        5 => State::CloseWait,
        6 => State::FinWait1,
        7 => State::Closing,
        8 => State::LastAck,
        9 => State::FinWait2,
        10 => State::TimeWait,
        _ => return None,
    })
}

/// An address and its interface. IPv4 is in the last four bytes; an IPv6 address
/// of one link or one interface has the interface's index in the second pair of
/// bytes (`in6_setscope` in xnu's `bsd/netinet6/scope6.c`).
fn address(mut octets: [u8; 16], is_v6: bool) -> (IpAddr, u32) {
    if !is_v6 {
        let v4 = Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]);
        return (IpAddr::V4(v4), 0);
    }
    let mut interface = 0;
    // Of a multicast address, the scope is the lower half of the second byte.
    let is_scoped = match octets[0] {
        0xff => matches!(octets[1] & 0x0f, 1 | 2),
        _ => Ipv6Addr::from(octets).is_unicast_link_local(),
    };
    if is_scoped {
        interface = u32::from(u16::from_be_bytes([octets[2], octets[3]]));
        octets[2..4].fill(0);
    }
    (IpAddr::V6(Ipv6Addr::from(octets)), interface)
}

/// A C string in a fixed field.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn octets(bytes: &[u8], at: usize) -> Option<[u8; 16]> {
    bytes.get(at..at + 16)?.try_into().ok()
}

fn read_port(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
        bytes[at..at + value.len()].copy_from_slice(value);
    }

    /// A `socket_fdinfo` of a TCP socket on port 8080.
    fn tcp(version: u8, state: u32) -> Vec<u8> {
        let mut info = vec![0; SOCKET_INFO];
        put(&mut info, 160, &0xfeed_u64.to_le_bytes());
        put(&mut info, 180, &6u32.to_le_bytes());
        put(&mut info, 256, &2u32.to_le_bytes());
        put(&mut info, 264 + 4, &8080u16.to_be_bytes());
        info[264 + 24] = version;
        put(&mut info, 264 + 80, &state.to_le_bytes());
        info
    }

    #[test]
    fn a_listener_of_each_kind() {
        let mut v4 = tcp(1, 1);
        put(&mut v4, 264 + 48 + 12, &[127, 0, 0, 1]);
        let entry = socket(&v4).expect("a TCP socket");
        assert_eq!(entry.local, "127.0.0.1:8080".parse().expect("an address"));
        assert_eq!((entry.key, entry.state, entry.peer), (0xfeed, State::Listen, None));

        let dual = socket(&tcp(3, 1)).expect("a TCP socket");
        assert_eq!(dual.local, "[::]:8080".parse().expect("an address"));
        assert_eq!(dual.only_v6, Some(false));
        assert_eq!(socket(&tcp(2, 1)).and_then(|entry| entry.only_v6), Some(true));
        assert_eq!(socket(&tcp(1, 0)).map(|entry| entry.state), Some(State::Bound));
        let mut over = tcp(1, 0);
        put(&mut over, 264, &443u16.to_be_bytes());
        assert_eq!(socket(&over), None, "a client is not bound to its source port");
    }

    #[test]
    fn a_link_local_address_gives_up_its_interface() {
        let mut info = tcp(2, 4);
        put(&mut info, 264 + 48, &[0xfe, 0x80, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        put(&mut info, 264, &443u16.to_be_bytes());
        put(&mut info, 264 + 32 + 15, &[1]);
        let entry = socket(&info).expect("a TCP socket");
        assert_eq!(entry.local, "[fe80::9]:8080".parse().expect("an address"));
        assert_eq!(entry.interface, 4);
        assert_eq!(entry.peer, Some("[::1]:443".parse().expect("an address")));
    }

    #[test]
    fn a_multicast_address_of_a_link_gives_up_its_interface() {
        for (inside, local, interface) in [
            ("ff02:4::fb", "ff02::fb", 4),
            ("ff01:1::1", "ff01::1", 1),
            ("ff12:4::1", "ff12::1", 4),
            ("ff05::2", "ff05::2", 0),
            ("ff32:40:fd00::5", "ff32:0:fd00::5", 0x40),
            ("ff3e:40:fd00::5", "ff3e:40:fd00::5", 0),
            ("fec0:4::1", "fec0:4::1", 0),
        ] {
            let parse = |text: &str| text.parse::<Ipv6Addr>().expect("an address");
            let decoded = address(parse(inside).octets(), true);
            assert_eq!(decoded, (parse(local).into(), interface), "{inside}");
        }
    }

    #[test]
    fn another_users_process_is_told_in_short() {
        let mut info = vec![0; SHORT_INFO];
        put(&mut info, 4, &940u32.to_le_bytes());
        put(&mut info, 16, b"login");
        put(&mut info, 36, &501u32.to_le_bytes());
        let decoded = short_process(&info).expect("a process");
        assert_eq!((decoded.parent, decoded.uid, decoded.start), (940, 501, None));
        assert_eq!(decoded.name, "login");
        assert_eq!(short_process(&info[..39]), None);
        assert!(!is_stopped(&info));
        info[12] = 4;
        assert!(is_stopped(&info));
    }

    #[test]
    fn udp_is_bound_until_it_has_a_peer() {
        let mut info = tcp(1, 0);
        put(&mut info, 180, &17u32.to_le_bytes());
        put(&mut info, 256, &1u32.to_le_bytes());
        assert_eq!(socket(&info).map(|entry| entry.state), Some(State::Bound));
        put(&mut info, 264, &53u16.to_be_bytes());
        assert_eq!(socket(&info).map(|entry| entry.state), Some(State::Established));
    }

    #[test]
    fn other_and_unbound_sockets_are_left_out() {
        let mut unix = tcp(1, 1);
        put(&mut unix, 256, &3u32.to_le_bytes());
        assert_eq!(socket(&unix), None);
        let mut unbound = tcp(1, 0);
        put(&mut unbound, 264 + 4, &[0, 0]);
        assert_eq!(socket(&unbound), None);
        assert_eq!(socket(&tcp(1, 1)[..300]), None);
    }

    #[test]
    fn only_sockets_of_a_descriptor_list() {
        let mut list = Vec::new();
        for (number, kind) in [(0u32, 1u32), (5, 2), (6, 5), (7, 2)] {
            list.extend(number.to_le_bytes());
            list.extend(kind.to_le_bytes());
        }
        list.extend([1, 2, 3]);
        assert_eq!(sockets(&list).collect::<Vec<_>>(), [5, 7]);
    }

    #[test]
    fn a_process_prefers_its_long_name() {
        let mut info = vec![0; PROCESS_INFO];
        put(&mut info, 16, &1u32.to_le_bytes());
        put(&mut info, 20, &501u32.to_le_bytes());
        put(&mut info, 48, b"Google Chrome He");
        put(&mut info, 120, &1_700_000_000u64.to_le_bytes());
        let name = |info: &[u8]| process(info).expect("a process").name;
        assert_eq!(name(&info), "Google Chrome He");
        put(&mut info, 64, b"Google Chrome Helper");
        assert_eq!(name(&info), "Google Chrome Helper");
        let decoded = process(&info).expect("a process");
        assert_eq!((decoded.parent, decoded.uid, decoded.start), (1, 501, Some(1_700_000_000)));
        assert_eq!(process(&info[..100]), None);
    }

    #[test]
    fn the_unique_id_stands_behind_the_uuid() {
        let mut info = vec![0; IDENTITY_INFO];
        put(&mut info, 16, &70_368u64.to_le_bytes());
        put(&mut info, 24, &1u64.to_le_bytes());
        assert_eq!(identity(&info), Some(70_368));
        assert_eq!(identity(&info[..20]), None);
    }

    #[test]
    fn arguments_stop_before_the_environment() {
        for (path, given) in [
            ("/usr/bin/node\0\0\0", ["node", "server.js"]),
            ("/bin/sh\0", ["sh", ""]),
            ("/bin/sh\0", ["", "-i"]),
            ("/bin/ls\0", ["", ""]),
            ("/bin/sleep\0\0\0\0\0\0", ["", "60"]),
            // Of a 32-bit process: padded to 4 bytes only.
            ("/usr/bin/a\0\0", ["node", "server.js"]),
        ] {
            let strings = format!("{path}{}\0{}\0SECRET=1\0", given[0], given[1]);
            let bytes = [&2u32.to_le_bytes(), strings.as_bytes()].concat();
            assert_eq!(arguments(&bytes).as_deref(), Some(given.map(str::to_owned).as_slice()));
        }
        assert_eq!(arguments(b"\x02\0\0\0/usr/bin/node"), None);
        assert_eq!(arguments(b"\x02"), None);
    }

    #[test]
    fn the_label_of_a_service_stands_in_the_environment() {
        let label = |environment: &[u8]| {
            let start = [&b"\x01\0\0\0/bin/x\0\0x\0"[..], environment].concat();
            launchd_label(&start)
        };
        let web = b"HOME=/\0XPC_SERVICE_NAME=homebrew.mxcl.nginx\0A=b\0";
        assert_eq!(label(web).as_deref(), Some("homebrew.mxcl.nginx"));
        for none in [
            &b"XPC_SERVICE_NAME=0\0"[..],
            b"XPC_SERVICE_NAME=application.com.apple.Terminal.1.2\0",
            b"A=b\0",
            b"",
        ] {
            assert_eq!(label(none), None);
        }
        // An argument is not the environment.
        assert_eq!(launchd_label(b"\x01\0\0\0/bin/x\0XPC_SERVICE_NAME=a\0B=c\0"), None);
    }

    fn record(kind: u32, length: usize, fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; length.next_multiple_of(8)];
        put(&mut bytes, 0, &u32::try_from(length).expect("a short record").to_le_bytes());
        put(&mut bytes, 4, &kind.to_le_bytes());
        for (at, value) in fields {
            put(&mut bytes, *at, value);
        }
        bytes
    }

    #[test]
    fn a_list_of_every_users_sockets() {
        let ends = record(2, 24, &[]);
        let mut list = ends.clone();
        for (handle, uid, port) in [(0xau64, 0u32, 5000u16), (0xb, 501, 7000)] {
            list.extend(record(
                0x10,
                104,
                &[(18, &port.to_be_bytes()), (44, &[1]), (76, &[127, 0, 0, 1])],
            ));
            list.extend(record(0x01, 76, &[(8, &handle.to_le_bytes()), (64, &uid.to_le_bytes())]));
            list.extend(record(0x02, 36, &[]));
            list.extend(record(0x20, 204, &[(36, &1u32.to_le_bytes())]));
        }
        list.extend(ends);
        let entries = pcb_list(&list, Protocol::Tcp);
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| (entry.key, entry.uid, entry.local.port(), entry.state))
            .collect();
        let listening = |key, uid, port| (key, Some(uid), port, State::Listen);
        assert_eq!(seen, [listening(0xa, 0, 5000), listening(0xb, 501, 7000)]);
        // Cut anywhere, it must neither panic nor invent.
        for length in 0..list.len() {
            assert!(pcb_list(&list[..length], Protocol::Tcp).len() <= 2);
        }
    }

    #[test]
    fn the_working_directory() {
        let mut info = vec![0; DIRECTORY_INFO];
        assert_eq!(directory(&info), None);
        put(&mut info, 152, b"/Users/me/src");
        assert_eq!(directory(&info).as_deref(), Some("/Users/me/src"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..900)) {
            let _ = socket(&bytes);
            let _ = process(&bytes);
            let _ = arguments(&bytes);
            let _ = directory(&bytes);
            let _ = pcb_list(&bytes, Protocol::Udp);
            let _ = sockets(&bytes).count();
        }
    }
}
