//! Selectors of sockets, which people and scripts write.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::take;
use crate::{Host, Owner, Protocol, Selector};

/// Pieces of selectors, so that few bytes make a meaningful text.
const PIECES: [&str; 28] = [
    "localhost",
    ".localhost",
    "http",
    "postgres",
    "://",
    "user",
    "@",
    "127.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "[",
    "]",
    "%lo",
    ":",
    "-",
    "/",
    "8080",
    "65535",
    "0",
    "*",
    "?",
    "!",
    " ",
    ",",
    "tcp",
    "udp",
    "pid:",
    "0x",
];

/// Any text, any sequence of such pieces, and any ports at any host.
pub fn selector(bytes: &[u8]) {
    text(&String::from_utf8_lossy(bytes));
    let pieces = bytes.iter().take(32).map(|&byte| PIECES[usize::from(byte) % PIECES.len()]);
    text(&pieces.collect::<String>());
    ports(bytes);
}

/// What is shown of a selector is the selector.
fn ports(mut bytes: &[u8]) {
    let [kind] = take(&mut bytes);
    let mut port = || u16::from_ne_bytes(take(&mut bytes)).max(1);
    let (one, other) = (port(), port());
    let host = match kind % 4 {
        0 => Host::Any,
        1 => Host::Loopback,
        2 => address(Ipv4Addr::from(take::<4>(&mut bytes)).into()),
        _ => address(IpAddr::from(Ipv6Addr::from(take::<16>(&mut bytes))).to_canonical()),
    };
    let protocol = [None, Some(Protocol::Tcp), Some(Protocol::Udp)][usize::from(kind) % 3];
    let selector = Selector::Port { ports: one.min(other)..=one.max(other), host, protocol };
    assert_eq!(selector.to_string().parse(), Ok(selector));
}

/// An address as a selector may hold it: one that is link-local has its interface.
fn address(ip: IpAddr) -> Host {
    let needs_zone = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    Host::Address { ip, zone: needs_zone.then(|| "lo".to_owned()) }
}

fn text(text: &str) {
    let owner = |name: &str| Owner { name: name.to_owned(), ..Owner::default() };
    let (written, name) = text.split_once('\n').unwrap_or((text, "node"));
    match written.parse::<Selector>() {
        Ok(selector) => {
            let shown = selector.to_string();
            assert_eq!(shown.parse().as_ref(), Ok(&selector), "{written:?} is shown as {shown:?}");
            let matched = selector.matches_owner(&owner(name));
            match selector {
                Selector::Port { ports, .. } => {
                    assert!(!matched && *ports.start() > 0 && !ports.is_empty(), "{written:?}");
                }
                Selector::Process(_) if !written.contains(['*', '?', '[', ']']) => {
                    assert_eq!(matched, written.eq_ignore_ascii_case(name), "{written:?} {name:?}");
                }
                Selector::Pid(_) => assert!(!matched, "{written:?}"),
                Selector::Process(_) => {}
            }
        }
        Err(error) => assert!(!error.to_string().is_empty(), "{written:?}"),
    }
    if let Some(words) = Selector::for_process(text) {
        let chosen = words.parse::<Selector>().map(|selector| selector.matches_owner(&owner(text)));
        assert_eq!(chosen, Ok(true), "{text:?} is offered as {words:?}");
    }
}
