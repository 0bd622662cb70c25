//! What a user writes to choose sockets: a port, a range, an address, a URL, a process name.
//!
//! Nothing is resolved: no name service, no network. `localhost` and names
//! below `.localhost` are loopback by definition (RFC 6761).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use glob::{MatchOptions, Pattern};

use crate::{Owner, Socket};

/// One way to choose sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Sockets bound to one of these ports, at this host.
    Port {
        /// The ports, 1 to 65535.
        ports: RangeInclusive<u16>,
        /// The address a client would connect to.
        host: Host,
    },
    /// Sockets held by a process of this name, a glob that ignores case.
    Process(Pattern),
}

/// The address in a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// No address was given.
    Any,
    /// `localhost`: the loopback address of either family.
    Loopback,
    /// An IP address.
    Address(IpAddr),
}

/// Why a text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The text is empty.
    #[error("it is empty")]
    Empty,
    /// Not a number from 1 to 65535.
    #[error("'{0}' is not a port from 1 to 65535")]
    Port(String),
    /// The first port of a range is above the last.
    #[error("the range runs backwards")]
    Backwards,
    /// Neither `localhost` nor an IP address.
    #[error("'{0}' is not localhost or an IP address")]
    Host(String),
    /// An address or a URL without a port.
    #[error("it names no port")]
    NoPort,
    /// An IPv6 address with a port, without brackets.
    #[error("an IPv6 address stands in brackets, as in [::1]:8080")]
    Brackets,
    /// A slash outside a URL.
    #[error("a '/' belongs to a URL, as in http://localhost:3000/x")]
    Slash,
    /// Ports with commas between them.
    #[error("several ports are several words, as in 8080 8081")]
    List,
    /// A glob that does not parse.
    #[error("as a pattern for process names: {0}")]
    Pattern(String),
}

impl Selector {
    /// The accepted forms, for an error message.
    pub const FORMS: &str = "8080, :8080, 3000-3010, localhost:8080, 127.0.0.1:8080, [::1]:8080, \
                             http://localhost:3000/x or a process name";

    /// What a user writes to choose the processes of exactly this name; `None`
    /// if it would be taken for something else.
    pub fn for_process(name: &str) -> Option<String> {
        let text = Pattern::escape(name);
        let chosen = matches!(text.parse(), Ok(Self::Process(pattern)) if pattern.matches(name));
        (chosen && !text.starts_with('-')).then_some(text)
    }

    /// Whether the address and port of `socket` are chosen; `None` for a process name.
    pub fn matches_socket(&self, socket: &Socket) -> Option<bool> {
        match self {
            Self::Port { ports, host } => {
                Some(ports.contains(&socket.port) && host.reaches(socket))
            }
            Self::Process(_) => None,
        }
    }

    /// Whether `owner` has the chosen name: its process name, or the file name
    /// of its executable or of its first argument. False for a port.
    pub fn matches_owner(&self, owner: &Owner) -> bool {
        const IGNORE_CASE: MatchOptions = MatchOptions {
            case_sensitive: false,
            require_literal_separator: false,
            require_literal_leading_dot: false,
        };
        let Self::Process(pattern) = self else { return false };
        let paths = [owner.exe.as_ref(), owner.command.first()];
        let names = paths.into_iter().flatten().map(|path| file_name(path));
        std::iter::once(owner.name.as_str())
            .chain(names)
            .any(|name| pattern.matches_with(name, IGNORE_CASE))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ports, host) = match self {
            Self::Process(pattern) => return f.write_str(pattern.as_str()),
            Self::Port { ports, host } => (ports, host),
        };
        match host {
            Host::Any => {}
            Host::Loopback => f.write_str("localhost:")?,
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}:")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
        }
        if ports.start() == ports.end() {
            write!(f, "{}", ports.start())
        } else {
            write!(f, "{}-{}", ports.start(), ports.end())
        }
    }
}

impl Host {
    /// Whether a client that connects to this host can reach `socket`.
    fn reaches(self, socket: &Socket) -> bool {
        let bound = socket.address;
        match self {
            Self::Any => true,
            Self::Loopback => {
                let own: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
                own.contains(&bound) || bound.is_unspecified()
            }
            // To connect to 0.0.0.0 or [::] is to connect to this machine's loopback.
            Self::Address(wanted) if wanted.is_unspecified() => {
                let same_family = bound.is_ipv4() == wanted.is_ipv4();
                let dual = wanted.is_ipv4() && socket.dual_stack == Some(true);
                (same_family || dual) && Self::Loopback.reaches(socket)
            }
            Self::Address(wanted) => {
                let same_family = bound.is_ipv4() == wanted.is_ipv4();
                let dual = wanted.is_ipv4() && socket.dual_stack != Some(false);
                bound == wanted || (bound.is_unspecified() && (same_family || dual))
            }
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        if text.is_empty() {
            return Err(SelectorError::Empty);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return url(scheme, rest);
        }
        // The title of a process may hold any character beside it.
        if text.contains(' ') {
            return process(text);
        }
        if text.contains(':') {
            let (host, ports) = authority(text)?;
            return Ok(Self::Port { ports: range(ports.ok_or(SelectorError::NoPort)?)?, host });
        }
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            return Ok(Self::Port { ports: range(text)?, host: Host::Any });
        }
        if text.bytes().all(|byte| byte.is_ascii_digit() || b"-,".contains(&byte)) {
            return Err(SelectorError::List);
        }
        if text.eq_ignore_ascii_case("localhost") || text.parse::<IpAddr>().is_ok() {
            return Err(SelectorError::NoPort);
        }
        if text.contains('/') {
            return Err(SelectorError::Slash);
        }
        process(text)
    }
}

fn process(text: &str) -> Result<Selector, SelectorError> {
    let pattern = Pattern::new(text).map_err(|e| SelectorError::Pattern(e.msg.to_owned()))?;
    Ok(Selector::Process(pattern))
}

/// `http://user@localhost:3000/x`, or without a port where the scheme has a default.
fn url(scheme: &str, rest: &str) -> Result<Selector, SelectorError> {
    let authority_text = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let without_user = authority_text.rsplit_once('@').map_or(authority_text, |(_, host)| host);
    let (host, port) = authority(without_user)?;
    let port = match port.filter(|port| !port.is_empty()) {
        Some(port) => port_number(port)?,
        None => default_port(scheme).ok_or(SelectorError::NoPort)?,
    };
    Ok(Selector::Port { ports: port..=port, host })
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
        // An address with its interface, as the list shows it: the port is what tells sockets apart.
        let (address, _) = inside.split_once('%').unwrap_or((inside, ""));
        let address = address.parse::<Ipv6Addr>().map_err(|_| unclosed())?;
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            None => return Err(unclosed()),
            port => port,
        };
        return Ok((Host::Address(address.to_canonical()), port));
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

fn host(name: &str) -> Result<Host, SelectorError> {
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || name == "*" {
        Ok(Host::Any)
    } else if lower == "localhost" || lower.ends_with(".localhost") {
        Ok(Host::Loopback)
    } else {
        name.parse().map(Host::Address).map_err(|_| SelectorError::Host(name.to_owned()))
    }
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
    // `u16::from_str` also takes a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|&port| digits && port > 0);
    number.ok_or_else(|| SelectorError::Port(text.to_owned()))
}

/// The last part of a path. `/proc/PID/exe` marks a replaced file as ` (deleted)`.
fn file_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(" (deleted)").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Protocol, Scope, State};

    fn port(text: &str) -> (RangeInclusive<u16>, Host) {
        match text.parse() {
            Ok(Selector::Port { ports, host }) => (ports, host),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn socket(address: &str, dual_stack: bool) -> Socket {
        Socket {
            protocol: Protocol::Tcp,
            address: address.parse().expect("a test address"),
            interface: None,
            port: 8080,
            state: State::Listen,
            scope: Scope::All,
            dual_stack: Some(dual_stack),
            peer: None,
            uid: None,
            user: None,
            namespace: None,
            owners: Vec::new(),
            container: None,
            key: 0,
        }
    }

    #[test]
    fn every_form_of_a_port() {
        let v4 = Host::Address("127.0.0.1".parse().expect("an address"));
        let v6 = Host::Address("::1".parse().expect("an address"));
        for (text, ports, host) in [
            ("8080", 8080..=8080, Host::Any),
            (":8080", 8080..=8080, Host::Any),
            ("*:8080", 8080..=8080, Host::Any),
            ("3000-3010", 3000..=3010, Host::Any),
            (":3000-3010", 3000..=3010, Host::Any),
            ("1-65535", 1..=65535, Host::Any),
            ("localhost:8080", 8080..=8080, Host::Loopback),
            ("LOCALHOST:8080", 8080..=8080, Host::Loopback),
            ("app.localhost:80", 80..=80, Host::Loopback),
            ("127.0.0.1:8080", 8080..=8080, v4),
            ("[::1]:8080", 8080..=8080, v6),
            ("[::ffff:127.0.0.1]:8080", 8080..=8080, v4),
            ("http://localhost:3000/x", 3000..=3000, Host::Loopback),
            ("http://localhost", 80..=80, Host::Loopback),
            ("HTTPS://127.0.0.1/", 443..=443, v4),
            ("postgres://me:secret@localhost:5432/db?x=1:2", 5432..=5432, Host::Loopback),
            ("http://[::1]:3000", 3000..=3000, v6),
            ("http://localhost:/", 80..=80, Host::Loopback),
            ("[::1%lo]:8080", 8080..=8080, v6),
        ] {
            assert_eq!(port(text), (ports.clone(), host), "{text}");
            let shown = Selector::Port { ports, host }.to_string();
            assert_eq!(port(&shown), port(text), "{text} is shown as {shown}");
        }
    }

    #[test]
    fn every_bad_form_has_its_own_reason() {
        use SelectorError as E;
        for (text, reason) in [
            ("", E::Empty),
            ("0", E::Port("0".into())),
            ("65536", E::Port("65536".into())),
            ("99999999999999999999", E::Port("99999999999999999999".into())),
            ("80-20", E::Backwards),
            ("80-", E::Port(String::new())),
            ("-", E::Port(String::new())),
            ("1-2-3", E::Port("2-3".into())),
            (":", E::Port(String::new())),
            (":+80", E::Port("+80".into())),
            ("foo:bar:1", E::Host("foo:bar".into())),
            ("example.com:80", E::Host("example.com".into())),
            ("http://example.com:80/", E::Host("example.com".into())),
            ("postgres://localhost/db", E::NoPort),
            ("localhost", E::NoPort),
            ("127.0.0.1", E::NoPort),
            ("[::1]", E::NoPort),
            ("::1", E::Brackets),
            ("fe80::1:8080", E::Brackets),
            ("[::1", E::Host("[::1".into())),
            ("[::1]8080", E::Host("[::1]8080".into())),
            ("usr/bin", E::Slash),
            ("8080,8081", E::List),
        ] {
            assert_eq!(text.parse::<Selector>(), Err(reason), "{text}");
        }
        assert!(matches!("[a".parse::<Selector>(), Err(E::Pattern(_))));
    }

    #[test]
    fn an_address_selects_what_a_client_would_reach() {
        for (selector, address, dual, reached) in [
            ("127.0.0.1:8080", "127.0.0.1", false, true),
            ("127.0.0.1:8080", "0.0.0.0", false, true),
            ("127.0.0.1:8080", "::", true, true),
            ("127.0.0.1:8080", "::", false, false),
            ("127.0.0.1:8080", "127.0.0.2", false, false),
            ("[::1]:8080", "::", false, true),
            ("[::1]:8080", "0.0.0.0", false, false),
            ("localhost:8080", "127.0.0.53", false, false),
            ("localhost:8080", "127.0.0.1", false, true),
            ("0.0.0.0:8080", "127.0.0.1", false, true),
            ("0.0.0.0:8080", "::", true, true),
            ("0.0.0.0:8080", "192.0.2.1", false, false),
            ("[::]:8080", "::1", false, true),
            ("localhost:8080", "::1", false, true),
            ("localhost:8080", "192.0.2.1", false, false),
            (":8081", "::1", false, false),
        ] {
            let selector: Selector = selector.parse().expect("a selector");
            let matched = selector.matches_socket(&socket(address, dual));
            assert_eq!(matched, Some(reached), "{selector:?} {address} {dual}");
        }
    }

    #[test]
    fn a_name_is_a_glob_over_comm_executable_and_first_argument() {
        let owner = Owner {
            name: "MainThread".into(),
            exe: Some("/opt/node/bin/node (deleted)".into()),
            command: vec!["/usr/bin/webpack-serve".into()],
            ..Owner::default()
        };
        for (text, matched) in [
            ("mainthread", true),
            ("node", true),
            ("webpack*", true),
            ("NODE", true),
            ("nod", false),
            ("*", true),
        ] {
            let selector: Selector = text.parse().expect("a selector");
            assert_eq!(selector.matches_owner(&owner), matched, "{text}");
        }
    }

    #[test]
    fn a_name_is_offered_only_in_words_that_choose_it() {
        for (name, words) in [
            ("node", Some("node")),
            ("gunicorn: master", Some("gunicorn: master")),
            ("a[1]", Some("a[[]1[]]")),
            ("8080", None),
            ("-bash", None),
            ("kworker/0:1", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(Selector::for_process(name).as_deref(), words, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<Selector>();
        }
    }
}
