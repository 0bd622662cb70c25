//! What a user writes to name what is waited for: a selector, the address or
//! name of another machine with a port, or a URL to ask by HTTP.
//!
//! Everything about ports is the grammar of [`Selector`]. Only a host that is
//! neither `localhost` nor an IP address, and the path of a URL, are read here.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::http::Request;
use crate::{Host, Protocol, Selector, SelectorError, os};

/// Something to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The ports. Where `host` is a name, this says `localhost` instead.
    pub(super) selector: Selector,
    /// A host that is not an address of this machine.
    pub(super) host: Option<Remote>,
    /// What to ask a server by HTTP.
    pub(super) request: Option<Request>,
    shown: String,
}

/// A host that the kernel's tables of this machine tell nothing about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remote {
    Address(IpAddr),
    /// A host name, or an address with a zone: the system's resolver knows both.
    Name(String),
}

/// Why a text is not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is not a selector either.
    #[error(transparent)]
    Selector(#[from] SelectorError),
    /// A host that is none.
    #[error("'{0}' is not localhost, an IP address or a host name")]
    Host(String),
    /// An address that holds a user name is not asked by HTTP.
    #[error("it holds a user name, which is not sent")]
    User,
    /// TLS is not spoken here.
    #[error("mx does not speak TLS, so it cannot ask for a status by https")]
    Tls,
}

impl Target {
    /// The accepted forms, for an error message.
    pub const FORMS: &str = "8080, 8080/tcp, 3000-3010, localhost:8080, db.internal:5432, [::1]:8080, \
                             http://localhost:3000/health, pid:123 or a process name";

    /// Whether it is on another machine, as far as this one can tell: then it
    /// is not looked up in the kernel's tables, but dialled.
    pub fn is_remote(&self) -> bool {
        self.host.is_some()
    }

    /// Whether it is remote because its host is a name, which may be one of this machine.
    pub fn is_named(&self) -> bool {
        matches!(self.host, Some(Remote::Name(_)))
    }

    /// The only protocol that it names.
    pub fn protocol(&self) -> Option<Protocol> {
        self.selector.protocol()
    }

    /// Whether it is asked by HTTP.
    pub fn is_http(&self) -> bool {
        self.request.is_some()
    }

    /// Whether it is a process, by its name or id.
    pub fn is_process(&self) -> bool {
        matches!(self.selector, Selector::Pid(_) | Selector::Process(_))
    }

    /// Its ports on this machine, whatever a URL would ask for.
    pub fn without_request(text: &str) -> Result<Self, TargetError> {
        let (selector, host) = place(text)?;
        let shown = match &host {
            Some(Remote::Name(name)) => shown_with(name, &selector),
            _ => selector.to_string(),
        };
        // Of a URL nobody expects another protocol.
        let is_url = text.contains("://");
        let shown = shown.strip_suffix("/tcp").filter(|_| is_url).unwrap_or(&shown).to_owned();
        Ok(Self { selector, host, request: None, shown })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let target = Self::without_request(text)?;
        let Some((scheme, rest)) = text.split_once("://") else { return Ok(target) };
        if scheme.eq_ignore_ascii_case("https") {
            return Err(TargetError::Tls);
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return Ok(target);
        }
        if authority(rest).contains('@') {
            return Err(TargetError::User);
        }
        let (authority, rest) = rest.split_at(authority(rest).len());
        let request = Request::new(&host_header(authority), rest);
        let shown = format!("http://{authority}{}", request.path());
        Ok(Self { shown, request: Some(request), ..target })
    }
}

/// The ports of a target, and its host if that is not this machine.
fn place(text: &str) -> Result<(Selector, Option<Remote>), TargetError> {
    let host = host(text);
    match text.parse::<Selector>() {
        Err(SelectorError::Host(named)) => {
            let Some(range) = host.filter(|range| is_host_name(&text[range.clone()])) else {
                return Err(TargetError::Host(named));
            };
            let name = text[range.clone()].to_ascii_lowercase();
            let local = format!("{}localhost{}", &text[..range.start], &text[range.end..]);
            Ok((local.parse()?, Some(Remote::Name(name))))
        }
        Err(error) => Err(error.into()),
        Ok(selector) => {
            let remote = remote(&selector);
            Ok((selector, remote))
        }
    }
}

/// The host of a selector, if it is an address of another machine.
fn remote(selector: &Selector) -> Option<Remote> {
    let Selector::Port { host: Host::Address { ip, zone }, .. } = selector else { return None };
    let is_own =
        ip.is_loopback() || ip.is_unspecified() || os::home(*ip, zone.as_deref()).is_some();
    (!is_own).then(|| match zone {
        // Such an address means nothing without its interface.
        Some(zone) => Remote::Name(format!("{ip}%{zone}")),
        None => Remote::Address(*ip),
    })
}

/// `host:port` and what precedes it, of what follows `://`.
fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// What a server is told that it is asked as: a host, without an interface of this machine.
fn host_header(authority: &str) -> String {
    if let Some(port) = authority.strip_prefix('*').unwrap_or(authority).strip_prefix(':') {
        return format!("localhost:{port}");
    }
    match (authority.find('%'), authority.find(']')) {
        (Some(zone), Some(end)) => format!("{}{}", &authority[..zone], &authority[end..]),
        _ => authority.to_owned(),
    }
}

/// Where in a text the host is; `None` if there is none.
fn host(text: &str) -> Option<std::ops::Range<usize>> {
    let scheme = text.find("://").map(|at| at + 3);
    let authority = authority(&text[scheme.unwrap_or(0)..]);
    // Only a URL has room for a user.
    let user = authority.rfind('@').filter(|_| scheme.is_some()).map_or(0, |at| at + 1);
    let rest = &authority[user..];
    let start = scheme.unwrap_or(0) + user;
    if let Some(inside) = rest.strip_prefix('[') {
        return inside.find(']').map(|end| start + 1..start + 1 + end);
    }
    let end = match rest.find(':') {
        Some(end) => end,
        None if scheme.is_some() => rest.len(),
        None => return None,
    };
    (end > 0).then(|| start..start + end)
}

/// Whether a text is a host name (RFC 1123, and `_` as in names of containers).
/// A name that ends in a number is a mistyped address.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last
            .to_ascii_lowercase()
            .strip_prefix("0x")
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    name.len() <= 253 && name.split('.').all(is_label) && !is_number
}

/// A selector as text, with this name in place of `localhost`.
fn shown_with(name: &str, selector: &Selector) -> String {
    selector.to_string().replacen("localhost", name, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_name_or_a_foreign_address_is_remote() {
        for (text, shown) in [
            ("db.internal:5432", "db.internal:5432"),
            ("DB:5432", "db:5432"),
            ("my_app-1.local.:80", "my_app-1.local.:80"),
            ("postgres://me:secret@db.internal:5432/x?y=1:2", "db.internal:5432"),
            ("ws://db.internal/x", "db.internal:80"),
            ("db:5000-5002", "db:5000-5002"),
            ("192.0.2.7:5432", "192.0.2.7:5432"),
            ("[2001:db8::7]:5432", "[2001:db8::7]:5432"),
        ] {
            let target = target(text);
            assert!(target.is_remote() && !target.is_http(), "{target:?}");
            assert_eq!(target.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_of_this_machine_is_looked_up_here() {
        for text in [
            "8080",
            ":8080",
            "3000-3010",
            "localhost:80",
            "app.localhost:80",
            "127.0.0.1:80",
            "127.8.9.10:80",
            "0.0.0.0:80",
            "[::]:80",
            "[::1]:80",
            "node",
            "postgres://localhost:5432/x",
        ] {
            assert!(!target(text).is_remote(), "{text}");
        }
    }

    #[test]
    fn a_url_of_http_is_asked() {
        for (text, shown, remote) in [
            ("http://localhost:3000/x", "http://localhost:3000/x", false),
            ("HTTP://localhost", "http://localhost/", false),
            ("http://[::1]:3000?x=1#top", "http://[::1]:3000/?x=1", false),
            ("http://app.internal:8080/a b", "http://app.internal:8080/a%20b", true),
            ("http://192.0.2.7/", "http://192.0.2.7/", true),
        ] {
            let target = target(text);
            assert!(target.is_http(), "{text}");
            assert_eq!(
                (target.to_string().as_str(), target.is_remote()),
                (shown, remote),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_a_target_says_why() {
        for text in [
            "256.1.1.1:80",
            "1.2.3:80",
            "host.0x7f:80",
            "-a:80",
            "a-:80",
            "a..b:80",
            "über:80",
            "a b.c:80x",
            "db:0",
            "db:",
            "db:70000",
            "foo:bar:1",
            "usr/bin",
            "",
            "10.0.0.7",
        ] {
            assert!(text.parse::<Target>().is_err() || target(text).is_process(), "{text}");
        }
        assert_eq!("https://localhost:1/".parse::<Target>(), Err(TargetError::Tls));
        assert_eq!("http://a:b@localhost:1/".parse::<Target>(), Err(TargetError::User));
        assert!(Target::without_request("https://localhost:8443/x").is_ok());
        assert!(Target::without_request("http://a:b@localhost:1/").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", host in "[a-z0-9.%\\[\\]@:/?#-]{0,20}") {
            let _ = text.parse::<Target>();
            let _ = format!("http://{host}").parse::<Target>();
            let _ = host.parse::<Target>();
        }

        /// Every selector is a target, and chooses the same.
        #[test]
        fn a_selector_is_a_target(first: u16, more in 0u16..10, host in "(localhost:|127\\.0\\.0\\.1:|\\[::1\\]:|:)?") {
            let text = format!("{host}{first}-{}", first.saturating_add(more));
            if let Ok(selector) = text.parse::<Selector>() {
                proptest::prop_assert_eq!(target(&text).selector, selector);
            }
        }
    }
}
