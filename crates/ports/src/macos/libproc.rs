//! What libproc tells of processes and their sockets.

#![expect(unsafe_code, reason = "libproc has C functions only")]

use std::ffi::{c_int, c_void};
use std::io;

use jiff::Timestamp;
use sys::{Error, Result};

use super::sysctl::started_with;
use crate::snapshot::Entry;
use crate::{Owner, darwin};

// `sys/proc_info.h`; the crate libc has only some of them.
const PROC_ALL_PIDS: u32 = 1;
const PROC_PIDLISTFDS: c_int = 1;
const PROC_PIDTBSDINFO: c_int = 3;
const PROC_PIDVNODEPATHINFO: c_int = 9;
const PROC_PIDT_SHORTBSDINFO: c_int = 13;
const PROC_PIDLISTFILEPORTS: c_int = 14;
/// Of `bsd/sys/proc_info_private.h` in xnu's source: no public header has it.
const PROC_PIDUNIQIDENTIFIERINFO: c_int = 17;
const PROC_PIDFDSOCKETINFO: c_int = 3;
const PROC_PIDFILEPORTSOCKETINFO: c_int = 3;

/// Whether a user is another one than this process runs as.
pub(super) fn is_other(uid: u32) -> bool {
    // SAFETY: geteuid(2) takes nothing and always succeeds.
    uid != unsafe { libc::geteuid() }
}

/// Every process id.
pub(super) fn pids() -> Result<Vec<c_int>> {
    let bytes = grow(4096, |buffer, size| {
        // SAFETY: `buffer` has `size` bytes, the limit that proc_listpids keeps.
        unsafe { libc::proc_listpids(PROC_ALL_PIDS, 0, buffer, size) }
    })
    .map_err(|error| Error::from_io("list processes", error))?;
    let (words, _) = bytes.as_chunks::<4>();
    Ok(words.iter().map(|word| c_int::from_ne_bytes(*word)).filter(|&pid| pid > 0).collect())
}

/// The TCP and UDP sockets of a process: of its descriptors and of its fileports.
pub(super) fn sockets(pid: c_int) -> io::Result<Vec<Entry>> {
    let mut info = [0u8; darwin::SOCKET_INFO];
    let mut entries = Vec::new();
    for descriptor in darwin::sockets(&list(pid, PROC_PIDLISTFDS)?) {
        let number = descriptor.cast_signed();
        let length = described(&mut info, |buffer, size| {
            // SAFETY: `buffer` has `size` bytes.
            unsafe { libc::proc_pidfdinfo(pid, number, PROC_PIDFDSOCKETINFO, buffer, size) }
        })?;
        entries.extend(filled(&info, length).and_then(darwin::socket));
    }
    for port in darwin::sockets(&list(pid, PROC_PIDLISTFILEPORTS)?) {
        let length = described(&mut info, |buffer, size| {
            // SAFETY: as above.
            unsafe {
                libc::proc_pidfileportinfo(pid, port, PROC_PIDFILEPORTSOCKETINFO, buffer, size)
            }
        })?;
        entries.extend(filled(&info, length).and_then(darwin::socket));
    }
    Ok(entries)
}

/// Asks for a socket; 0 if its descriptor was closed, or got another use, since it was listed.
fn described(info: &mut [u8], ask: impl FnOnce(*mut c_void, c_int) -> c_int) -> io::Result<c_int> {
    match answered(|| ask(info.as_mut_ptr().cast(), size(info.len()))) {
        Err(error) if is_closed(&error) => Ok(0),
        answer => answer,
    }
}

/// What libproc says of a number that is no socket: EBADF and ENOTSOCK of a
/// descriptor, EINVAL and EOPNOTSUPP of a fileport (`proc_info.c` of xnu).
fn is_closed(error: &io::Error) -> bool {
    let gone = [libc::EBADF, libc::ENOTSOCK, libc::EINVAL, libc::EOPNOTSUPP, libc::ENOTSUP];
    error.raw_os_error().is_some_and(|number| gone.contains(&number))
}

/// A list that `proc_pidinfo` gives of a process.
fn list(pid: c_int, flavor: c_int) -> io::Result<Vec<u8>> {
    grow(64 * darwin::DESCRIPTOR, |buffer, size| {
        // SAFETY: `buffer` has `size` bytes, the limit that proc_pidinfo keeps.
        unsafe { libc::proc_pidinfo(pid, flavor, 0, buffer, size) }
    })
}

/// What is known of a process; `None` if it has ended, also where another has got its
/// PID meanwhile: no owner is made of two processes.
pub(super) fn process(pid: c_int) -> Option<Owner> {
    let first = identity(pid)?;
    let process = basics(pid)?;
    let mut directory = vec![0u8; darwin::DIRECTORY_INFO];
    let started = process.start.and_then(|start| Timestamp::from_second(start).ok());
    let start = started_with(pid).unwrap_or_default();
    let owner = Owner {
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
    };
    (identity(pid) == Some(first)).then_some(owner)
}

/// The name, parent and user of a process; `None` if it has ended.
///
/// The kernel tells as much of any user's process only in short: without the
/// start, and with a name of 15 bytes.
pub(super) fn basics(pid: c_int) -> Option<darwin::Process> {
    let mut info = [0u8; darwin::PROCESS_INFO];
    let in_full = fill(pid, PROC_PIDTBSDINFO, &mut info).and_then(darwin::process);
    in_full.or_else(|| {
        let mut short = [0u8; darwin::SHORT_INFO];
        fill(pid, PROC_PIDT_SHORTBSDINFO, &mut short).and_then(darwin::short_process)
    })
}

/// Whether a process is stopped.
pub(super) fn is_stopped(pid: c_int) -> bool {
    let mut short = [0u8; darwin::SHORT_INFO];
    fill(pid, PROC_PIDT_SHORTBSDINFO, &mut short).is_some_and(darwin::is_stopped)
}

/// What tells a process from every later one; `None` if it has ended. The kernel
/// says it of any user's process.
pub(super) fn identity(pid: c_int) -> Option<u64> {
    let mut info = [0u8; darwin::IDENTITY_INFO];
    fill(pid, PROC_PIDUNIQIDENTIFIERINFO, &mut info).and_then(darwin::identity)
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

/// Calls `read` with larger and larger buffers until one is not filled to its end.
fn grow(first: usize, read: impl Fn(*mut c_void, c_int) -> c_int) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0u8; first];
    loop {
        let length = answered(|| read(bytes.as_mut_ptr().cast(), size(bytes.len())))?;
        let length = usize::try_from(length).unwrap_or(0);
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

/// What libproc answers. It returns 0 both for "nothing" and for an error (its
/// own `libproc.c` makes it of -1), so errno tells, once an older one is cleared.
fn answered(ask: impl FnOnce() -> c_int) -> io::Result<c_int> {
    // SAFETY: __error returns this thread's errno, which is always writable.
    unsafe { *libc::__error() = 0 };
    let answer = ask();
    let error = io::Error::last_os_error();
    if answer > 0 || error.raw_os_error() == Some(0) { Ok(answer) } else { Err(error) }
}
