//! Answers and filters of `NETLINK_SOCK_DIAG`.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::{holds, put, take};
use crate::Protocol;
use crate::diag::{Family, Message, accepts, messages, request};
use crate::snapshot::Entry;

const HEADER: usize = 16;
const ANSWER: usize = 72;
const SOCKET: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const SKV6ONLY: u16 = 11;
const CGROUP_ID: u16 = 21;
/// An attribute of another kind.
const OTHER: u16 = 8;

/// Any datagram, a socket with any fields and attributes, and a filter for any ports.
pub fn diag(bytes: &[u8]) {
    datagram(bytes);
    let mut attributes = bytes;
    let body: [u8; ANSWER] = take(&mut attributes);
    datagram(&socket(body, attributes));
    behind_another(body, attributes);
    filter(bytes);
}

/// A message with a socket of a known family in a known state.
fn socket(mut body: [u8; ANSWER], attributes: &[u8]) -> Vec<u8> {
    body[0] = if body[0].is_multiple_of(2) { Family::V4 } else { Family::V6 } as u8;
    body[1] = body[1] % 13 + 1;
    let mut message = vec![0; HEADER];
    let length = HEADER + ANSWER + attributes.len();
    put(&mut message, 0, &u32::try_from(length).expect("a short message").to_ne_bytes());
    put(&mut message, 4, &SOCKET.to_ne_bytes());
    message.extend(body);
    message.extend(attributes);
    message
}

/// An attribute is found behind another one of any length and content.
fn behind_another(body: [u8; ANSWER], content: &[u8]) {
    let content = &content[..content.len().min(1000)];
    let only = body[2] % 2;
    let mut attributes = Vec::new();
    let cgroup = u64::from_ne_bytes(body[ANSWER - 8..].try_into().expect("8 bytes"));
    for (kind, value) in
        [(OTHER, content), (CGROUP_ID, &cgroup.to_ne_bytes()[..]), (SKV6ONLY, &[only])]
    {
        attributes.extend(u16::try_from(4 + value.len()).expect("a short value").to_ne_bytes());
        attributes.extend(kind.to_ne_bytes());
        attributes.extend(value);
        attributes.resize(attributes.len().next_multiple_of(4), 0);
    }
    let decoded: Vec<Message> = messages(&socket(body, &attributes), Protocol::Udp).collect();
    let [Message::Socket(entry)] = &decoded[..] else { panic!("{decoded:?}") };
    assert_eq!(entry.only_v6, Some(entry.local.is_ipv6() && only == 1));
    assert_eq!(entry.cgroup, Some(cgroup));
}

/// Every byte belongs to a message, and every message is what its bytes say.
fn datagram(bytes: &[u8]) {
    let mut rest = bytes;
    // Counted, for a decoder that never ends would fill the memory first.
    let decoded: Vec<Message> =
        messages(bytes, Protocol::Tcp).take(bytes.len() / HEADER + 2).collect();
    for (index, message) in decoded.iter().enumerate() {
        let length = rest.first_chunk().map_or(0, |word| u32::from_ne_bytes(*word) as usize);
        if length < HEADER || length > rest.len() {
            assert_eq!(*message, Message::Broken);
            assert_eq!(index + 1, decoded.len(), "read on behind a broken message");
            return;
        }
        check(message, u16::from_ne_bytes([rest[4], rest[5]]), &rest[HEADER..length]);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    assert!(rest.is_empty(), "{} bytes were not looked at", rest.len());
}

fn check(message: &Message, kind: u16, body: &[u8]) {
    match message {
        Message::Socket(entry) => {
            assert_eq!(kind, SOCKET);
            check_entry(entry, body);
        }
        Message::Done(errno) => {
            let said = body.first_chunk().map(|word| i32::from_ne_bytes(*word));
            let silent = (kind == DONE).then_some(0);
            assert!(kind == DONE || kind == ERROR);
            assert_eq!(said.or(silent).map(i32::wrapping_neg), Some(*errno));
        }
        Message::Skipped if kind == SOCKET => assert!(!(1..=13).contains(&body[1])),
        Message::Skipped => assert!(kind != DONE && kind != ERROR),
        Message::Broken if kind == SOCKET => assert!(body.len() < ANSWER),
        Message::Broken => assert!(kind == ERROR && body.len() < 4),
    }
}

fn check_entry(entry: &Entry, body: &[u8]) {
    let number =
        |at: usize| u32::from_ne_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
    let check_end = |end: SocketAddr, port: usize, address: usize| {
        assert_eq!(end.port().to_be_bytes(), body[port..port + 2]);
        match end.ip() {
            IpAddr::V4(ip) => assert_eq!(ip.octets(), body[address..address + 4]),
            IpAddr::V6(ip) => assert_eq!(ip.octets(), body[address..address + 16]),
        }
    };
    assert_eq!(entry.local.is_ipv4(), u16::from(body[0]) == Family::V4 as u16);
    check_end(entry.local, 4, 8);
    assert_eq!(entry.peer.is_none(), entry.state.is_bound());
    if let Some(peer) = entry.peer {
        check_end(peer, 6, 24);
    }
    assert_eq!(entry.key, u64::from(number(68)));
    assert_eq!(entry.uid, Some(number(64)));
    assert_eq!(entry.interface, number(40));
    match entry.only_v6 {
        Some(_) if entry.local.is_ipv6() => {
            assert!(holds(&body[ANSWER..], &SKV6ONLY.to_ne_bytes()));
        }
        other => assert_eq!(other, entry.local.is_ipv4().then_some(false)),
    }
}

/// A filter fits its message, the kernel takes it, and it accepts its ports only.
fn filter(mut bytes: &[u8]) {
    let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
    // To check them takes time that grows with the square of their number.
    while !bytes.is_empty() && ranges.len() < 40 {
        let [first, second, third, fourth] = take(&mut bytes);
        let ports = [u16::from_ne_bytes([first, second]), u16::from_ne_bytes([third, fourth])];
        ranges.push(ports[0].min(ports[1])..=ports[0].max(ports[1]));
    }
    if ranges.is_empty() {
        return;
    }
    let message = request(Family::V6, Protocol::Tcp, 1 << 10, Some(&ranges));
    let (length, attribute) = (&message[..4], &message[HEADER + 56..]);
    assert_eq!(length, u32::try_from(message.len()).expect("a short request").to_ne_bytes());
    assert_eq!(
        attribute[..2],
        u16::try_from(attribute.len()).expect("a short filter").to_ne_bytes()
    );
    let program = &attribute[4..];
    assert!(kernel_takes(program), "{ranges:?}: {program:?}");
    for range in &ranges {
        let (start, end) = (*range.start(), *range.end());
        for port in [start.saturating_sub(1), start, end, end.saturating_add(1)] {
            let wanted = ranges.iter().any(|range| range.contains(&port));
            assert_eq!(accepts(program, port), wanted, "{ranges:?} {port}");
        }
    }
}

/// The kernel's rules for a filter (`inet_diag_bc_audit`): going by `yes` from
/// operation to operation ends exactly at the end, and `no` leads to one of them
/// or at most 4 bytes past the end.
fn kernel_takes(program: &[u8]) -> bool {
    let mut starts = Vec::new();
    let mut jumps = Vec::new();
    let mut at = 0;
    while let Some(&[code, yes, no_low, no_high]) = program.get(at..at + 4) {
        let shortest = if matches!(code, 2 | 3) { 8 } else { 4 };
        let (yes, no) = (usize::from(yes), usize::from(u16::from_ne_bytes([no_low, no_high])));
        let valid = |jump: usize| jump >= shortest && jump.is_multiple_of(4);
        if !(1..=3).contains(&code) || !valid(yes) || !valid(no) {
            return false;
        }
        starts.push(at);
        jumps.push(at + no);
        at += yes;
    }
    let end = program.len();
    at == end && jumps.iter().all(|&to| to == end || to == end + 4 || starts.contains(&to))
}
