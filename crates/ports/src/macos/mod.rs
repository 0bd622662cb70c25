//! macOS: every user's sockets from `pcblist_n`, their holders from libproc.
//!
//! `net.inet.{tcp,udp}.pcblist_n` lists the sockets of everybody, without owners:
//! the process ids in it name who touched a socket last. libproc shows the
//! descriptors of one's own processes (of all, to root). Where the list is
//! denied, or has one's own sockets only, libproc is all there is, and what it
//! finds is not all there may be.

pub(crate) mod signal;

mod libproc;
mod sysctl;

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::ops::RangeInclusive;
use std::time::Instant;

use sys::{Error, Result};

use self::sysctl::number;
use crate::snapshot::{Entry, Namespaces, Snapshot, Want};
use crate::supervisor::Ancestor;
use crate::{Missing, Protocol, darwin, free};

/// The sockets and their holders.
pub(crate) fn snapshot(want: &Want) -> Result<Snapshot> {
    // What is not there has no holder.
    if want.ports.is_some() {
        let listed = listed(want);
        if listed.complete && listed.entries.is_empty() {
            return Ok(listed);
        }
    }
    let mut snapshot = Snapshot { complete: true, ..Snapshot::default() };
    let mut known: HashMap<u64, usize> = HashMap::new();
    if want.namespaces != Namespaces::Others {
        walk(want, &mut snapshot, &mut known)?;
    }
    // After the holders: a process that ends meanwhile would leave sockets without one.
    let listed = listed(want);
    for entry in listed.entries {
        match known.get(&entry.key) {
            Some(&index) => snapshot.entries[index].uid = entry.uid,
            None => snapshot.entries.push(entry),
        }
    }
    snapshot.complete &= listed.complete;
    snapshot.notes = listed.notes;
    Ok(snapshot)
}

/// Records the wanted sockets of every process that may be read.
fn walk(want: &Want, snapshot: &mut Snapshot, known: &mut HashMap<u64, usize>) -> Result<()> {
    for pid in libproc::pids()? {
        if want.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            snapshot.complete = false;
            break;
        }
        match libproc::sockets(pid) {
            Ok(entries) => add_process(pid, entries, want, snapshot, known),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(_) => snapshot.unread.push(pid.unsigned_abs()),
        }
    }
    Ok(())
}

/// The sockets. Their holders are looked at only where the kernel does not list all sockets.
pub(crate) fn entries(want: &Want) -> Result<Vec<Entry>> {
    let listed = listed(want);
    if listed.complete { Ok(listed.entries) } else { Ok(snapshot(want)?.entries) }
}

/// The wanted sockets in the kernel's lists, and whether those are whole.
fn listed(want: &Want) -> Snapshot {
    let mut snapshot = Snapshot { complete: true, ..Snapshot::default() };
    if want.namespaces == Namespaces::Others {
        return snapshot;
    }
    let mut others = sys::user::is_root();
    let wanted = |protocol| want.protocol.is_none_or(|only| only == protocol);
    // UDP last: macOS itself has sockets of it under other users' names.
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        if !(wanted(protocol) || protocol == Protocol::Udp && !others && snapshot.complete) {
            continue;
        }
        match sysctl::pcb_list(protocol) {
            Ok(bytes) => {
                let entries = darwin::pcb_list(&bytes, protocol);
                others |= entries.iter().any(|entry| entry.uid.is_some_and(libproc::is_other));
                snapshot.entries.extend(entries.into_iter().filter(|entry| {
                    wanted(protocol) && want.includes(protocol, entry.state, entry.local.port())
                }));
            }
            Err(error) if wanted(protocol) => incomplete(&mut snapshot, &error.to_string()),
            Err(_) => others = true,
        }
    }
    // mDNSResponder, of a user of its own, always holds port 5353.
    if snapshot.complete && !others {
        incomplete(&mut snapshot, "macOS lists only those of this user here");
    }
    snapshot
}

/// Notes once that sockets may be missing.
fn incomplete(snapshot: &mut Snapshot, why: &str) {
    snapshot.complete = false;
    let note = format!("sockets of other users are missing: {why}");
    if !snapshot.notes.contains(&note) {
        snapshot.notes.push(note);
    }
}

/// Whether a process holds one of the sockets with these keys, which are sorted.
pub(crate) fn holds(pid: u32, keys: &[u64]) -> Result<bool> {
    let failed = |error| Error::from_io(format!("read the descriptors of process {pid}"), error);
    let Ok(pid) = c_int::try_from(pid) else { return Ok(false) };
    match libproc::sockets(pid) {
        Ok(entries) => Ok(entries.iter().any(|entry| keys.binary_search(&entry.key).is_ok())),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// The ports that the kernel gives to clients; `None` if it does not say.
pub(crate) fn ephemeral_ports() -> Option<RangeInclusive<u16>> {
    let first = number(c"net.inet.ip.portrange.first")?;
    let last = number(c"net.inet.ip.portrange.last")?;
    Some(u16::try_from(first).ok()?..=u16::try_from(last).ok()?)
}

/// The first port that needs no privilege to bind. Since macOS 10.14, all do at the
/// addresses that stand for every other (`in_pcbbind` and `in6_pcbbind` of xnu).
pub(crate) fn unprivileged_ports(is_wildcard: bool) -> u16 {
    if is_wildcard { 0 } else { 1024 }
}

/// What is privileged.
pub(crate) fn privileged_ports() -> String {
    "ports below 1024 are privileged, except at 0.0.0.0 and ::".to_owned()
}

/// The right that this process lacks to read the descriptors of every other.
pub fn missing_right() -> Option<Missing> {
    (!sys::user::is_root()).then_some(Missing::Root)
}

/// Whether packets to `ip` are delivered here: `None` if not. Which interface has
/// it is not asked; a link-local address without its interface counts as here, as
/// that cannot be known.
#[expect(clippy::option_option, reason = "Linux knows the interface")]
pub(crate) fn home(ip: IpAddr, zone: Option<&str>) -> Option<Option<u32>> {
    let is_here = match (ip, zone.and_then(interface_index)) {
        (IpAddr::V6(v6), Some(index)) => {
            free::can_bind_address(SocketAddrV6::new(v6, 0, 0, index).into())
        }
        (IpAddr::V6(v6), None) if v6.is_unicast_link_local() => true,
        _ => free::can_bind_address(SocketAddr::new(ip, 0)),
    };
    is_here.then_some(None)
}

/// The index of an interface, given by name or as a number.
#[expect(unsafe_code, reason = "if_nametoindex(3) is a C function")]
fn interface_index(zone: &str) -> Option<u32> {
    let name = CString::new(zone).ok()?;
    // SAFETY: the name is a string.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 { zone.parse().ok() } else { Some(index) }
}

/// The user that a process belongs to; `None` if it has ended.
pub(crate) fn user(pid: u32) -> Option<u32> {
    libproc::basics(c_int::try_from(pid).ok()?).map(|process| process.uid)
}

/// The name and parent of any user's process.
pub(crate) fn ancestor(pid: u32) -> Option<Ancestor> {
    let process = libproc::basics(c_int::try_from(pid).ok()?)?;
    Some(Ancestor { name: process.name, parent: process.parent })
}

/// Whether any user's process is stopped.
pub(crate) fn is_stopped(pid: u32) -> bool {
    c_int::try_from(pid).is_ok_and(libproc::is_stopped)
}

/// Whether launchd runs a process for a user, and not for the system: the user's
/// agents are not root's.
pub(crate) fn is_of_user_manager(pid: u32) -> bool {
    user(pid).is_some_and(|uid| uid != 0)
}

/// The arguments of a process; empty if they cannot be read.
pub(crate) fn command(pid: u32) -> Vec<String> {
    let start = c_int::try_from(pid).ok().and_then(sysctl::started_with);
    start.and_then(|bytes| darwin::arguments(&bytes)).unwrap_or_default()
}

/// What tells a process from every later one; `None` if it has ended.
pub(crate) fn identity(pid: u32) -> Option<u64> {
    libproc::identity(c_int::try_from(pid).ok()?)
}

/// The name of the interface with this index.
#[expect(unsafe_code, reason = "if_indextoname(3) is a C function")]
pub(crate) fn interface_name(index: u32) -> Option<String> {
    let mut name = [0u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE bytes that if_indextoname(3) asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    let name = CStr::from_bytes_until_nul(&name).ok()?;
    (!found.is_null()).then(|| name.to_string_lossy().into_owned())
}

/// Records the wanted sockets among those of one process, unless it has ended since:
/// if they are still there, they are in the kernel's list.
fn add_process(
    pid: c_int,
    mut entries: Vec<Entry>,
    want: &Want,
    snapshot: &mut Snapshot,
    known: &mut HashMap<u64, usize>,
) {
    entries.retain(|entry| want.includes(entry.protocol, entry.state, entry.local.port()));
    if entries.is_empty() {
        return;
    }
    let Some(process) = libproc::process(pid) else { return };
    let owner = snapshot.owners.len();
    snapshot.owners.push(process);
    for entry in entries {
        snapshot.holds.push((entry.key, owner));
        known.entry(entry.key).or_insert_with(|| {
            snapshot.entries.push(entry);
            snapshot.entries.len() - 1
        });
    }
}
