//! What sysctl(3) tells: numbers, the start of a process, every user's sockets.

#![expect(unsafe_code, reason = "sysctl(3) is a C function")]

use std::ffi::{CStr, c_int, c_void};
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
    let ask = |buffer, length: &mut usize| {
        let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, pid];
        // SAFETY: the name has three parts, and the buffer has `length` bytes or is none.
        unsafe { libc::sysctl(name.as_mut_ptr(), 3, buffer, length, ptr::null_mut(), 0) }
    };
    // No more room than that: the kernel refuses a buffer of more than ARG_MAX.
    whole(ask, |length| length + 8).ok()
}

/// Every user's sockets.
pub(super) fn pcb_list(protocol: Protocol) -> io::Result<Vec<u8>> {
    let name = match protocol {
        Protocol::Tcp => c"net.inet.tcp.pcblist_n",
        Protocol::Udp => c"net.inet.udp.pcblist_n",
    };
    let ask = |buffer, length: &mut usize| {
        // SAFETY: the name is a string, and the buffer has `length` bytes or is none.
        unsafe { libc::sysctlbyname(name.as_ptr(), buffer, length, ptr::null_mut(), 0) }
    };
    whole(ask, |length| length + length / 4)
}

/// Asks for the length of something and then reads it, again if it has grown
/// meanwhile. A buffer that is full to its end may be cut: of the arguments of a
/// process the kernel gives what fits, without an error (`sysctl_procargsx` of xnu).
fn whole(
    ask: impl Fn(*mut c_void, &mut usize) -> c_int,
    room: impl Fn(usize) -> usize,
) -> io::Result<Vec<u8>> {
    for _ in 0..4 {
        let mut length = 0;
        if ask(ptr::null_mut(), &mut length) != 0 {
            return Err(io::Error::last_os_error());
        }
        length = room(length);
        let mut bytes = vec![0u8; length];
        let read = ask(bytes.as_mut_ptr().cast(), &mut length);
        let error = io::Error::last_os_error();
        if read == 0 && length < bytes.len() {
            bytes.truncate(length);
            return Ok(bytes);
        }
        if read != 0 && error.raw_os_error() != Some(libc::ENOMEM) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}
