//! Text files of `/proc`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::take;
use crate::procfs::{
    Stat, cmdline, full_name, namespace_inode, net_line, socket_inode, stat, unit,
};
use crate::snapshot::Entry;
use crate::{Protocol, State, cgroup, diag};

/// Any file, and files of processes, cgroups and sockets with any name or address.
pub fn procfs(bytes: &[u8]) {
    process(bytes);
    arguments(bytes);
    name(bytes);
    service(bytes);
    container(bytes);
    inode(bytes);
    table(bytes);
}

fn process(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(stat) = stat(bytes) {
        assert!(text.contains(&format!("({})", stat.name)), "{stat:?}");
        assert!(text.contains(&stat.parent.to_string()), "{stat:?}");
        assert!(text.contains(&stat.start.to_string()), "{stat:?}");
    }
    let tail = b") S 7 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 23 24\n";
    let line = [b"12 (", bytes, tail].concat();
    let named = Stat { name: text.into_owned(), parent: 7, start: 4242 };
    assert_eq!(stat(&line), Some(named));
}

fn arguments(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(cmdline(bytes).join("\0"), text.trim_end_matches('\0'));
}

fn name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let comm = lines.next().unwrap_or_default().to_owned();
    let exe = lines.next();
    let command: Vec<String> = lines.map(str::to_owned).collect();
    let full = full_name(comm.clone(), exe, &command);
    let whole = comm.trim_end_matches(char::REPLACEMENT_CHARACTER);
    assert!(full.starts_with(whole), "{full:?} of {comm:?}");
    if full != comm {
        assert!(comm.len() >= 15 && !full.contains(['/', ' ']), "{full:?} of {comm:?}");
        assert!(text[comm.len()..].contains(&full), "{full:?} of {text:?}");
    }
}

fn service(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(unit) = unit(bytes) {
        assert!(unit.ends_with(".service") && !unit.contains(['/', '\n']), "{unit:?}");
        assert!(text.contains(&unit), "{unit:?}");
    }
    let name: String = text.chars().filter(|character| !"/\n".contains(*character)).collect();
    let file = format!("1:cpu:/a.service\n0::/system.slice/{name}.service/worker\n");
    let expected = (!name.starts_with("user@")).then(|| format!("{name}.service"));
    assert_eq!(unit(file.as_bytes()), expected);
}

fn container(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let is_id = |id: &str| id.len() == 64 && id.chars().all(|digit| digit.is_ascii_hexdigit());
    if let Some(container) = cgroup::container(bytes) {
        assert!(is_id(&container.id) && text.contains(&container.id), "{container:?}");
    }
    // Whatever stands before and behind it, a container's group is found, and only the innermost.
    let name: String = text.chars().filter(|character| !"/:\n".contains(*character)).collect();
    let id = "0123456789abcdef".repeat(4);
    let file = format!("0::/{name}/docker-{}.scope/{name}/libpod-{id}.scope/x\n", "0".repeat(64));
    let found = cgroup::container(file.as_bytes()).expect("a container");
    assert_eq!((found.id, found.engine), (id, Some("podman")));
}

fn inode(mut bytes: &[u8]) {
    if let Some(inode) = socket_inode(bytes) {
        let link = String::from_utf8_lossy(bytes);
        let digits = link.trim_start_matches("socket:[").trim_start_matches('0');
        assert_eq!(digits.trim_end_matches(']').parse().unwrap_or(0), inode, "{link}");
    }
    let inode = u64::from_ne_bytes(take(&mut bytes));
    // With more digits behind it, it may be too large.
    for digits in [inode.to_string(), format!("{inode}{}", u16::from_ne_bytes(take(&mut bytes)))] {
        let link = format!("socket:[{digits}]");
        assert_eq!(socket_inode(link.as_bytes()), digits.parse().ok(), "{link}");
        let link = format!("net:[{digits}]");
        assert_eq!(namespace_inode(link.as_bytes()), digits.parse().ok(), "{link}");
    }
}

fn table(mut bytes: &[u8]) {
    if let Some(entry) = net_line(&String::from_utf8_lossy(bytes), Protocol::Udp) {
        assert_eq!(net_line(&line(&entry), Protocol::Udp).as_ref(), Some(&entry));
    }
    let [family, state] = take(&mut bytes);
    let mut end = || {
        let ip = if family.is_multiple_of(2) {
            IpAddr::from(Ipv4Addr::from(take::<4>(&mut bytes)))
        } else {
            IpAddr::from(Ipv6Addr::from(take::<16>(&mut bytes)))
        };
        SocketAddr::new(ip, u16::from_ne_bytes(take(&mut bytes)))
    };
    let (local, peer) = (end(), end());
    let state = diag::state(state % 13 + 1).expect("a state");
    let entry = Entry {
        key: u64::from_ne_bytes(take(&mut bytes)),
        protocol: Protocol::Tcp,
        state,
        local,
        peer: (!state.is_bound()).then_some(peer),
        only_v6: local.is_ipv4().then_some(false),
        interface: 0,
        uid: Some(u32::from_ne_bytes(take(&mut bytes))),
        cgroup: None,
        namespace: None,
    };
    assert_eq!(net_line(&line(&entry), Protocol::Tcp), Some(entry));
}

/// A line of `/proc/net/tcp` and the like, as the kernel writes it.
fn line(entry: &Entry) -> String {
    let end = |end: SocketAddr| {
        let octets = match end.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let (words, _) = octets.as_chunks::<4>();
        let words = words.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word)));
        format!("{}:{:04X}", words.collect::<String>(), end.port())
    };
    let state = |state: State| (1..=13).find(|&number| diag::state(number) == Some(state));
    format!(
        "   0: {} {} {:02X} 00000000:00000000 00:00000000 00000000 {:5}        0 {} 1 0",
        end(entry.local),
        end(entry.peer.unwrap_or(entry.local)),
        state(entry.state).expect("the number of a state"),
        entry.uid.expect("a user"),
        entry.key,
    )
}
