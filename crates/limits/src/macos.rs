//! macOS: limits from getrlimit(2), ceilings from sysctl, use from libproc.
//!
//! Nobody can read or change the limits of another process here, and nothing
//! honours a limit on the address space, so its use is not told.

#![expect(unsafe_code, reason = "libproc and sysctl are C functions")]

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::io;
use std::ptr;

use rustix::io::Errno;
use rustix::process::{Pid, Resource as Raw, Rlimit};
use sys::{Error, Result};

use crate::resource::MEMORY_OF_MACOS as MEMORY;
use crate::watches::Holder;
use crate::{Ceiling, KernelLimit, Pair, Parameter, Resource, State, Use, Value};

// `sys/proc_info.h`; the crate libc has only some of them.
const PROC_RUID_ONLY: u32 = 5;
const PROC_ALL_PIDS: u32 = 1;
const PROC_PIDLISTFDS: c_int = 1;
/// The size of `struct proc_fdinfo`.
const DESCRIPTOR: usize = 8;

/// Whether the limits of another process can be changed.
pub(crate) const CHANGES_OTHERS: bool = false;
/// The name of a parameter of the kernel here.
pub(crate) fn shown_name(name: &'static str) -> &'static str {
    if name == "MemTotal" { MEMORY } else { name }
}

/// What a process needs to lift a hard limit.
pub const LIFTS_HARD: &str = "root";

/// The number of a limit in setrlimit(2); `None` if this system lacks it. `rss`
/// has the same number as `as`.
pub(crate) fn raw(resource: &Resource) -> Option<Raw> {
    Some(match resource.name {
        "as" => Raw::As,
        "core" => Raw::Core,
        "cpu" => Raw::Cpu,
        "data" => Raw::Data,
        "fsize" => Raw::Fsize,
        "memlock" => Raw::Memlock,
        "nofile" => Raw::Nofile,
        "nproc" => Raw::Nproc,
        "stack" => Raw::Stack,
        _ => return None,
    })
}

pub(crate) fn get(resource: &Resource) -> Option<Pair> {
    raw(resource).map(|raw| pair(rustix::process::getrlimit(raw)))
}

fn pair(limit: Rlimit) -> Pair {
    let value = |number: Option<u64>| number.map_or(Value::Unlimited, Value::Number);
    Pair { soft: value(limit.current), hard: value(limit.maximum) }
}

/// What the kernel makes of a pair that is as high as can be.
///
/// It lowers both numbers of nproc to `kern.maxprocperuid` without a word, and
/// opens no more than `kern.maxfilesperproc` files, whatever nofile says; up to
/// macOS 10.15 it refused a higher soft limit (`dosetrlimit` of xnu).
pub(crate) fn attainable(resource: &Resource, pair: Pair, is_max: bool) -> Pair {
    let most = |name| number(name).map_or(Value::Unlimited, Value::Number);
    match resource.name {
        "nofile" if is_max => Pair { soft: pair.soft.min(most(c"kern.maxfilesperproc")), ..pair },
        "nproc" => {
            let is_root = rustix::process::geteuid().is_root();
            let most = most(if is_root { c"kern.maxproc" } else { c"kern.maxprocperuid" });
            let soft = if is_max { pair.soft.min(most) } else { pair.soft };
            Pair { soft, hard: pair.hard.min(most).max(soft) }
        }
        _ => pair,
    }
}

/// The limits of another process: an error, unless it is this one.
pub(crate) fn limits_of(pid: u32) -> Result<Vec<(&'static Resource, Pair)>> {
    if pid == std::process::id() {
        let own = |resource| get(resource).map(|pair| (resource, pair));
        return Ok(crate::RESOURCES.iter().filter_map(own).collect());
    }
    Err(unsupported(pid, format!("read the limits of process {pid}")))
}

pub(crate) fn set_limit_of(pid: u32, resource: &Resource, _new: Pair) -> Result<()> {
    Err(unsupported(pid, format!("set {} of process {pid}", resource.name)))
}

fn unsupported(pid: u32, doing: String) -> Error {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if raw.map_or(Err(Errno::SRCH), rustix::process::test_kill_process) == Err(Errno::SRCH) {
        return Error::from_io(doing, Errno::SRCH);
    }
    let why =
        "macOS keeps the limits of a process to itself; mx limits run sets them for a command";
    Error::Unsupported { doing, why: why.to_owned() }
}

/// The process that started this one.
pub(crate) fn parent() -> u32 {
    let parent = rustix::process::getppid().unwrap_or_else(rustix::process::getpid);
    parent.as_raw_nonzero().get().unsigned_abs()
}

/// What is read of the system.
pub(crate) struct System {
    pid: u32,
    hidden: Cell<bool>,
}

impl System {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid, hidden: Cell::new(false) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether something of the process could not be read.
    pub(crate) fn is_partly_hidden(&self) -> bool {
        self.hidden.get()
    }

    /// What stops a process where its limit does not.
    #[expect(clippy::unused_self, reason = "the same signature on every system")]
    pub(crate) fn ceiling(&self, resource: &Resource) -> Option<Ceiling> {
        let sysctl = |name: &CStr, source| Some(Ceiling { value: number(name)?, source });
        match resource.name {
            "nofile" => sysctl(c"kern.maxfilesperproc", "kern.maxfilesperproc"),
            "nproc" => sysctl(c"kern.maxprocperuid", "kern.maxprocperuid"),
            "memlock" => sysctl(c"hw.memsize", MEMORY),
            _ => None,
        }
    }

    /// How much of a limit the process uses, or its user.
    pub(crate) fn used(&self, resource: &Resource, _limit: Option<u64>) -> Use {
        let exactly = match resource.name {
            "nofile" => self.open_files(),
            "nproc" => pids(PROC_RUID_ONLY, rustix::process::getuid().as_raw()),
            _ => None,
        };
        Use { exactly, at_most: None }
    }

    /// Whether there is such a limit here.
    pub(crate) fn has(&self, parameter: &'static Parameter) -> bool {
        !self.parameter(parameter).is_empty()
    }

    /// What the rows do not hold: nothing.
    #[expect(clippy::unused_self, reason = "Linux looks at the system")]
    pub(crate) fn notes_on(&self, _kernel: &[KernelLimit]) -> Option<String> {
        None
    }

    /// Nobody holds inotify watches, which only Linux has.
    #[expect(clippy::unused_self, reason = "Linux looks at the system")]
    pub(crate) fn holders(&self) -> Result<(Vec<Holder>, u64)> {
        let (doing, why) = ("list inotify watches".to_owned(), "only Linux has them".to_owned());
        Err(Error::Unsupported { doing, why })
    }

    /// Needed for watches only.
    #[expect(clippy::unused_self, reason = "Linux looks at the system")]
    pub(crate) fn user(&self) -> Option<u32> {
        None
    }

    /// A limit of the kernel.
    #[expect(clippy::unused_self, reason = "the same signature on every system")]
    pub(crate) fn parameter(&self, parameter: &'static Parameter) -> Vec<KernelLimit> {
        let (value, used) = match parameter.name {
            "kern.maxfiles" => (number(c"kern.maxfiles"), number(c"kern.num_files")),
            "kern.maxfilesperproc" => (number(c"kern.maxfilesperproc"), None),
            "kern.maxproc" => (number(c"kern.maxproc"), pids(PROC_ALL_PIDS, 0)),
            "kern.maxprocperuid" => (number(c"kern.maxprocperuid"), None),
            "MemTotal" => (number(c"hw.memsize"), None),
            _ => (None, None),
        };
        let limit = |value| KernelLimit {
            name: shown_name(parameter.name),
            description: parameter.description,
            unit: parameter.unit,
            value,
            used,
            state: used.map(|used| State::of(used, value)),
            cgroup: None,
            file: None,
            parameter,
        };
        value.map(limit).into_iter().collect()
    }

    fn open_files(&self) -> Option<u64> {
        let pid = c_int::try_from(self.pid).ok()?;
        let list = |buffer: &mut [u8]| {
            // SAFETY: the kernel writes at most as many bytes as the buffer has.
            unsafe {
                libc::proc_pidinfo(
                    pid,
                    PROC_PIDLISTFDS,
                    0,
                    buffer.as_mut_ptr().cast(),
                    size(buffer.len()),
                )
            }
        };
        match length(list) {
            Ok(bytes) => u64::try_from(bytes / DESCRIPTOR).ok(),
            Err(error) => {
                let denied = error.kind() == io::ErrorKind::PermissionDenied;
                self.hidden.set(self.hidden.get() || denied);
                None
            }
        }
    }
}

/// A sysctl that is a number of four or eight bytes.
fn number(name: &CStr) -> Option<u64> {
    let mut bytes = [0u8; 8];
    let mut length = bytes.len();
    // SAFETY: `bytes` has `length` bytes.
    let read = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            bytes.as_mut_ptr().cast(),
            &raw mut length,
            ptr::null_mut(),
            0,
        )
    };
    // Little-endian, as every Mac since 2006: the rest of a short number is zero.
    (read == 0 && matches!(length, 4 | 8)).then(|| u64::from_le_bytes(bytes))
}

/// How many processes there are of a kind.
fn pids(kind: u32, argument: u32) -> Option<u64> {
    let list = |buffer: &mut [u8]| {
        // SAFETY: the kernel writes at most as many bytes as the buffer has.
        unsafe {
            libc::proc_listpids(kind, argument, buffer.as_mut_ptr().cast(), size(buffer.len()))
        }
    };
    u64::try_from(length(list).ok()? / size_of::<libc::pid_t>()).ok()
}

/// Calls `list` with larger and larger buffers until one is not filled to its
/// end, and returns how much it wrote.
fn length(list: impl Fn(&mut [u8]) -> c_int) -> io::Result<usize> {
    let mut buffer = vec![0u8; 4096];
    loop {
        // libproc returns 0 both for "nothing" and for an error; errno tells.
        // SAFETY: __error returns this thread's errno, which is always writable.
        unsafe { *libc::__error() = 0 };
        let written = list(&mut buffer);
        let error = io::Error::last_os_error();
        let written = usize::try_from(written).unwrap_or(0);
        if written == 0 && error.raw_os_error() != Some(0) {
            return Err(error);
        }
        if written < buffer.len() {
            return Ok(written);
        }
        buffer.resize(buffer.len() * 2, 0);
    }
}

/// A buffer's size as libproc takes it.
fn size(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}
