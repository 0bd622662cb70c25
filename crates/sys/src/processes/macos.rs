//! macOS: processes from libproc. Their arguments are not read.

#![expect(unsafe_code, reason = "libproc has C functions only")]

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;

use nix::libc;

use super::Process;
use crate::{Error, Result};

/// `PROC_ALL_PIDS` of `sys/proc_info.h`.
const ALL: u32 = 1;
/// `SZOMB` of `sys/proc.h`.
const ZOMBIE: u32 = 5;

pub(super) fn list() -> Result<Vec<Process>> {
    let pids = pids().map_err(|error| Error::from_io("list processes", error))?;
    Ok(pids.into_iter().filter_map(process).collect())
}

fn pids() -> io::Result<Vec<c_int>> {
    let mut pids: Vec<c_int> = vec![0; 1024];
    loop {
        let size = c_int::try_from(size_of_val(pids.as_slice())).map_err(io::Error::other)?;
        // libproc returns 0 for an error, and leaves an older errno where there is none.
        // SAFETY: __error returns this thread's errno, which is always writable.
        unsafe { *libc::__error() = 0 };
        // SAFETY: the kernel writes at most `size` bytes, which the vector has.
        let written = unsafe { libc::proc_listpids(ALL, 0, pids.as_mut_ptr().cast(), size) };
        let count = usize::try_from(written).unwrap_or(0) / size_of::<c_int>();
        if count == 0 {
            let error = io::Error::last_os_error();
            let none = io::Error::other("the kernel lists none");
            return Err(if error.raw_os_error() == Some(0) { none } else { error });
        }
        if count < pids.len() {
            pids.truncate(count);
            return Ok(pids);
        }
        pids.resize(2 * count, 0);
    }
}

/// `None` for a process that may not be read, has ended, or is the kernel.
fn process(pid: c_int) -> Option<Process> {
    let mut info = MaybeUninit::<libc::proc_bsdinfo>::uninit();
    let size = c_int::try_from(size_of_val(&info)).ok()?;
    // SAFETY: `info` has `size` bytes.
    let written = unsafe {
        libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, info.as_mut_ptr().cast(), size)
    };
    if written != size || pid == 0 {
        return None;
    }
    // SAFETY: all of it was written, and any bytes are such a structure.
    let info = unsafe { info.assume_init() };
    let name = Some(text(&info.pbi_name)).filter(|name| !name.is_empty());
    (info.pbi_status != ZOMBIE).then(|| Process {
        pid: info.pbi_pid,
        group: info.pbi_pgid,
        uid: info.pbi_uid,
        name: name.unwrap_or_else(|| text(&info.pbi_comm)),
        command: Vec::new(),
        started: info.pbi_start_tvsec,
    })
}

/// A text that ends at a NUL, or at the end of its field.
fn text(field: &[c_char]) -> String {
    let bytes: Vec<u8> = field.iter().map(|&char| char.cast_unsigned()).chain([0]).collect();
    CStr::from_bytes_until_nul(&bytes)
        .map_or_else(|_| String::new(), |text| text.to_string_lossy().into_owned())
}
