//! Linux: sockets from the kernel's tables, owners from a walk of `/proc/*/fd`.
//!
//! A socket whose owner may not be read gets candidates from its cgroup, and
//! the sockets of other network namespaces are listed from within them.

mod cgroups;
mod namespaces;
mod process;
mod route;
pub(crate) mod signal;
mod tables;
mod walk;

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::CapabilitySet;
use sys::{Error, Result};

pub(crate) use self::route::home;
use self::walk::{Tables, numbers, walk};
use crate::diag::Family;
use crate::snapshot::{Entry, Namespaces, Snapshot, Want};
use crate::supervisor::Ancestor;
use crate::{Missing, procfs};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Where the tables of this process's network namespace are.
const OWN_TABLES: &str = "/proc/net";

/// The sockets and their holders.
pub(crate) fn snapshot(want: &Want) -> Result<Snapshot> {
    let mut snapshot = Snapshot { complete: true, ..Snapshot::default() };
    if want.namespaces != Namespaces::Others {
        tables::sockets(OWN_TABLES, want, &mut snapshot.entries, &mut snapshot.notes)?;
    }
    // What the system cannot list is no proof that nothing is there.
    snapshot.complete = snapshot.notes.is_empty();
    if want.silent && !tables::lists_silent() {
        snapshot.complete = false;
        if snapshot.entries.is_empty() {
            let note = "Linux before 6.8 does not list TCP that is bound without listening";
            snapshot.notes.push(note.to_owned());
        }
    }
    if snapshot.entries.is_empty() && want.namespaces == Namespaces::Own {
        return Ok(snapshot);
    }
    if let Err(error) = owners(want, &mut snapshot)? {
        snapshot.complete = false;
        snapshot.notes.push(format!("owners are unknown: cannot read /proc: {error}"));
    }
    Ok(snapshot)
}

/// Adds the sockets of other namespaces and all holders; the inner error says why `/proc` tells nothing.
fn owners(want: &Want, snapshot: &mut Snapshot) -> Result<io::Result<()>> {
    let opened = rustix::fs::open("/proc", DIRECTORY, Mode::empty());
    let (proc, pids) = match opened.and_then(|proc| numbers(&proc).map(|pids| (proc, pids))) {
        // A mount point without a proc file system: even this process is missing.
        Ok((_, pids)) if pids.is_empty() => return Ok(Err(io::ErrorKind::NotFound.into())),
        Ok(opened) => opened,
        Err(errno) => return Ok(Err(errno.into())),
    };
    if want.namespaces != Namespaces::Own {
        namespaces::add(&proc, &pids, want, snapshot);
    }
    let keys = snapshot.entries.iter().map(|entry| entry.key).collect();
    if let Some(deadline) = want.deadline {
        let left = cgroups::quick_owners(&proc, snapshot, deadline);
        let pids = left.as_deref().unwrap_or(&pids);
        walk(&proc, pids, keys, snapshot, Some(deadline), Tables::First)?;
        return Ok(Ok(()));
    }
    walk(&proc, &pids, keys, snapshot, None, Tables::First)?;
    if !unowned(snapshot).is_empty() {
        settle(&proc, &pids, snapshot, want)?;
    }
    Ok(Ok(()))
}

/// The sockets without their holders.
pub(crate) fn entries(want: &Want) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    tables::sockets(OWN_TABLES, want, &mut entries, &mut Vec::new())?;
    Ok(entries)
}

/// Whether a process holds one of the sockets with these keys, which are sorted.
pub(crate) fn holds(pid: u32, keys: &[u64]) -> Result<bool> {
    rustix::fs::open("/proc", DIRECTORY, Mode::empty())
        .and_then(|proc| walk::holds(&proc, pid, keys))
        .map_err(|errno| Error::from_io(format!("read the descriptors of process {pid}"), errno))
}

/// The ports that the kernel gives to clients (ip(7)); `None` if it does not say.
pub(crate) fn ephemeral_ports() -> Option<RangeInclusive<u16>> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
}

/// The first port that needs no privilege to bind (ip(7)), at whatever address.
pub(crate) fn unprivileged_ports(_is_wildcard: bool) -> u16 {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(1024)
}

/// What is privileged.
pub(crate) fn privileged_ports() -> String {
    format!("ports below {} are privileged", unprivileged_ports(false))
}

/// The right that this process lacks to read the descriptors of every other (ptrace(2), access mode checking).
pub fn missing_right() -> Option<Missing> {
    let sets = rustix::thread::capabilities(None);
    if sets.is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_PTRACE)) {
        return None;
    }
    let is_root = rustix::process::geteuid().is_root();
    Some(if is_root { Missing::Capability("CAP_SYS_PTRACE") } else { Missing::Root })
}

/// The user that a process belongs to; `None` if it has ended.
pub(crate) fn user(pid: u32) -> Option<u32> {
    rustix::fs::stat(format!("/proc/{pid}")).ok().map(|process| process.st_uid)
}

/// The name and parent of a process.
pub(crate) fn ancestor(pid: u32) -> Option<Ancestor> {
    let stat = process::read(rustix::fs::CWD, &format!("/proc/{pid}/stat")).ok()?;
    let stat = procfs::stat(&stat)?;
    Some(Ancestor { name: stat.name, parent: stat.parent })
}

/// Whether a process is stopped; false if that cannot be read.
pub(crate) fn is_stopped(pid: u32) -> bool {
    process::read(rustix::fs::CWD, &format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| procfs::is_stopped(&stat))
}

/// Whether the service manager of a user, and not the system's, runs a process.
pub(crate) fn is_of_user_manager(pid: u32) -> bool {
    process::read(rustix::fs::CWD, &format!("/proc/{pid}/cgroup"))
        .is_ok_and(|cgroup| procfs::is_of_user_manager(&cgroup))
}

/// The arguments of a process; empty if they cannot be read.
pub(crate) fn command(pid: u32) -> Vec<String> {
    procfs::cmdline(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default())
}

/// The name of the interface with this index.
pub(crate) fn interface_name(index: u32) -> Option<String> {
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    );
    rustix::net::netdevice::index_to_name(socket.ok()?, index).ok()
}

/// Keys of sockets that some process must hold, but none was found to, sorted.
fn unowned(snapshot: &Snapshot) -> Vec<u64> {
    let mut held: Vec<u64> = snapshot.holds.iter().map(|&(key, _)| key).collect();
    held.sort_unstable();
    let mut keys: Vec<u64> = snapshot.entries.iter().map(|entry| entry.key).collect();
    keys.retain(|key| *key != 0 && held.binary_search(key).is_err());
    keys.sort_unstable();
    keys
}

/// Tells sockets without a visible owner from those that changed during the
/// walk: drops the closed ones, and looks through processes that are new and
/// through threads.
fn settle(proc: &OwnedFd, seen: &[u32], snapshot: &mut Snapshot, want: &Want) -> Result<()> {
    drop_closed(snapshot, want)?;
    let mut new = numbers(proc).unwrap_or_default();
    new.retain(|pid| seen.binary_search(pid).is_err());
    walk(proc, &new, unowned(snapshot), snapshot, want.deadline, Tables::First)?;
    // A thread that this user may read has most likely made the socket itself.
    let user = rustix::process::geteuid();
    let left = unowned(snapshot);
    let readable = |entry: &&Entry| {
        (user.is_root() || entry.uid == Some(user.as_raw()))
            && left.binary_search(&entry.key).is_ok()
    };
    let keys: Vec<u64> = snapshot.entries.iter().filter(readable).map(|entry| entry.key).collect();
    if !keys.is_empty() {
        let pids = numbers(proc).unwrap_or_default();
        let unread = std::mem::take(&mut snapshot.unread);
        walk(proc, &pids, keys, snapshot, want.deadline, Tables::Threads)?;
        snapshot.unread.extend(unread);
        snapshot.unread.sort_unstable();
        snapshot.unread.dedup();
    }
    cgroups::add_candidates(proc, &unowned(snapshot), snapshot);
    Ok(())
}

/// Drops the sockets that nobody was seen to hold and that are no longer there.
fn drop_closed(snapshot: &mut Snapshot, want: &Want) -> Result<()> {
    let unowned = unowned(snapshot);
    let is_unowned = |entry: &Entry| unowned.binary_search(&entry.key).is_ok();
    // Only the tables that such a socket stands in are asked again.
    let mut still = Vec::new();
    let mut netlink = tables::open();
    for (protocol, family) in tables::TABLES {
        let of_family = |entry: &Entry| match family {
            Family::Both => true,
            Family::V4 => entry.local.is_ipv4(),
            Family::V6 => entry.local.is_ipv6(),
        };
        let concerned = |entry: &&Entry| {
            entry.protocol == protocol && of_family(entry) && entry.namespace.is_none()
        };
        if snapshot.entries.iter().filter(concerned).any(is_unowned) {
            tables::table(&mut netlink, OWN_TABLES, family, protocol, want, &mut still)?;
        }
    }
    let mut still: Vec<u64> = still.iter().map(|entry| entry.key).collect();
    still.sort_unstable();
    snapshot.entries.retain(|entry| {
        entry.namespace.is_some() || !is_unowned(entry) || still.binary_search(&entry.key).is_ok()
    });
    Ok(())
}
