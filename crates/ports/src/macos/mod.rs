//! macOS: sockets and owners from libproc, other users' sockets from `pcblist_n`.
//!
//! libproc shows the descriptors of one's own processes (of all, to root) and
//! is the base. `net.inet.{tcp,udp}.pcblist_n` adds the sockets of everybody
//! else, without owners: the process ids in it name who touched a socket last.

#![expect(unsafe_code, reason = "libproc and sysctl are C functions")]

pub(crate) mod signal;

use std::collections::HashMap;
use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::ptr;
use std::time::Instant;

use jiff::Timestamp;
use sys::{Error, Result};

use crate::snapshot::{Entry, Namespaces, Snapshot, Want};
use crate::supervisor::Ancestor;
use crate::{Missing, Owner, Protocol, darwin, free};

// `sys/proc_info.h`; the crate libc has only some of them.
const PROC_ALL_PIDS: u32 = 1;
const PROC_PIDLISTFDS: c_int = 1;
const PROC_PIDTBSDINFO: c_int = 3;
const PROC_PIDVNODEPATHINFO: c_int = 9;
const PROC_PIDLISTFILEPORTS: c_int = 14;
/// Of `bsd/sys/proc_info_private.h` in xnu's source: no public header has it.
const PROC_PIDUNIQIDENTIFIERINFO: c_int = 17;
const PROC_PIDFDSOCKETINFO: c_int = 3;
const PROC_PIDFILEPORTSOCKETINFO: c_int = 3;

/// The sockets and their holders.
pub(crate) fn snapshot(want: &Want) -> Result<Snapshot> {
    let mut snapshot = Snapshot { complete: true, ..Snapshot::default() };
    if want.namespaces == Namespaces::Others {
        return Ok(snapshot);
    }
    let mut known: HashMap<u64, usize> = HashMap::new();
    for pid in pids()? {
        if want.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            snapshot.complete = false;
            break;
        }
        match sockets(pid) {
            Ok(entries) => add_process(pid, entries, want, &mut snapshot, &mut known),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(_) => snapshot.unread.push(pid.unsigned_abs()),
        }
    }
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        if want.protocol.is_some_and(|only| only != protocol) {
            continue;
        }
        match pcb_list(protocol) {
            Ok(bytes) => add_list(&bytes, protocol, want, &mut snapshot, &known),
            Err(error) => {
                snapshot.complete = false;
                snapshot.notes.push(format!("sockets of other users are missing: {error}"));
            }
        }
    }
    Ok(snapshot)
}

/// The sockets; here they cannot be had without looking at their holders.
pub(crate) fn entries(want: &Want) -> Result<Vec<Entry>> {
    snapshot(want).map(|snapshot| snapshot.entries)
}

/// Whether a process holds one of the sockets with these keys, which are sorted.
pub(crate) fn holds(pid: u32, keys: &[u64]) -> Result<bool> {
    let failed = |error| Error::from_io(format!("read the descriptors of process {pid}"), error);
    let Ok(pid) = c_int::try_from(pid) else { return Ok(false) };
    match sockets(pid) {
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

/// A sysctl that is an int.
fn number(name: &CStr) -> Option<c_int> {
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>();
    // SAFETY: `value` has `length` bytes.
    let read = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            (&raw mut value).cast(),
            &raw mut length,
            ptr::null_mut(),
            0,
        )
    };
    (read == 0 && length == size_of::<c_int>()).then_some(value)
}

/// The first port that needs no privilege to bind (ip(4)).
pub(crate) fn unprivileged_ports() -> u16 {
    1024
}

/// The right that this process lacks to read the descriptors of every other.
pub fn missing_right() -> Option<Missing> {
    (!sys::user::is_root()).then_some(Missing::Root)
}

/// Whether packets to `ip` are delivered here.
pub(crate) fn has_address(ip: IpAddr, _zone: Option<&str>) -> bool {
    free::can_bind_address(ip)
}

/// The user that a process belongs to; `None` if it has ended.
pub(crate) fn user(pid: u32) -> Option<u32> {
    basics(c_int::try_from(pid).ok()?).map(|process| process.uid)
}

/// The name and parent of a process.
pub(crate) fn ancestor(pid: u32) -> Option<Ancestor> {
    let process = basics(c_int::try_from(pid).ok()?)?;
    Some(Ancestor { name: process.name, parent: process.parent })
}

/// The arguments of a process; empty if they cannot be read.
pub(crate) fn command(pid: u32) -> Vec<String> {
    let start = c_int::try_from(pid).ok().and_then(started_with);
    start.and_then(|bytes| darwin::arguments(&bytes)).unwrap_or_default()
}

/// What tells a process from every later one; `None` if it has ended. The kernel
/// says it of any user's process.
pub(crate) fn identity(pid: u32) -> Option<u64> {
    let mut info = [0u8; darwin::IDENTITY_INFO];
    let pid = c_int::try_from(pid).ok()?;
    fill(pid, PROC_PIDUNIQIDENTIFIERINFO, &mut info).and_then(darwin::identity)
}

/// The name of the interface with this index.
pub(crate) fn interface_name(index: u32) -> Option<String> {
    let mut name = [0u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE bytes that if_indextoname(3) asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    let name = CStr::from_bytes_until_nul(&name).ok()?;
    (!found.is_null()).then(|| name.to_string_lossy().into_owned())
}

/// Records the wanted sockets among those of one process.
fn add_process(
    pid: c_int,
    entries: Vec<Entry>,
    want: &Want,
    snapshot: &mut Snapshot,
    known: &mut HashMap<u64, usize>,
) {
    let owner = snapshot.owners.len();
    let mut holds = Vec::new();
    for entry in entries {
        if want.includes(entry.protocol, entry.state, entry.local.port()) {
            holds.push((entry.key, owner));
            known.entry(entry.key).or_insert_with(|| {
                snapshot.entries.push(entry);
                snapshot.entries.len() - 1
            });
        }
    }
    if holds.is_empty() {
        return;
    }
    if let Some(process) = process(pid) {
        snapshot.owners.push(process);
        snapshot.holds.extend(holds);
    }
}

/// Adds the sockets that no visible process holds, and the users of the others.
fn add_list(
    bytes: &[u8],
    protocol: Protocol,
    want: &Want,
    snapshot: &mut Snapshot,
    known: &HashMap<u64, usize>,
) {
    for entry in darwin::pcb_list(bytes, protocol) {
        if let Some(&index) = known.get(&entry.key) {
            snapshot.entries[index].uid = entry.uid;
        } else if want.includes(protocol, entry.state, entry.local.port()) {
            snapshot.entries.push(entry);
        }
    }
}

/// Every process id.
fn pids() -> Result<Vec<c_int>> {
    let bytes = grow(4096, |buffer, size| {
        // SAFETY: `buffer` has `size` bytes, the limit that proc_listpids keeps.
        unsafe { libc::proc_listpids(PROC_ALL_PIDS, 0, buffer, size) }
    })
    .map_err(|error| Error::from_io("list processes", error))?;
    let (words, _) = bytes.as_chunks::<4>();
    Ok(words.iter().map(|word| c_int::from_ne_bytes(*word)).filter(|&pid| pid > 0).collect())
}

/// The TCP and UDP sockets of a process: of its descriptors and of its fileports.
fn sockets(pid: c_int) -> io::Result<Vec<Entry>> {
    let mut info = [0u8; darwin::SOCKET_INFO];
    let mut entries = Vec::new();
    for descriptor in darwin::sockets(&list(pid, PROC_PIDLISTFDS)?) {
        // SAFETY: `info` has the stated size; a descriptor that is gone gives 0.
        let length = unsafe {
            libc::proc_pidfdinfo(
                pid,
                descriptor.cast_signed(),
                PROC_PIDFDSOCKETINFO,
                info.as_mut_ptr().cast(),
                size(info.len()),
            )
        };
        entries.extend(filled(&info, length).and_then(darwin::socket));
    }
    // A process without fileports gives an empty list, which is no error.
    for port in darwin::sockets(&list(pid, PROC_PIDLISTFILEPORTS).unwrap_or_default()) {
        // SAFETY: as above.
        let length = unsafe {
            libc::proc_pidfileportinfo(
                pid,
                port,
                PROC_PIDFILEPORTSOCKETINFO,
                info.as_mut_ptr().cast(),
                size(info.len()),
            )
        };
        entries.extend(filled(&info, length).and_then(darwin::socket));
    }
    Ok(entries)
}

/// A list that `proc_pidinfo` gives of a process.
fn list(pid: c_int, flavor: c_int) -> io::Result<Vec<u8>> {
    grow(64 * darwin::DESCRIPTOR, |buffer, size| {
        // SAFETY: `buffer` has `size` bytes, the limit that proc_pidinfo keeps.
        unsafe { libc::proc_pidinfo(pid, flavor, 0, buffer, size) }
    })
}

/// What can be told of a process; `None` if it has ended.
fn process(pid: c_int) -> Option<Owner> {
    let process = basics(pid)?;
    let mut directory = vec![0u8; darwin::DIRECTORY_INFO];
    let started = Timestamp::from_second(process.start).ok();
    let start = started_with(pid).unwrap_or_default();
    Some(Owner {
        pid: u32::try_from(pid).ok()?,
        name: process.name,
        command: darwin::arguments(&start).unwrap_or_default(),
        exe: executable(pid),
        cwd: fill(pid, PROC_PIDVNODEPATHINFO, &mut directory).and_then(darwin::directory),
        uid: process.uid,
        user: None,
        parent: Some(process.parent),
        started,
        age: started
            .and_then(|start| u64::try_from(Timestamp::now().duration_since(start).as_secs()).ok()),
        service: darwin::launchd_label(&start),
        container: None,
        certain: true,
    })
}

fn basics(pid: c_int) -> Option<darwin::Process> {
    let mut info = [0u8; darwin::PROCESS_INFO];
    fill(pid, PROC_PIDTBSDINFO, &mut info).and_then(darwin::process)
}

/// Fills a fixed structure; `None` if the process may not be read or has ended.
fn fill(pid: c_int, flavor: c_int, buffer: &mut [u8]) -> Option<&[u8]> {
    let length = size(buffer.len());
    // SAFETY: `buffer` has `length` bytes.
    let length = unsafe { libc::proc_pidinfo(pid, flavor, 0, buffer.as_mut_ptr().cast(), length) };
    filled(buffer, length)
}

/// The buffer, if it was filled to its end: libproc fails with 0, not with -1.
fn filled(buffer: &[u8], length: c_int) -> Option<&[u8]> {
    (length == size(buffer.len())).then_some(buffer)
}

fn executable(pid: c_int) -> Option<String> {
    let mut path = [0u8; 4096]; // PROC_PIDPATHINFO_MAXSIZE
    // SAFETY: the buffer has the stated size.
    let length = unsafe { libc::proc_pidpath(pid, path.as_mut_ptr().cast(), 4096) };
    let path = path.get(..usize::try_from(length).ok()?)?;
    (!path.is_empty()).then(|| String::from_utf8_lossy(path).into_owned())
}

/// What a process was started with: `KERN_PROCARGS2`.
fn started_with(pid: c_int) -> Option<Vec<u8>> {
    let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, pid];
    let mut length = 0;
    // SAFETY: the name has three parts; without a buffer only the length is written.
    let asked = unsafe {
        libc::sysctl(name.as_mut_ptr(), 3, ptr::null_mut(), &raw mut length, ptr::null_mut(), 0)
    };
    if asked != 0 {
        return None;
    }
    let mut bytes = vec![0u8; length];
    // SAFETY: `bytes` has `length` bytes, and the kernel writes how many it used to `length`.
    let read = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            3,
            bytes.as_mut_ptr().cast(),
            &raw mut length,
            ptr::null_mut(),
            0,
        )
    };
    bytes.truncate(length);
    (read == 0).then_some(bytes)
}

/// Every user's sockets. The list may grow between asking for its size and reading it.
fn pcb_list(protocol: Protocol) -> io::Result<Vec<u8>> {
    let name = match protocol {
        Protocol::Tcp => c"net.inet.tcp.pcblist_n",
        Protocol::Udp => c"net.inet.udp.pcblist_n",
    };
    for _ in 0..4 {
        let mut length = 0;
        // SAFETY: without a buffer only the length is written.
        let asked = unsafe {
            libc::sysctlbyname(name.as_ptr(), ptr::null_mut(), &raw mut length, ptr::null_mut(), 0)
        };
        if asked != 0 {
            return Err(io::Error::last_os_error());
        }
        length += length / 4;
        let mut bytes = vec![0u8; length];
        // SAFETY: `bytes` has `length` bytes, and the kernel writes how many it used to `length`.
        let read = unsafe {
            libc::sysctlbyname(
                name.as_ptr(),
                bytes.as_mut_ptr().cast(),
                &raw mut length,
                ptr::null_mut(),
                0,
            )
        };
        if read == 0 {
            bytes.truncate(length);
            return Ok(bytes);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ENOMEM) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Calls `read` with larger and larger buffers until one is not filled to its end.
fn grow(first: usize, read: impl Fn(*mut c_void, c_int) -> c_int) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0u8; first];
    loop {
        // libproc returns 0 both for "nothing" and for an error; errno tells.
        // SAFETY: __error returns this thread's errno, which is always writable.
        unsafe { *libc::__error() = 0 };
        let length = read(bytes.as_mut_ptr().cast(), size(bytes.len()));
        let error = io::Error::last_os_error();
        let length = usize::try_from(length).unwrap_or(0);
        if length == 0 && error.raw_os_error() != Some(0) {
            return Err(error);
        }
        if length < bytes.len() {
            bytes.truncate(length);
            return Ok(bytes);
        }
        bytes.resize(bytes.len() * 2, 0);
    }
}

/// A buffer's size as libproc takes it.
fn size(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}
