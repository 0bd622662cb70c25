//! Parsers for the text files of Linux `/proc` (proc(5)).
//!
//! They take bytes: process names and arguments need not be UTF-8, and a name
//! may hold spaces, newlines and parentheses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::snapshot::Entry;
use crate::{Protocol, diag};

/// The fields of `/proc/PID/stat` that identify a process.
#[derive(Debug, PartialEq)]
pub(crate) struct Stat {
    /// `comm`, cut to 15 bytes by the kernel.
    pub(crate) name: String,
    pub(crate) parent: u32,
    /// Clock ticks since boot.
    pub(crate) start: u64,
}

/// Parses `/proc/PID/stat`: `pid (comm) state ppid …`, where `comm` may itself hold `)`.
pub(crate) fn stat(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|&byte| byte == b'(')?;
    let close = bytes.iter().rposition(|&byte| byte == b')')?;
    let name = String::from_utf8_lossy(bytes.get(open + 1..close)?).into_owned();
    let mut fields = std::str::from_utf8(&bytes[close + 1..]).ok()?.split_ascii_whitespace();
    // The first field after the name is number 3; ppid is 4 and starttime 22.
    let parent = fields.nth(1)?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some(Stat { name, parent, start })
}

/// Whether `/proc/PID/stat` says that a process is stopped, by job control or by a tracer (proc(5)).
pub(crate) fn is_stopped(stat: &[u8]) -> bool {
    let close = stat.iter().rposition(|&byte| byte == b')');
    let state = close.and_then(|close| stat.get(close + 2));
    matches!(state, Some(b'T' | b't'))
}

/// Whether a process belongs to the service manager of a user, by `/proc/PID/cgroup`.
pub(crate) fn is_of_user_manager(cgroup: &[u8]) -> bool {
    let text = String::from_utf8_lossy(cgroup);
    text.split('/').any(|part| part.starts_with("user@") && part.ends_with(".service"))
}

/// Splits `/proc/PID/cmdline` at its NULs. A process that rewrote its title leaves padding at the end.
pub(crate) fn cmdline(bytes: &[u8]) -> Vec<String> {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    if end == 0 {
        return Vec::new();
    }
    let arguments = bytes[..end].split(|&byte| byte == 0);
    arguments.map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

/// The process name in full. The kernel cuts `comm` to 15 bytes, also inside a
/// character of UTF-8; the executable or the first argument often tells the rest.
pub(crate) fn full_name(comm: String, exe: Option<&str>, command: &[String]) -> String {
    if !may_be_cut(&comm) {
        return comm;
    }
    // Of a character that was cut, at most three bytes are left.
    let whole = comm.trim_end_matches(char::REPLACEMENT_CHARACTER);
    let whole = if whole.len() < 12 { &comm } else { whole };
    let paths = [command.first().map(String::as_str), exe];
    let names = paths.into_iter().flatten().filter_map(|path| path.rsplit('/').next());
    let longer = names.into_iter().find(|name| name.starts_with(whole) && !name.contains(' '));
    longer.map_or(comm, str::to_owned)
}

/// Whether a name is as long as the kernel lets it be.
pub(crate) fn may_be_cut(comm: &str) -> bool {
    comm.len() >= 15
}

/// The systemd service in `/proc/PID/cgroup`: of the hierarchy of cgroup v2, or
/// of the one that systemd has to itself in v1. `None` for a login session, an
/// application in a scope, or the manager of a user's services itself.
pub(crate) fn unit(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let path = text.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.strip_prefix(':').or_else(|| rest.strip_prefix("name=systemd:"))
    })?;
    let kind = |name: &&str| name.rsplit_once('.').map(|(_, kind)| kind.to_owned());
    let is_unit = |name: &&str| kind(name).is_some_and(|kind| kind == "service" || kind == "scope");
    let unit = path.rsplit('/').find(is_unit)?;
    let service = kind(&unit)? == "service" && !unit.starts_with("user@");
    service.then(|| unit.to_owned())
}

/// The inode in a link such as `socket:[12345]` from `/proc/PID/fd`.
pub(crate) fn socket_inode(link: &[u8]) -> Option<u64> {
    number_in(link, b"socket:[")
}

/// The number between `prefix` and a closing bracket. Faster than by way of text: it is called for every descriptor.
fn number_in(link: &[u8], prefix: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(prefix)?.strip_suffix(b"]")?;
    digits.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The inode in a link such as `net:[4026531840]` from `/proc/PID/ns`.
pub(crate) fn namespace_inode(link: &[u8]) -> Option<u64> {
    number_in(link, b"net:[")
}

/// Parses one line of `/proc/net/{tcp,tcp6,udp,udp6}`; `None` for the heading.
///
/// The file does not say whether an IPv6 socket refuses IPv4, and does not
/// list TCP sockets that are bound without listening.
pub(crate) fn net_line(line: &str, protocol: Protocol) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace();
    let local = address(fields.nth(1)?)?;
    let peer = address(fields.next()?)?;
    let state = diag::state(u8::from_str_radix(fields.next()?, 16).ok()?)?;
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Entry {
        key: inode,
        protocol,
        state,
        local,
        peer: (!state.is_bound()).then_some(peer),
        only_v6: local.is_ipv4().then_some(false),
        interface: 0,
        uid: Some(uid),
        cgroup: None,
        namespace: None,
    })
}

/// `0100007F:1F90`: 32-bit words of the address in this machine's byte order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |index: usize| {
        let digits = address.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for index in 0..4 {
                bytes[index * 4..index * 4 + 4].copy_from_slice(&word(index)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn stat_is_parsed_from_the_last_parenthesis() {
        let tail = " S 7 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 23 24";
        for name in ["nginx", "a) S 1 (b", "two\nlines", "\x1b[31m", ""] {
            let parsed = stat(format!("12 ({name}){tail}").as_bytes());
            let expected = Stat { name: name.to_owned(), parent: 7, start: 4242 };
            assert_eq!(parsed, Some(expected), "{name:?}");
        }
        let invalid = [b"12 (\xff\xfe)".as_slice(), tail.as_bytes()].concat();
        assert_eq!(stat(&invalid).map(|stat| stat.name).as_deref(), Some("\u{fffd}\u{fffd}"));
        for broken in ["", "12", "12 (x", "12 (x)", "12 )x(", "12 (x) S a", "12 (x) S 7 1"] {
            assert_eq!(stat(broken.as_bytes()), None, "{broken:?}");
        }
    }

    #[test]
    fn a_stopped_process_is_known_by_its_state() {
        for (stat, stopped) in [
            (&b"7 (cat) T 1 7"[..], true),
            (b"7 (cat) t 1 7", true),
            (b"7 (a) T b) S 1 7", false),
            (b"7 (cat)", false),
            (b"", false),
        ] {
            assert_eq!(is_stopped(stat), stopped, "{stat:?}");
        }
        assert!(is_of_user_manager(
            b"0::/user.slice/user-7.slice/user@7.service/app.slice/x.service"
        ));
        assert!(!is_of_user_manager(b"0::/system.slice/x.service"));
    }

    #[test]
    fn cmdline_keeps_empty_arguments_and_drops_padding() {
        assert_eq!(cmdline(b""), Vec::<String>::new());
        assert_eq!(cmdline(b"\0\0\0"), Vec::<String>::new());
        assert_eq!(cmdline(b"a\0\0b\0"), ["a", "", "b"]);
        assert_eq!(cmdline(b"title here\0\0\0\0"), ["title here"]);
        assert_eq!(cmdline(b"a\xff"), ["a\u{fffd}"]);
    }

    #[test]
    fn a_name_that_the_kernel_cut_is_completed() {
        let full = |comm: &str, exe: Option<&str>, command: &[&str]| {
            let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
            full_name(comm.to_owned(), exe, &command)
        };
        assert_eq!(full("nginx", Some("/usr/sbin/nginx2"), &[]), "nginx");
        assert_eq!(
            full("systemd-resolve", Some("/lib/systemd/systemd-resolved"), &[]),
            "systemd-resolved"
        );
        assert_eq!(full("abcdefghijklmno", None, &["/x/abcdefghijklmnopq"]), "abcdefghijklmnopq");
        assert_eq!(full("abcdefghijklmno", Some("/other"), &["other"]), "abcdefghijklmno");
        // Cut after one byte of ü, after two of 語 and after three of 🦀.
        for (name, kept) in [
            ("größenänderung-server", 15),
            ("abcdefghijkl語-dienst", 14),
            ("abcdefghijkl🦀-server", 15),
        ] {
            let comm = String::from_utf8_lossy(&name.as_bytes()[..kept]).into_owned();
            assert_eq!(full(&comm, Some(&format!("/opt/{name}")), &[]), name, "{comm}");
        }
        let hostile = "\u{fffd}".repeat(15);
        assert_eq!(full(&hostile, Some("/bin/true"), &["true"]), hostile);
    }

    #[test]
    fn the_unit_of_a_process() {
        for (text, expected) in [
            ("0::/system.slice/nginx.service\n", Some("nginx.service")),
            (
                "0::/system.slice/system-getty.slice/getty@tty1.service/worker\n",
                Some("getty@tty1.service"),
            ),
            ("12:cpu:/x\n1:name=systemd:/system.slice/a.service\n", Some("a.service")),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n",
                Some("web.service"),
            ),
            ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/term.scope\n", None),
            ("0::/user.slice/user-1000.slice/session-2.scope\n", None),
            ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", None),
            ("0::/\n", None),
            ("", None),
        ] {
            assert_eq!(unit(text.as_bytes()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn only_socket_links_have_an_inode() {
        assert_eq!(socket_inode(b"socket:[12345]"), Some(12345));
        for other in ["socket:[]x", "socket:[1a]", "pipe:[12]", "/dev/null", "socket:[12"] {
            assert_eq!(socket_inode(other.as_bytes()), None, "{other}");
        }
        assert_eq!(socket_inode(b"socket:[99999999999999999999999]"), None);
        assert_eq!(namespace_inode(b"net:[4026531840]"), Some(4_026_531_840));
        assert_eq!(namespace_inode(b"mnt:[4026531841]"), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_proc_net() {
        let v4 = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0 100 0 0 10 0";
        let entry = net_line(v4, Protocol::Tcp).expect("a line");
        assert_eq!(entry.local, "127.0.0.1:8080".parse().expect("an address"));
        assert_eq!((entry.state, entry.uid, entry.key), (State::Listen, Some(1000), 31337));
        assert_eq!((entry.peer, entry.only_v6), (None, Some(false)));

        let v6 = "   1: 00000000000000000000000001000000:0035 B80D0120000000000000000001000000:01BB 01 00000000:00000000 00:00000000 00000000     0        0 7 2 x 0";
        let entry = net_line(v6, Protocol::Udp).expect("a line");
        assert_eq!(entry.local, "[::1]:53".parse().expect("an address"));
        assert_eq!(entry.peer, Some("[2001:db8::1]:443".parse().expect("an address")));
        assert_eq!((entry.state, entry.only_v6), (State::Established, None));

        let heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(net_line(heading, Protocol::Tcp), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = stat(&bytes);
            let _ = cmdline(&bytes);
            let _ = unit(&bytes);
            let _ = socket_inode(&bytes);
            let _ = net_line(&String::from_utf8_lossy(&bytes), Protocol::Tcp);
        }
    }
}
