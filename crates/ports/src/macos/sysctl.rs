//! What sysctl(3) tells: numbers, the start of a process, every user's sockets.

#![expect(unsafe_code, reason = "sysctl(3) is a C function")]

use std::ffi::{CStr, c_int};
use std::io;
use std::ptr;

use crate::Protocol;

/// A sysctl that is an int.
pub(super) fn number(name: &CStr) -> Option<c_int> {
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

/// What a process was started with: `KERN_PROCARGS2`.
pub(super) fn started_with(pid: c_int) -> Option<Vec<u8>> {
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
pub(super) fn pcb_list(protocol: Protocol) -> io::Result<Vec<u8>> {
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
