//! The messages of `NETLINK_SOCK_DIAG` (`sock_diag(7)`, `linux/inet_diag.h`), as bytes.
//!
//! Builds dump requests with a state mask and a port filter that the kernel
//! runs, and decodes the answers. No socket is opened here. Integers are in
//! this machine's byte order, ports and addresses in network order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use crate::snapshot::Entry;
use crate::{Protocol, State};

/// Address family of a request: `AF_UNSPEC`, `AF_INET` and `AF_INET6` of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Of TCP only: the kernel goes through its large tables once instead of twice.
    Both = 0,
    V4 = 2,
    V6 = 10,
}

/// One message of a dump.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    Socket(Entry),
    /// The dump is over; an errno if it was cut short.
    Done(i32),
    /// A socket in a state, or a message of a kind, that means nothing here.
    Skipped,
    /// The bytes contradict the format.
    Broken,
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The first request of its kind, for TCP: it alone takes `AF_UNSPEC`.
const TCPDIAG_GETSOCK: u16 = 18;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_DUMP: u16 = 0x1 | 0x300;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_SKV6ONLY: u16 = 11;
const INET_DIAG_CGROUP_ID: u16 = 21;
/// Sizes of `nlmsghdr`, `inet_diag_sockid` and `inet_diag_msg`.
const HEADER: usize = 16;
const ANY_SOCKET: [u8; 48] = [0; 48];
const ANSWER: usize = 72;
/// Ranges that one filter may hold; its jumps are 16-bit byte counts.
const MOST_RANGES: usize = 1000;

/// A dump request for the sockets of a family and protocol, in the states of a bit mask.
pub(crate) fn request(
    family: Family,
    protocol: Protocol,
    states: u32,
    ports: Option<&[RangeInclusive<u16>]>,
) -> Vec<u8> {
    let number = match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    };
    let states = states.to_ne_bytes();
    let (kind, request) = match family {
        // inet_diag_req: the states come behind the socket, then those of a database.
        Family::Both => (TCPDIAG_GETSOCK, [&[0; 4], &ANY_SOCKET[..], &states, &[0; 4]].concat()),
        // inet_diag_req_v2
        Family::V4 | Family::V6 => (
            SOCK_DIAG_BY_FAMILY,
            [&[family as u8, number, 0, 0], &states[..], &ANY_SOCKET].concat(),
        ),
    };
    let filter = ports.filter(|ports| ports.len() <= MOST_RANGES).map(bytecode);
    let attribute = filter.as_ref().map_or(0, |filter| 4 + filter.len());

    let length = HEADER + request.len() + attribute;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 8]); // sequence, port id
    bytes.extend(request);
    if let Some(filter) = filter {
        bytes.extend(u16::try_from(attribute).unwrap_or(u16::MAX).to_ne_bytes());
        bytes.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
        bytes.extend(filter);
    }
    bytes
}

/// A filter program: accept a socket whose source port lies in one of `ranges`.
///
/// For each range: "port ≥ first, else next range; port ≤ last, else next
/// range; accept". An operation is `{code: u8, yes: u8, no: u16}`, the jumps
/// being byte counts from it; a comparison keeps its port in the `no` of a
/// second operation. Ending exactly behind the program accepts, 4 bytes
/// further rejects.
fn bytecode(ranges: &[RangeInclusive<u16>]) -> Vec<u8> {
    const JUMP: u8 = 1;
    const SOURCE_AT_LEAST: u8 = 2;
    const SOURCE_AT_MOST: u8 = 3;
    /// Two comparisons of 8 bytes and a jump of 4.
    const BLOCK: usize = 20;

    let mut program = Vec::with_capacity(ranges.len() * BLOCK);
    let mut operation = |code: u8, yes: u8, no: usize| {
        program.extend([code, yes]);
        program.extend(u16::try_from(no).unwrap_or(u16::MAX).to_ne_bytes());
    };
    for (index, range) in ranges.iter().enumerate() {
        let to_end = (ranges.len() - index) * BLOCK;
        // The last block has no jump behind it: its failures leave 4 bytes past the end.
        let next = BLOCK;
        operation(SOURCE_AT_LEAST, 8, next);
        operation(0, 0, usize::from(*range.start()));
        operation(SOURCE_AT_MOST, 8, next - 8);
        operation(0, 0, usize::from(*range.end()));
        if index + 1 < ranges.len() {
            // The program ends 4 bytes before the sum of its blocks.
            operation(JUMP, 4, to_end - 16 - 4);
        }
    }
    program
}

/// Decodes the messages of one datagram.
pub(crate) fn messages(mut bytes: &[u8], protocol: Protocol) -> impl Iterator<Item = Message> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let length = read_u32(bytes, 0).and_then(|length| usize::try_from(length).ok());
        let Some(message) =
            length.filter(|&length| length >= HEADER).and_then(|length| bytes.get(..length))
        else {
            bytes = &[];
            return Some(Message::Broken);
        };
        bytes = bytes.get(message.len().next_multiple_of(4)..).unwrap_or(&[]);
        Some(decode(message, protocol))
    })
}

fn decode(message: &[u8], protocol: Protocol) -> Message {
    let body = &message[HEADER..];
    match read_u16(message, 4) {
        Some(SOCK_DIAG_BY_FAMILY | TCPDIAG_GETSOCK) => socket(body, protocol),
        // Both carry a negative errno; DONE may carry nothing.
        Some(kind @ (NLMSG_DONE | NLMSG_ERROR)) => match read_u32(body, 0).map(u32::cast_signed) {
            Some(errno) => Message::Done(errno.wrapping_neg()),
            None if kind == NLMSG_DONE => Message::Done(0),
            None => Message::Broken,
        },
        _ => Message::Skipped,
    }
}

/// Decodes an `inet_diag_msg` and the attributes that are of use.
fn socket(body: &[u8], protocol: Protocol) -> Message {
    if body.len() < ANSWER {
        return Message::Broken;
    }
    let Some(state) = state(body[1]) else { return Message::Skipped };
    let end = |port: usize, address: usize| {
        let port = u16::from_be_bytes([body[port], body[port + 1]]);
        let mut octets = [0; 16];
        octets.copy_from_slice(&body[address..address + 16]);
        let ip = if u16::from(body[0]) == Family::V4 as u16 {
            IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]))
        } else {
            IpAddr::V6(Ipv6Addr::from(octets))
        };
        SocketAddr::new(ip, port)
    };
    let local = end(4, 8);
    let (v6_only, cgroup) = attributes(&body[ANSWER..]);
    let number = |at| read_u32(body, at).unwrap_or(0);
    Message::Socket(Entry {
        key: u64::from(number(68)),
        protocol,
        state,
        local,
        peer: (!state.is_bound()).then(|| end(6, 24)),
        only_v6: if local.is_ipv4() { Some(false) } else { v6_only },
        interface: number(40),
        uid: Some(number(64)),
        cgroup,
        namespace: None,
    })
}

/// The values of `INET_DIAG_SKV6ONLY` and `INET_DIAG_CGROUP_ID` among the attributes, if they are there.
fn attributes(mut bytes: &[u8]) -> (Option<bool>, Option<u64>) {
    let (mut v6_only, mut cgroup) = (None, None);
    while let (Some(length), Some(kind)) = (read_u16(bytes, 0), read_u16(bytes, 2)) {
        let length = usize::from(length);
        let Some(value) = bytes.get(4..length) else { break };
        match kind {
            INET_DIAG_SKV6ONLY => v6_only = value.first().map(|&only| only != 0),
            INET_DIAG_CGROUP_ID => cgroup = value.try_into().ok().map(u64::from_ne_bytes),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    (v6_only, cgroup)
}

/// The kernel's number for a state (`net/tcp_states.h`); UDP uses 1 and 7.
pub(crate) fn state(number: u8) -> Option<State> {
    Some(match number {
        1 => State::Established,
        2 => State::SynSent,
        3 | 12 => State::SynReceived,
        4 => State::FinWait1,
        5 => State::FinWait2,
        6 => State::TimeWait,
        // UDP without a peer. TCP that is bound without listening is asked for
        // as 13 but answered as 7.
        7 | 13 => State::Bound,
        8 => State::CloseWait,
        9 => State::LastAck,
        10 => State::Listen,
        11 => State::Closing,
        _ => return None,
    })
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// Runs a filter as the kernel's `inet_diag_bc_run` does.
#[cfg(any(test, fuzzing))]
pub(crate) fn accepts(program: &[u8], port: u16) -> bool {
    let (mut at, end) = (0, program.len());
    while at < end {
        let compared = || read_u16(program, at + 6).expect("a port behind a comparison");
        let yes = match program[at] {
            1 => false,
            2 => port >= compared(),
            3 => port <= compared(),
            code => panic!("operation {code}"),
        };
        at += if yes {
            usize::from(program[at + 1])
        } else {
            usize::from(read_u16(program, at + 2).expect("a jump"))
        };
    }
    assert!(at == end || at == end + 4, "left the program at {at} of {end}");
    at == end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_accepts_exactly_its_ranges() {
        for ranges in [
            vec![80..=80],
            vec![80..=80, 443..=443],
            vec![3000..=3010, 1..=1, 65535..=65535, 8080..=8090],
        ] {
            let program = bytecode(&ranges);
            for port in 1..=u16::MAX {
                let wanted = ranges.iter().any(|range| range.contains(&port));
                assert_eq!(accepts(&program, port), wanted, "{ranges:?} {port}");
            }
        }
    }

    #[test]
    fn a_request_states_its_own_length() {
        let bare = request(Family::V4, Protocol::Tcp, 1 << 10, None);
        assert_eq!(bare.len(), 72);
        assert_eq!(read_u32(&bare, 0), Some(72));
        assert_eq!(read_u32(&bare, 20), Some(1 << 10));
        let port = 8080..=8080;
        let filtered =
            request(Family::V6, Protocol::Udp, 1 << 7, Some(std::slice::from_ref(&port)));
        assert_eq!(read_u32(&filtered, 0), u32::try_from(filtered.len()).ok());
        assert_eq!((filtered[16], filtered[17]), (10, 17));
        let both = request(Family::Both, Protocol::Tcp, 1 << 10, None);
        assert_eq!((both.len(), both[16]), (76, 0));
        assert_eq!((read_u32(&both, 0), read_u32(&both, 68)), (Some(76), Some(1 << 10)));
        let many = vec![1..=1; MOST_RANGES + 1];
        assert_eq!(request(Family::V4, Protocol::Tcp, 1 << 10, Some(&many)).len(), 72);
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).expect("a short message");
        let mut bytes = Vec::new();
        bytes.extend(length.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    fn listening_v6(attributes: &[u8]) -> Vec<u8> {
        let mut body = vec![0; ANSWER];
        body[0] = 10;
        body[1] = 10;
        body[4..6].copy_from_slice(&8080u16.to_be_bytes());
        body[23] = 1; // ::1
        body[40..44].copy_from_slice(&3u32.to_ne_bytes());
        body[64..68].copy_from_slice(&1000u32.to_ne_bytes());
        body[68..72].copy_from_slice(&4711u32.to_ne_bytes());
        body.extend(attributes);
        message(SOCK_DIAG_BY_FAMILY, &body)
    }

    #[test]
    fn a_datagram_of_two_sockets_and_the_end() {
        let mut bytes = listening_v6(&[5, 0, 11, 0, 1, 0, 0, 0]);
        let cgroup = [&[12, 0, 21, 0][..], &0x1234u64.to_ne_bytes()].concat();
        let second = [&[5, 0, 8, 0, 9, 0, 0, 0, 5, 0, 11, 0, 0, 0, 0, 0], &cgroup[..]].concat();
        bytes.extend(listening_v6(&second));
        bytes.extend(message(NLMSG_DONE, &0u32.to_ne_bytes()));
        let decoded: Vec<Message> = messages(&bytes, Protocol::Tcp).collect();
        let entry = |only_v6, cgroup| {
            Message::Socket(Entry {
                key: 4711,
                protocol: Protocol::Tcp,
                state: State::Listen,
                local: "[::1]:8080".parse().expect("an address"),
                peer: None,
                only_v6: Some(only_v6),
                interface: 3,
                uid: Some(1000),
                cgroup,
                namespace: None,
            })
        };
        assert_eq!(decoded, [entry(true, None), entry(false, Some(0x1234)), Message::Done(0)]);
    }

    #[test]
    fn errors_and_broken_bytes_are_told_apart() {
        let refused = message(NLMSG_ERROR, &(-13i32).to_ne_bytes());
        assert_eq!(messages(&refused, Protocol::Tcp).next(), Some(Message::Done(13)));
        let unsaid = message(NLMSG_ERROR, &[]);
        assert_eq!(messages(&unsaid, Protocol::Tcp).next(), Some(Message::Broken));
        assert_eq!(
            messages(&message(NLMSG_DONE, &[]), Protocol::Tcp).next(),
            Some(Message::Done(0))
        );
        let short = message(SOCK_DIAG_BY_FAMILY, &[0; 20]);
        assert_eq!(messages(&short, Protocol::Tcp).next(), Some(Message::Broken));
        assert_eq!(messages(&[1, 2, 3], Protocol::Tcp).next(), Some(Message::Broken));
        let unknown = message(99, &[]);
        assert_eq!(messages(&unknown, Protocol::Tcp).next(), Some(Message::Skipped));
        let truncated = &listening_v6(&[])[..60];
        let decoded: Vec<Message> = messages(truncated, Protocol::Tcp).collect();
        assert_eq!(decoded, [Message::Broken]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, attributes: Vec<u8>) {
            let _ = messages(&bytes, Protocol::Tcp).count();
            let _ = messages(&listening_v6(&attributes), Protocol::Udp).count();
        }
    }
}
