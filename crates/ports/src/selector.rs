//! What a user writes to choose sockets: a port, a range, an address, a URL, a
//! process id or a process name. How it is written is in `parse`; which sockets
//! a client of an address reaches, in `reach`.

mod parse;
mod services;

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use glob::{MatchOptions, Pattern};

use crate::{Owner, Protocol};

/// One way to choose sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Sockets bound to one of these ports that a client of this host reaches.
    Port {
        /// The ports, 1 to 65535.
        ports: RangeInclusive<u16>,
        /// Where a client would connect to.
        host: Host,
        /// The only protocol; both if `None`.
        protocol: Option<Protocol>,
    },
    /// Sockets held by the process with this id.
    Pid(u32),
    /// Sockets held by a process of this name, a glob that ignores case.
    Process(Pattern),
}

/// The address in a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// No address was given: every socket that is bound to the port.
    Any,
    /// Every socket that is bound to this interface, a name or an index.
    Interface(String),
    /// `localhost`: the loopback addresses 127.0.0.1 and ::1.
    Loopback,
    /// An IP address.
    Address {
        /// The address; never a v4-mapped one.
        ip: IpAddr,
        /// The interface that the client comes through, a name or an index.
        /// Without one it is on this machine, and comes through loopback.
        zone: Option<String>,
    },
}

/// Why a text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The text is empty.
    #[error("it is empty")]
    Empty,
    /// A control character, such as the carriage return of a Windows file.
    #[error("it holds the control character {0}")]
    Control(String),
    /// Blanks at the beginning or the end.
    #[error("there is a blank before or after it")]
    Blank,
    /// A number that is not written in plain decimal digits.
    #[error("'{0}' is not a plain decimal number")]
    Number(String),
    /// Not a number from 1 to 65535.
    #[error("'{0}' is not a port from 1 to 65535")]
    Port(String),
    /// Neither a port nor a service of services(5).
    #[error("'{0}' is neither a port from 1 to 65535 nor a service in /etc/services")]
    Service(String),
    /// Not a process id.
    #[error("'{0}' is not a process id")]
    Pid(String),
    /// The first port of a range is above the last.
    #[error("the range runs backwards")]
    Backwards,
    /// Neither `localhost` nor an IP address.
    #[error("'{0}' is not localhost or an IP address")]
    Host(String),
    /// Not the name of an interface.
    #[error("'{0}' is not the name of a network interface")]
    Zone(String),
    /// A link-local address without its interface.
    #[error("a link-local address needs its interface, as in [fe80::1%eth0]:8080")]
    NoZone,
    /// An address or a URL without a port.
    #[error("it names no port")]
    NoPort,
    /// An IPv6 address with a port, without brackets.
    #[error("an IPv6 address needs brackets, as in [::1]:8080")]
    Brackets,
    /// A protocol other than TCP and UDP, or two different ones.
    #[error("'{0}' is not one of the protocols tcp and udp")]
    Protocol(String),
    /// Two protocols that contradict each other.
    #[error("it names both TCP and UDP")]
    Protocols,
    /// A slash outside a URL.
    #[error("a '/' belongs to a URL or a protocol, as in http://localhost:3000/x or 8080/tcp")]
    Slash,
    /// Ports with commas between them.
    #[error("several ports are several arguments, as in 8080 8081")]
    List,
    /// A glob that does not parse.
    #[error("as a pattern for process names: {0}")]
    Pattern(String),
}

impl Selector {
    /// The accepted forms, for an error message.
    pub const FORMS: &str = "8080, :8080, :http, 8080/tcp, udp:53, 3000-3010, localhost:8080, \
                             127.0.0.1:8080, [::1]:8080, http://localhost:3000/x, pid:123 or a \
                             process name";

    /// Every socket that is bound to this port, of one protocol or of both.
    pub fn port(port: u16, protocol: Option<Protocol>) -> Self {
        Self::Port { ports: port..=port, host: Host::Any, protocol }
    }

    /// What a user writes to choose the processes of exactly this name; `None`
    /// if it would be taken for something else.
    pub fn for_process(name: &str) -> Option<String> {
        let text = Pattern::escape(name);
        let chosen = matches!(text.parse(), Ok(Self::Process(pattern)) if pattern.matches(name));
        (chosen && !text.starts_with('-')).then_some(text)
    }

    /// Whether `owner` has the chosen id or name: its process name, or the file
    /// name of its executable or of its first argument. False for a port.
    pub fn matches_owner(&self, owner: &Owner) -> bool {
        const IGNORE_CASE: MatchOptions = MatchOptions {
            case_sensitive: false,
            require_literal_separator: false,
            require_literal_leading_dot: false,
        };
        let pattern = match self {
            Self::Port { .. } => return false,
            Self::Pid(pid) => return owner.pid == *pid,
            Self::Process(pattern) => pattern,
        };
        let paths = [owner.exe.as_ref(), owner.command.first()];
        let names = paths.into_iter().flatten().map(|path| file_name(path));
        std::iter::once(owner.name.as_str())
            .chain(names)
            .any(|name| pattern.matches_with(name, IGNORE_CASE))
    }

    /// The protocol that it names.
    pub fn protocol(&self) -> Option<Protocol> {
        match self {
            Self::Port { protocol, .. } => *protocol,
            Self::Pid(_) | Self::Process(_) => None,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ports, host, protocol) = match self {
            Self::Process(pattern) => return f.write_str(pattern.as_str()),
            Self::Pid(pid) => return write!(f, "pid:{pid}"),
            Self::Port { ports, host, protocol } => (ports, host, protocol),
        };
        match host {
            Host::Any => {}
            host => write!(f, "{host}:")?,
        }
        if ports.start() == ports.end() {
            write!(f, "{}", ports.start())?;
        } else {
            write!(f, "{}-{}", ports.start(), ports.end())?;
        }
        protocol.map_or(Ok(()), |protocol| write!(f, "/{}", protocol.name()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Interface(name) => write!(f, "*%{name}"),
            Self::Loopback => f.write_str("localhost"),
            Self::Address { ip, zone } => {
                let zone = zone.as_ref().map(|zone| format!("%{zone}")).unwrap_or_default();
                match ip {
                    IpAddr::V4(ip) => write!(f, "{ip}{zone}"),
                    IpAddr::V6(ip) => write!(f, "[{ip}{zone}]"),
                }
            }
        }
    }
}

/// The last part of a path. `/proc/PID/exe` marks a replaced file as ` (deleted)`.
fn file_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(" (deleted)").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("pid:7", None),
            ("a\tb", None),
            ("", None),
        ] {
            assert_eq!(Selector::for_process(name).as_deref(), words, "{name}");
        }
    }
}
