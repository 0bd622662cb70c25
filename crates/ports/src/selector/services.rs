//! Names of services, from `/etc/services` (services(5)).
//!
//! The file is read as it is: no name service is asked.

use std::fs;

use crate::Protocol;

/// The port of a service, and its protocol if it has this port in one only.
/// With `wanted`, its port in that protocol.
pub(super) fn find(name: &str, wanted: Option<Protocol>) -> Option<(u16, Option<Protocol>)> {
    let text = fs::read("/etc/services").unwrap_or_default();
    find_in(&String::from_utf8_lossy(&text), name, wanted)
}

fn find_in(text: &str, name: &str, wanted: Option<Protocol>) -> Option<(u16, Option<Protocol>)> {
    let lines = text.lines().filter_map(line);
    let mut found = lines
        .filter(|(names, ..)| names.contains(&name))
        .map(|(_, port, protocol)| (port, protocol))
        .filter(|(_, protocol)| wanted.is_none_or(|wanted| wanted == *protocol));
    let (port, protocol) = found.next()?;
    let also = found.any(|(other_port, other)| other_port == port && other != protocol);
    Some((port, (!also).then_some(protocol)))
}

/// A line: its names, port and protocol. `None` for a comment, and for other protocols.
fn line(text: &str) -> Option<(Vec<&str>, u16, Protocol)> {
    let mut words = text.split('#').next()?.split_whitespace();
    let name = words.next()?;
    let (port, protocol) = words.next()?.split_once('/')?;
    let protocol = Protocol::from_name(protocol)?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    Some((std::iter::once(name).chain(words).collect(), port, protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# a comment\n\
        ssh\t\t22/tcp\n\
        domain 53/tcp\n\
        domain 53/udp # both\n\
        http 80/tcp www   # WorldWideWeb HTTP\n\
        sctp-only 9/sctp\n\
        split 512/tcp\n\
        split 513/udp\n\
        zero 0/tcp\n\
        broken";

    #[test]
    fn names_and_aliases_have_the_port_of_their_line() {
        let tcp = Some(Protocol::Tcp);
        let udp = Some(Protocol::Udp);
        for (name, wanted, found) in [
            ("ssh", None, Some((22, tcp))),
            ("www", None, Some((80, tcp))),
            ("http", udp, None),
            ("domain", None, Some((53, None))),
            ("domain", udp, Some((53, udp))),
            ("split", None, Some((512, tcp))),
            ("split", udp, Some((513, udp))),
            ("sctp-only", None, None),
            ("zero", None, None),
            ("WorldWideWeb", None, None),
            ("broken", None, None),
        ] {
            assert_eq!(find_in(TEXT, name, wanted), found, "{name} {wanted:?}");
        }
    }
}
