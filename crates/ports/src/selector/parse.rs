//! The grammar of selectors.
//!
//! Nothing is resolved over a network. `localhost` and names below `.localhost`
//! are loopback by definition (RFC 6761); names of services are looked up in
//! `/etc/services`. What looks like a number or an address is never taken for
//! the name of a process.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use glob::Pattern;

use super::{Host, Selector, SelectorError, services};
use crate::Protocol;

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        check_characters(text)?;
        if let Some((scheme, rest)) = text.split_once("://") {
            return url(scheme, rest);
        }
        if let Some(pid) = text.strip_prefix("pid:") {
            let number = number(pid).and_then(|pid| u32::try_from(pid).ok());
            return number
                .filter(|pid| *pid > 0)
                .map(Self::Pid)
                .ok_or_else(|| SelectorError::Pid(pid.to_owned()));
        }
        // The title of a process may hold any character beside a blank.
        if text.contains(' ') && !is_like_a_number(text) {
            return process(text);
        }
        if let Some((protocol, rest)) = text.split_once(':')
            && let Some(protocol) = Protocol::from_name(protocol)
        {
            return port(rest, Some(protocol));
        }
        if text.contains([':', '/']) || is_port_range(text) {
            return port(text, None);
        }
        if text.eq_ignore_ascii_case("localhost") || is_address(text) {
            return Err(SelectorError::NoPort);
        }
        if is_like_a_number(text) {
            let list = text.bytes().all(|byte| byte.is_ascii_digit() || b"-,".contains(&byte));
            let number = || SelectorError::Number(text.to_owned());
            return Err(if list { SelectorError::List } else { number() });
        }
        process(text)
    }
}

/// Refuses what no selector holds, and what comes from a file or a pasted line rather than from a person.
fn check_characters(text: &str) -> Result<(), SelectorError> {
    /// The byte order mark is no white space of Unicode.
    const MARK: char = '\u{feff}';

    if text.is_empty() {
        return Err(SelectorError::Empty);
    }
    // A line break at the end reads better as itself than as a blank.
    if let Some(control) = text.chars().find(|char| char.is_control()) {
        return Err(SelectorError::Control(control.escape_default().to_string()));
    }
    let outer = [text.chars().next(), text.chars().next_back()];
    if outer.into_iter().flatten().any(|char| char.is_whitespace() || char == MARK) {
        return Err(SelectorError::Blank);
    }
    Ok(())
}

fn is_port_range(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// Whether a text is a number as other programs write it, such as `0x1F90`,
/// `8_080`, `+80` or digits of another script. Names such as `7z` are not.
fn is_like_a_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let with_base = ["0x", "0X", "0o", "0b"].iter().any(|base| {
        let digits = unsigned.strip_prefix(base).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'_')
    });
    let is_digit = |char: char| char.is_numeric();
    let is_part = |char: char| is_digit(char) || "_,.'- ".contains(char);
    with_base || (unsigned.starts_with(is_digit) && unsigned.chars().all(is_part))
}

fn is_address(text: &str) -> bool {
    let without_zone = text.split_once('%').map_or(text, |(address, _)| address);
    without_zone.parse::<std::net::Ipv4Addr>().is_ok()
}

fn process(text: &str) -> Result<Selector, SelectorError> {
    let pattern = Pattern::new(text).map_err(|e| SelectorError::Pattern(e.msg.to_owned()))?;
    Ok(Selector::Process(pattern))
}

/// Ports with or without an address before and a protocol after them.
fn port(text: &str, first: Option<Protocol>) -> Result<Selector, SelectorError> {
    let (place, last) = match text.rsplit_once('/') {
        None => (text, None),
        Some((place, name)) => {
            let last = Protocol::from_name(name).ok_or_else(|| no_protocol(place, name))?;
            (place, Some(last))
        }
    };
    if first.zip(last).is_some_and(|(first, last)| first != last) {
        return Err(SelectorError::Protocols);
    }
    let protocol = first.or(last);
    let (host, ports) = if place.contains([':', '[']) {
        authority(place)?
    } else if is_address(place) {
        return Err(SelectorError::NoPort);
    } else {
        (Host::Any, Some(place))
    };
    let (ports, of_service) = ports_or_service(ports.ok_or(SelectorError::NoPort)?, protocol)?;
    Ok(Selector::Port { ports, host, protocol: protocol.or(of_service) })
}

/// What is wrong with the name after a slash.
fn no_protocol(place: &str, name: &str) -> SelectorError {
    let is_port = place.contains(':') || is_port_range(place);
    if is_port && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        SelectorError::Protocol(name.to_owned())
    } else {
        SelectorError::Slash
    }
}

/// `http://user@localhost:3000/x`, or without a port where the scheme has a default.
fn url(scheme: &str, rest: &str) -> Result<Selector, SelectorError> {
    let authority_text = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let without_user = authority_text.rsplit_once('@').map_or(authority_text, |(_, host)| host);
    // In a URL the % before a zone is written %25 (RFC 6874).
    let (host, port) = authority(&without_user.replacen("%25", "%", 1))
        .map(|(host, port)| (host, port.map(str::to_owned)))?;
    let protocol = scheme_protocol(scheme);
    let port = match port.filter(|port| !port.is_empty()) {
        Some(port) => port_number(&port)?,
        None => default_port(scheme).ok_or(SelectorError::NoPort)?,
    };
    Ok(Selector::Port { ports: port..=port, host, protocol })
}

/// What a client of a scheme speaks: nearly always TCP. `None` for schemes of both.
fn scheme_protocol(scheme: &str) -> Option<Protocol> {
    match scheme.to_ascii_lowercase().as_str() {
        "udp" | "udp4" | "udp6" | "quic" | "coap" | "tftp" | "ntp" | "snmp" => Some(Protocol::Udp),
        "dns" | "sip" | "stun" | "turn" | "syslog" => None,
        _ => Some(Protocol::Tcp),
    }
}

/// The default port of the schemes that a browser opens (WHATWG URL, "special schemes").
fn default_port(scheme: &str) -> Option<u16> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}

/// Splits `host:port`, `[v6]:port` and `host`.
fn authority(text: &str) -> Result<(Host, Option<&str>), SelectorError> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let unclosed = || SelectorError::Host(text.to_owned());
        let (inside, rest) = bracketed.split_once(']').ok_or_else(unclosed)?;
        let (address, zone) = with_zone(inside)?;
        let address = address.parse::<Ipv6Addr>().map_err(|_| unclosed())?;
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            None => return Err(unclosed()),
            port => port,
        };
        return Ok((address_host(address.to_canonical(), zone)?, port));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    if text.parse::<Ipv6Addr>().is_ok() || name.parse::<Ipv6Addr>().is_ok() {
        return Err(SelectorError::Brackets);
    }
    Ok((host(name)?, port))
}

fn host(text: &str) -> Result<Host, SelectorError> {
    let (name, zone) = with_zone(text)?;
    let lower = name.to_ascii_lowercase();
    let is_local = lower == "localhost" || lower.ends_with(".localhost");
    match zone {
        None if name.is_empty() || name == "*" => Ok(Host::Any),
        Some(zone) if name.is_empty() || name == "*" => Ok(Host::Interface(zone)),
        None if is_local => Ok(Host::Loopback),
        zone => match name.parse().map_err(|_| SelectorError::Host(text.to_owned()))? {
            IpAddr::V6(_) => Err(SelectorError::Brackets),
            ip @ IpAddr::V4(_) => address_host(ip, zone),
        },
    }
}

fn address_host(ip: IpAddr, zone: Option<String>) -> Result<Host, SelectorError> {
    if zone.is_none() && matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
        return Err(SelectorError::NoZone);
    }
    Ok(Host::Address { ip, zone })
}

/// Splits an address and its interface, as in `fe80::1%eth0`.
fn with_zone(text: &str) -> Result<(&str, Option<String>), SelectorError> {
    let Some((address, zone)) = text.split_once('%') else { return Ok((text, None)) };
    // What the kernel takes for a name (dev_valid_name in net/core/dev.c), less what ends it here.
    let is_valid = !zone.is_empty()
        && zone.chars().all(|char| !(char.is_whitespace() || "/%[]:".contains(char)));
    if !is_valid {
        return Err(SelectorError::Zone(zone.to_owned()));
    }
    Ok((address, Some(zone.to_owned())))
}

/// A port, a range, or the name of a service with the protocol that it has.
fn ports_or_service(
    text: &str,
    protocol: Option<Protocol>,
) -> Result<(RangeInclusive<u16>, Option<Protocol>), SelectorError> {
    let is_name = text.contains(|char: char| char.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+._".contains(&byte));
    if !is_name || is_like_a_number(text) {
        return Ok((range(text)?, None));
    }
    let known = services::find(text, protocol);
    // A system without the file, as many containers are, still knows the web.
    let known = known.or_else(|| {
        let tcp = protocol.is_none_or(|protocol| protocol == Protocol::Tcp);
        default_port(text).filter(|_| tcp).map(|port| (port, Some(Protocol::Tcp)))
    });
    let (port, protocol) = known.ok_or_else(|| SelectorError::Service(text.to_owned()))?;
    Ok((port..=port, protocol))
}

fn range(text: &str) -> Result<RangeInclusive<u16>, SelectorError> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port_number(first)?, port_number(last)?),
        None => (port_number(text)?, port_number(text)?),
    };
    if first > last {
        return Err(SelectorError::Backwards);
    }
    Ok(first..=last)
}

fn port_number(text: &str) -> Result<u16, SelectorError> {
    let port = number(text).and_then(|number| u16::try_from(number).ok());
    port.filter(|port| *port > 0).ok_or_else(|| SelectorError::Port(text.to_owned()))
}

/// A number in decimal digits; `u64::from_str` also takes a sign.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(ip: &str, zone: Option<&str>) -> Host {
        Host::Address { ip: ip.parse().expect("an address"), zone: zone.map(str::to_owned) }
    }

    #[test]
    fn every_form_of_a_port() {
        let v4 = || address("127.0.0.1", None);
        let v6 = || address("::1", None);
        let interface = |name: &str| Host::Interface(name.to_owned());
        let (both, tcp, udp) = (None, Some(Protocol::Tcp), Some(Protocol::Udp));
        for (text, ports, host, protocol) in [
            ("8080", 8080..=8080, Host::Any, both),
            (":8080", 8080..=8080, Host::Any, both),
            ("*:8080", 8080..=8080, Host::Any, both),
            ("3000-3010", 3000..=3010, Host::Any, both),
            (":3000-3010", 3000..=3010, Host::Any, both),
            ("1-65535", 1..=65535, Host::Any, both),
            ("8080/tcp", 8080..=8080, Host::Any, tcp),
            ("8080/UDP", 8080..=8080, Host::Any, udp),
            ("tcp:8080", 8080..=8080, Host::Any, tcp),
            ("udp:53", 53..=53, Host::Any, udp),
            ("UDP:3000-3010", 3000..=3010, Host::Any, udp),
            ("tcp:localhost:8080", 8080..=8080, Host::Loopback, tcp),
            ("tcp:8080/tcp", 8080..=8080, Host::Any, tcp),
            ("3000-3010/udp", 3000..=3010, Host::Any, udp),
            ("[::1]:53/udp", 53..=53, v6(), udp),
            ("tcp:http", 80..=80, Host::Any, tcp),
            ("[::1]:http/tcp", 80..=80, v6(), tcp),
            ("localhost:8080", 8080..=8080, Host::Loopback, both),
            ("LOCALHOST:8080", 8080..=8080, Host::Loopback, both),
            ("app.localhost:80", 80..=80, Host::Loopback, both),
            ("127.0.0.1:8080", 8080..=8080, v4(), both),
            ("[::1]:8080", 8080..=8080, v6(), both),
            ("[::ffff:127.0.0.1]:8080", 8080..=8080, v4(), both),
            ("[::1%lo]:8080", 8080..=8080, address("::1", Some("lo")), both),
            ("[fe80::1%d0]:8080", 8080..=8080, address("fe80::1", Some("d0")), both),
            ("0.0.0.0%d0:8080", 8080..=8080, address("0.0.0.0", Some("d0")), both),
            ("*%d0:8080", 8080..=8080, interface("d0"), both),
            ("%en0:8080/tcp", 8080..=8080, interface("en0"), tcp),
            ("http://localhost:3000/x", 3000..=3000, Host::Loopback, tcp),
            ("http://localhost", 80..=80, Host::Loopback, tcp),
            ("HTTPS://127.0.0.1/", 443..=443, v4(), tcp),
            ("udp://127.0.0.1:53", 53..=53, v4(), udp),
            ("dns://127.0.0.1:53", 53..=53, v4(), both),
            ("postgres://me:secret@localhost:5432/db?x=1:2", 5432..=5432, Host::Loopback, tcp),
            ("http://[::1]:3000", 3000..=3000, v6(), tcp),
            ("http://[fe80::1%25d0]:80/", 80..=80, address("fe80::1", Some("d0")), tcp),
            ("http://localhost:/", 80..=80, Host::Loopback, tcp),
        ] {
            let selector = Selector::Port { ports, host, protocol };
            assert_eq!(text.parse(), Ok(selector.clone()), "{text}");
            let shown = selector.to_string();
            assert_eq!(shown.parse(), Ok(selector), "{text} is shown as {shown}");
        }
        assert_eq!("pid:123".parse(), Ok(Selector::Pid(123)));
        assert_eq!(Selector::Pid(123).to_string(), "pid:123");
    }

    #[test]
    fn a_service_has_its_port() {
        // Which protocols it has is for /etc/services to say.
        for (text, number, wanted) in [
            (":http", 80, Host::Any),
            ("localhost:https", 443, Host::Loopback),
            ("*:ftp", 21, Host::Any),
        ] {
            let parsed = text.parse();
            let Ok(Selector::Port { ports, host, .. }) = parsed else {
                panic!("{text}: {parsed:?}")
            };
            assert_eq!((ports, host), (number..=number, wanted), "{text}");
        }
    }

    #[test]
    fn names_of_processes_that_look_like_something_else() {
        for name in
            ["node", "7z", "2to3", "0ad", "0xdeadbeef-worker", "gunicorn: master [app]", "x*"]
        {
            assert!(matches!(name.parse(), Ok(Selector::Process(_))), "{name}");
        }
    }

    #[test]
    fn every_bad_form_has_its_own_reason() {
        use SelectorError as E;
        let own = str::to_owned;
        for (text, reason) in [
            ("", E::Empty),
            ("0", E::Port(own("0"))),
            ("65536", E::Port(own("65536"))),
            ("99999999999999999999", E::Port(own("99999999999999999999"))),
            ("80-20", E::Backwards),
            ("80-", E::Port(String::new())),
            ("-", E::Port(String::new())),
            ("1-2-3", E::Port(own("2-3"))),
            (":", E::Port(String::new())),
            (":+80", E::Port(own("+80"))),
            ("foo:bar:1", E::Host(own("foo:bar"))),
            ("example.com:80", E::Host(own("example.com"))),
            ("http://example.com:80/", E::Host(own("example.com"))),
            ("postgres://localhost/db", E::NoPort),
            ("localhost", E::NoPort),
            ("127.0.0.1", E::NoPort),
            ("127.0.0.1/tcp", E::NoPort),
            ("[::1]", E::NoPort),
            ("::1", E::Brackets),
            ("fe80::1:8080", E::Brackets),
            ("fe80::1%lo:8080", E::Brackets),
            ("[::1", E::Host(own("[::1"))),
            ("[::1]8080", E::Host(own("[::1]8080"))),
            ("[fe80::1]:8080", E::NoZone),
            ("[fe80::1%]:8080", E::Zone(String::new())),
            ("0.0.0.0%a%b:80", E::Zone(own("a%b"))),
            ("localhost%lo:80", E::Host(own("localhost%lo"))),
            ("usr/bin", E::Slash),
            ("8080/", E::Slash),
            ("8080/sctp", E::Protocol(own("sctp"))),
            ("tcp:8080/udp", E::Protocols),
            ("tcp:", E::Port(String::new())),
            ("8080,8081", E::List),
            (" 3004", E::Blank),
            ("3004 ", E::Blank),
            ("\u{a0}3004", E::Blank),
            ("\u{feff}3004", E::Blank),
            ("3004\r", E::Control(own("\\r"))),
            ("3004\n", E::Control(own("\\n"))),
            ("node\u{1b}[31m", E::Control(own("\\u{1b}"))),
            ("0x1F90", E::Number(own("0x1F90"))),
            (":0x1F90", E::Port(own("0x1F90"))),
            ("8_080", E::Number(own("8_080"))),
            ("8.080", E::Number(own("8.080"))),
            ("80 80", E::Number(own("80 80"))),
            ("+8080", E::Number(own("+8080"))),
            ("８０８０", E::Number(own("８０８０"))),
            (":no-such-service", E::Service(own("no-such-service"))),
            ("pid:", E::Pid(String::new())),
            ("pid:0", E::Pid(own("0"))),
            ("pid:x", E::Pid(own("x"))),
            ("pid:99999999999", E::Pid(own("99999999999"))),
        ] {
            assert_eq!(text.parse::<Selector>(), Err(reason), "{text}");
        }
        assert!(matches!("[a".parse::<Selector>(), Err(E::Pattern(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<Selector>();
        }

        #[test]
        fn what_is_shown_is_what_was_meant(text in "[a-z0-9:/%.*\\[\\]-]{1,24}") {
            if let Ok(selector) = text.parse::<Selector>() {
                proptest::prop_assert_eq!(selector.to_string().parse(), Ok(selector));
            }
        }
    }
}
