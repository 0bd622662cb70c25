//! What libproc and sysctl return on macOS.

use std::net::IpAddr;

use super::{holds, put, take};
use crate::Protocol;
use crate::darwin::{
    DIRECTORY_INFO, PROCESS_INFO, SOCKET_INFO, arguments, directory, pcb_list, process, socket,
    sockets,
};
use crate::snapshot::Entry;

/// Offset of `in_sockinfo` in a `socket_fdinfo`.
const INET: usize = 264;

/// Any structure, and sockets and arguments with any content.
pub fn darwin(bytes: &[u8]) {
    descriptors(bytes);
    one_socket(bytes);
    list(bytes, Protocol::Tcp);
    list(bytes, Protocol::Udp);
    one_process(bytes);
    for path in [directory(bytes), directory(&padded::<DIRECTORY_INFO>(bytes))] {
        assert!(path.is_none_or(|path| !path.is_empty() && !path.contains('\0')));
    }
    command(bytes);
}

fn padded<const N: usize>(mut bytes: &[u8]) -> [u8; N] {
    take(&mut bytes)
}

fn descriptors(bytes: &[u8]) {
    let (items, _) = bytes.as_chunks::<8>();
    for number in sockets(bytes) {
        let item = [number.to_le_bytes(), 2u32.to_le_bytes()].concat();
        assert!(items.iter().any(|wanted| wanted[..] == item), "{number}");
    }
}

fn one_socket(bytes: &[u8]) {
    if let Some(entry) = socket(bytes) {
        check_socket(&entry, bytes);
    }
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let mut info: [u8; SOCKET_INFO] = padded(bytes);
        set_protocol(&mut info, protocol);
        if let Some(entry) = socket(&info) {
            assert_eq!(entry.protocol, protocol);
            check_socket(&entry, &info);
        }
    }
}

fn set_protocol(info: &mut [u8], protocol: Protocol) {
    let (number, kind) = match protocol {
        Protocol::Tcp => (6u32, 2u32),
        Protocol::Udp => (17, 1),
    };
    put(info, 180, &number.to_le_bytes());
    put(info, 256, &kind.to_le_bytes());
}

fn check_socket(entry: &Entry, info: &[u8]) {
    let field = |at: usize| &info[INET + at..INET + at + 16];
    assert_eq!(entry.key.to_le_bytes(), info[160..168]);
    assert_eq!(entry.local.port().to_be_bytes(), info[INET + 4..INET + 6]);
    assert_ne!(entry.local.port(), 0);
    check_address(entry.local.ip(), Some(entry.interface), field(48));
    assert_eq!(entry.peer.is_none(), entry.state.is_bound());
    if let Some(peer) = entry.peer {
        assert_eq!(peer.port().to_be_bytes(), info[INET..INET + 2]);
        check_address(peer.ip(), None, field(32));
    }
}

/// An address is what its field says; only one of a link or an interface lends two bytes to it.
fn check_address(ip: IpAddr, interface: Option<u32>, field: &[u8]) {
    match ip {
        IpAddr::V4(ip) => assert_eq!(ip.octets(), field[12..]),
        IpAddr::V6(ip)
            if ip.is_unicast_link_local()
                || (ip.is_multicast() && matches!(field[1] % 16, 1 | 2)) =>
        {
            let number = u32::from(u16::from_be_bytes([field[2], field[3]]));
            assert!(interface.is_none_or(|interface| interface == number));
            assert_eq!([&field[..2], &[0, 0], &field[4..]].concat(), ip.octets());
        }
        IpAddr::V6(ip) => {
            assert_eq!((ip.octets().as_slice(), interface.unwrap_or(0)), (field, 0));
        }
    }
}

/// Any list; and one that tells of the same sockets as their `socket_fdinfo`.
fn list(mut bytes: &[u8], protocol: Protocol) {
    let entries = pcb_list(bytes, protocol);
    assert!(entries.len() <= bytes.len() / 80, "{} sockets", entries.len());
    for entry in entries {
        assert!(entry.local.port() != 0 && entry.protocol == protocol);
        assert!(entry.key == 0 || holds(bytes, &entry.key.to_le_bytes()), "{entry:?}");
        assert!(holds(bytes, &entry.local.port().to_be_bytes()), "{entry:?}");
        assert!(entry.uid.is_none_or(|uid| holds(bytes, &uid.to_le_bytes())), "{entry:?}");
    }
    let (mut list, mut expected) = (vec![0; 24], Vec::new());
    while !bytes.is_empty() && expected.len() < 8 {
        let mut info = [0; SOCKET_INFO];
        set_protocol(&mut info, protocol);
        put(&mut info, 160, &take::<8>(&mut bytes));
        let inet: [u8; 64] = take(&mut bytes);
        put(&mut info, INET, &inet);
        let [state, growth] = take(&mut bytes);
        info[INET + 80] = state % 12;
        let uid = take(&mut bytes);
        list.extend(records(&info, uid, usize::from(growth)));
        let known = socket(&info);
        expected.extend(known.map(|entry| Entry { uid: Some(u32::from_le_bytes(uid)), ..entry }));
    }
    list.extend([0; 24]);
    assert_eq!(pcb_list(&list, protocol), expected);
}

/// The records of a list about a socket, in a release that has added fields to each.
fn records(info: &[u8], uid: [u8; 4], growth: usize) -> Vec<u8> {
    let inet = &info[INET..];
    let mut inpcb = vec![0; 104 + growth];
    put(&mut inpcb, 16, &inet[..2]);
    put(&mut inpcb, 18, &inet[4..6]);
    inpcb[44] = inet[24];
    put(&mut inpcb, 48, &inet[32..64]);
    let mut socket = vec![0; 76 + growth];
    put(&mut socket, 8, &info[160..168]);
    put(&mut socket, 64, &uid);
    let mut tcpcb = vec![0; 204 + growth];
    put(&mut tcpcb, 36, &inet[80..84]);
    let mut bytes = Vec::new();
    for (kind, mut record) in [(0x10u32, inpcb), (0x01, socket), (0x02, vec![0; 36]), (0x20, tcpcb)]
    {
        let length = u32::try_from(record.len()).expect("a short record");
        put(&mut record, 0, &length.to_le_bytes());
        put(&mut record, 4, &kind.to_le_bytes());
        record.resize(record.len().next_multiple_of(8), 0);
        bytes.extend(record);
    }
    bytes
}

fn one_process(bytes: &[u8]) {
    for info in [bytes, &padded::<PROCESS_INFO>(bytes)] {
        let Some(process) = process(info) else { continue };
        assert_eq!(process.parent.to_le_bytes(), info[16..20]);
        assert_eq!(process.uid.to_le_bytes(), info[20..24]);
        if let Some(start) = process.start {
            assert_eq!(start.to_le_bytes(), info[120..128]);
        }
        let names = String::from_utf8_lossy(&info[48..96]);
        assert!(!process.name.contains('\0'));
        assert!(process.name.contains('\u{fffd}') || names.contains(&process.name), "{process:?}");
    }
}

/// Arguments are those that were given, without one from the environment.
fn command(bytes: &[u8]) {
    if let Some(arguments) = arguments(bytes) {
        let count = bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word) as usize);
        assert!(arguments.len() <= count);
        assert!(arguments.iter().all(|argument| !argument.contains('\0')));
    }
    let text: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != 0).collect();
    let mut words = text.split(|&byte| byte == b'\n');
    let path = words.next().unwrap_or_default();
    let given: Vec<&[u8]> = words.collect();
    let mut strings = path.to_vec();
    // xnu pads the path with its NUL to the size of a pointer.
    strings.resize((path.len() + 1).next_multiple_of(8), 0);
    for word in given.iter().copied().chain([b"SECRET=1".as_slice()]) {
        strings.extend(word);
        strings.push(0);
    }
    let count = u32::try_from(given.len()).expect("few arguments").to_le_bytes();
    let given: Vec<_> = given.into_iter().map(String::from_utf8_lossy).collect();
    assert_eq!(arguments(&[&count, &strings[..]].concat()).expect("arguments"), given);
}
