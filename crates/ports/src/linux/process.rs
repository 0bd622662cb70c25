//! What `/proc/PID` tells of one process.

#![expect(unsafe_code, reason = "kcmp(2) has no wrapper")]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;

use crate::{Owner, cgroup, procfs};

/// Whether two threads have one table of descriptors. Where that cannot be
/// told (kcmp(2) not built in, or no right to look) they are taken to have.
pub(super) fn share_descriptors(one: u32, other: u32) -> bool {
    /// `KCMP_FILES` of `linux/kcmp.h`.
    const KCMP_FILES: libc::c_long = 2;

    let unused: libc::c_long = 0;
    let (one, other) = (libc::c_long::from(one), libc::c_long::from(other));
    // SAFETY: kcmp takes numbers only, and changes nothing.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, unused, unused) };
    order <= 0
}

/// The name of a process, in full.
pub(super) fn name(proc: &OwnedFd, pid: u32) -> Option<String> {
    let process = proc.as_fd();
    // Far cheaper than `stat`, which adds up the times of all threads.
    let comm = read(process, &format!("{pid}/comm")).ok()?;
    let comm = String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned();
    if !procfs::may_be_cut(&comm) {
        return Some(comm);
    }
    let command = procfs::cmdline(&read(process, &format!("{pid}/cmdline")).unwrap_or_default());
    let exe = link(process, &format!("{pid}/exe"));
    Some(procfs::full_name(comm, exe.as_deref(), &command))
}

/// The present moment on the clock that process start times use, and on the wall.
pub(super) struct Clock {
    since_boot: SignedDuration,
    wall: Timestamp,
    ticks_per_second: u64,
}

impl Clock {
    pub(super) fn now() -> Self {
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Self {
            since_boot: SignedDuration::new(boot.tv_sec, i32::try_from(boot.tv_nsec).unwrap_or(0)),
            wall: Timestamp::now(),
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
        }
    }

    /// What `/proc/PID` tells of a process; an error if it has ended.
    pub(super) fn owner(&self, pid: u32, process: BorrowedFd) -> rustix::io::Result<Owner> {
        let stat = procfs::stat(&read(process, "stat")?).ok_or(Errno::SRCH)?;
        let command = procfs::cmdline(&read(process, "cmdline").unwrap_or_default());
        let exe = link(process, "exe");
        let age = self.age(stat.start);
        let cgroup = read(process, "cgroup").unwrap_or_default();
        Ok(Owner {
            pid,
            name: procfs::full_name(stat.name, exe.as_deref(), &command),
            command,
            exe,
            cwd: link(process, "cwd"),
            // The owner of this directory is the effective user, also of a
            // process that is not dumpable (`task_dump_owner` in fs/proc).
            uid: fstat(process)?.st_uid,
            user: None,
            parent: Some(stat.parent),
            started: self.wall.checked_sub(age).ok().map(whole_second),
            age: u64::try_from(age.as_secs()).ok(),
            service: procfs::unit(&cgroup),
            container: cgroup::container(&cgroup),
            certain: true,
        })
    }

    /// Time since a start given in ticks since boot; zero if it lies ahead.
    fn age(&self, start: u64) -> SignedDuration {
        let millis = u128::from(start) * 1000 / u128::from(self.ticks_per_second);
        let start = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        self.since_boot.saturating_sub(start).max(SignedDuration::ZERO)
    }
}

/// Start times are known to a hundredth of a second at best.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The text behind a link, such as `exe`; `None` if it may not be read.
pub(super) fn link(process: BorrowedFd, name: &str) -> Option<String> {
    let target = readlinkat(process, name, Vec::new()).ok()?;
    Some(String::from_utf8_lossy(target.to_bytes()).into_owned())
}

/// A whole file of `/proc`, relative to a directory of it.
pub(super) fn read(process: impl AsFd, name: &str) -> rustix::io::Result<Vec<u8>> {
    let file = openat(process, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(bytes.capacity());
        }
        match rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
