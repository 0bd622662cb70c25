//! Linux: sockets from the kernel's tables, owners from a walk of `/proc/*/fd`.
//!
//! The walk reads links relative to each descriptor directory, on two threads,
//! and never opens a descriptor. A process that ends meanwhile is no error; one
//! that may not be read is counted.

use std::io;
use std::mem::MaybeUninit;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{Mode, OFlags, RawDir, fstat, openat, readlinkat, readlinkat_raw};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use sys::{Error, Result};

use crate::diag::Family;
use crate::tables::{TABLES, lists_silent, sockets, table};
use crate::{Entry, Owner, Snapshot, Want, cgroup, procfs};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The sockets and their holders.
pub(crate) fn snapshot(want: &Want) -> Result<Snapshot> {
    let mut snapshot = Snapshot { complete: true, ..Snapshot::default() };
    snapshot.entries = sockets(want, &mut snapshot.notes)?;
    // What the system cannot list is no proof that nothing is there.
    snapshot.complete = snapshot.notes.is_empty();
    if want.silent && !lists_silent() {
        snapshot.complete = false;
        if snapshot.entries.is_empty() {
            let note = "Linux before 6.8 does not list TCP that is bound without listening";
            snapshot.notes.push(note.to_owned());
        }
    }
    if snapshot.entries.is_empty() {
        return Ok(snapshot);
    }
    let proc = match rustix::fs::open("/proc", DIRECTORY, Mode::empty()) {
        Ok(proc) => proc,
        Err(errno) => return Ok(without_owners(snapshot, &io::Error::from(errno))),
    };
    let pids = match numbers(&proc) {
        Ok(pids) => pids,
        Err(errno) => return Ok(without_owners(snapshot, &io::Error::from(errno))),
    };
    if pids.is_empty() {
        // A mount point without a proc file system: even this process is missing.
        return Ok(without_owners(snapshot, &io::Error::from(io::ErrorKind::NotFound)));
    }
    let empty = walk(&proc, &pids, &mut snapshot, want.deadline, false)?;
    if !unowned(&snapshot).is_empty() && want.deadline.is_none() {
        settle(&proc, &pids, &empty, &mut snapshot, want)?;
    }
    Ok(snapshot)
}

/// The sockets without their holders.
pub(crate) fn entries(want: &Want) -> Result<Vec<Entry>> {
    sockets(want, &mut Vec::new())
}

/// Whether a process holds one of the sockets with these keys, which are sorted.
pub(crate) fn holds(pid: u32, keys: &[u64]) -> Result<bool> {
    let failed =
        |errno: Errno| Error::from_io(format!("read the descriptors of process {pid}"), errno);
    let proc = rustix::fs::open("/proc", DIRECTORY, Mode::empty()).map_err(failed)?;
    let walk = Walk {
        proc: &proc,
        pids: &[pid],
        keys: keys.to_vec(),
        next: AtomicUsize::new(0),
        clock: Clock::now(),
        deadline: None,
        threads: true,
    };
    match walk.process(pid, &mut Vec::new()) {
        Ok(holder) => Ok(matches!(holder, Holder::Yes(_))),
        Err(Errno::NOENT | Errno::SRCH) => Ok(false),
        Err(errno) => Err(failed(errno)),
    }
}

/// The ports that the kernel gives to clients (ip(7)); `None` if it does not say.
pub(crate) fn ephemeral_ports() -> Option<RangeInclusive<u16>> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    let bytes = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    procfs::stat(&bytes).map(|stat| stat.parent)
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

fn without_owners(mut snapshot: Snapshot, why: &io::Error) -> Snapshot {
    snapshot.complete = false;
    snapshot.notes.push(format!("owners are unknown: cannot read /proc: {why}"));
    snapshot
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
/// walk: drops the closed ones, and looks through processes that are new.
fn settle(
    proc: &OwnedFd,
    seen: &[u32],
    empty: &[u32],
    snapshot: &mut Snapshot,
    want: &Want,
) -> Result<()> {
    let unowned = unowned(snapshot);
    let is_unowned = |entry: &Entry| unowned.binary_search(&entry.key).is_ok();
    // Only the tables that such a socket stands in are asked again.
    let mut still = Vec::new();
    for (protocol, family) in TABLES {
        let concerned = |entry: &&Entry| {
            entry.protocol == protocol && entry.local.is_ipv4() == (family == Family::V4)
        };
        if snapshot.entries.iter().filter(concerned).any(is_unowned) {
            table(family, protocol, want, &mut still)?;
        }
    }
    let mut still: Vec<u64> = still.iter().map(|entry| entry.key).collect();
    still.sort_unstable();
    snapshot.entries.retain(|entry| !is_unowned(entry) || still.binary_search(&entry.key).is_ok());
    let mut new = numbers(proc).unwrap_or_default();
    new.retain(|pid| seen.binary_search(pid).is_err());
    walk(proc, &new, snapshot, want.deadline, true)?;
    // What could not be read explains a socket better than a process without its first thread.
    if snapshot.unread == 0 && !self::unowned(snapshot).is_empty() {
        walk(proc, empty, snapshot, want.deadline, true)?;
    }
    Ok(())
}

/// The PIDs in `/proc`, or the thread ids in a `task` directory, sorted.
fn numbers(directory: &OwnedFd) -> rustix::io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); 8 * 1024];
    let directory = openat(directory, ".", DIRECTORY, Mode::empty())?;
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        numbers.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Finds the holders of the snapshot's sockets among `pids`; gives back those that showed no descriptor.
fn walk(
    proc: &OwnedFd,
    pids: &[u32],
    snapshot: &mut Snapshot,
    deadline: Option<Instant>,
    threads: bool,
) -> Result<Vec<u32>> {
    /// Fewer processes are read before a second thread has started.
    const WORTH_A_THREAD: usize = 32;

    let mut keys: Vec<u64> = snapshot.entries.iter().map(|entry| entry.key).collect();
    keys.sort_unstable();
    keys.dedup();
    let walk = Walk {
        proc,
        pids,
        keys,
        next: AtomicUsize::new(0),
        clock: Clock::now(),
        deadline,
        threads,
    };
    let found = if pids.len() < WORTH_A_THREAD {
        vec![walk.run()]
    } else {
        std::thread::scope(|scope| {
            let other = std::thread::Builder::new().spawn_scoped(scope, || walk.run());
            let mut found = vec![walk.run()];
            // A thread that could not start has left the work to this one.
            if let Ok(other) = other {
                found.push(other.join().map_err(|_| Error::Unexpected {
                    doing: "read /proc".to_owned(),
                    what: "a thread that ended early".to_owned(),
                })?);
            }
            Ok(found)
        })?
    };
    let mut empty = Vec::new();
    for part in found {
        let offset = snapshot.owners.len();
        snapshot.owners.extend(part.owners);
        snapshot.holds.extend(part.holds.into_iter().map(|(key, owner)| (key, owner + offset)));
        snapshot.complete &= part.complete;
        snapshot.unread += part.unread;
        empty.extend(part.empty);
    }
    Ok(empty)
}

/// A walk that several threads share.
struct Walk<'a> {
    proc: &'a OwnedFd,
    pids: &'a [u32],
    /// Inodes of the wanted sockets, sorted.
    keys: Vec<u64>,
    /// Index of the first process that nobody has taken.
    next: AtomicUsize,
    clock: Clock,
    deadline: Option<Instant>,
    /// Whether to look at the threads of processes that show no descriptor.
    threads: bool,
}

/// Whether a process holds one of the wanted sockets.
enum Holder {
    Yes(Box<Owner>),
    No,
    /// It shows no descriptor at all: a thread of the kernel, or a process whose first thread has ended.
    Empty,
}

/// What one thread found.
struct Found {
    owners: Vec<Owner>,
    holds: Vec<(u64, usize)>,
    /// False if the time was over before the end.
    complete: bool,
    /// Processes that may not be read.
    unread: usize,
    /// Processes that showed no descriptor.
    empty: Vec<u32>,
}

impl Walk<'_> {
    fn run(&self) -> Found {
        /// Processes that a thread takes at a time.
        const CHUNK: usize = 4;

        let mut found = Found {
            owners: Vec::new(),
            holds: Vec::new(),
            complete: true,
            unread: 0,
            empty: Vec::new(),
        };
        let mut inodes = Vec::new();
        loop {
            let start = self.next.fetch_add(CHUNK, Ordering::Relaxed);
            let Some(rest) = self.pids.get(start..) else { return found };
            for &pid in rest.iter().take(CHUNK) {
                if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
                    found.complete = false;
                    return found;
                }
                inodes.clear();
                match self.process(pid, &mut inodes) {
                    Ok(Holder::Yes(owner)) => {
                        found.holds.extend(inodes.iter().map(|&key| (key, found.owners.len())));
                        found.owners.push(*owner);
                    }
                    Ok(Holder::No) | Err(Errno::NOENT | Errno::SRCH) => {}
                    Ok(Holder::Empty) => found.empty.push(pid),
                    Err(_) => found.unread += 1,
                }
            }
        }
    }

    /// Looks through the descriptors of a process, or of its threads if its first has ended.
    fn process(&self, pid: u32, inodes: &mut Vec<u64>) -> rustix::io::Result<Holder> {
        let first = self.descriptors(pid, &format!("{pid}/fd"), inodes)?;
        if !(self.threads && matches!(first, Holder::Empty)) {
            return Ok(first);
        }
        let task = openat(self.proc, format!("{pid}/task"), DIRECTORY, Mode::empty())?;
        for thread in numbers(&task)?.into_iter().filter(|thread| *thread != pid) {
            match self.descriptors(pid, &format!("{pid}/task/{thread}/fd"), inodes) {
                // Threads without a table of their own all show the same one.
                Ok(Holder::Empty) | Err(Errno::NOENT | Errno::SRCH) => {}
                found => return found,
            }
        }
        Ok(Holder::Empty)
    }

    /// Collects the wanted sockets of a descriptor directory into `inodes`.
    fn descriptors(
        &self,
        pid: u32,
        path: &str,
        inodes: &mut Vec<u64>,
    ) -> rustix::io::Result<Holder> {
        // About 40 entries: a process that denies its links has not had all of
        // its descriptors listed for nothing.
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let directory = openat(self.proc, path, DIRECTORY, Mode::empty())?;
        let mut entries = RawDir::new(&directory, &mut buffer);
        let mut empty = true;
        while let Some(entry) = entries.next() {
            let entry = entry?;
            if entry.file_name().to_bytes().starts_with(b".") {
                continue;
            }
            empty = false;
            let mut link = [MaybeUninit::uninit(); 32];
            match readlinkat_raw(&directory, entry.file_name(), &mut link[..]) {
                Ok((link, _)) => inodes.extend(
                    procfs::socket_inode(link).filter(|key| self.keys.binary_search(key).is_ok()),
                ),
                // Closed meanwhile.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        if inodes.is_empty() {
            return Ok(if empty { Holder::Empty } else { Holder::No });
        }
        // By way of the open directory: the PID could already be another's.
        let process = openat(&directory, "..", DIRECTORY | OFlags::PATH, Mode::empty())?;
        self.clock.owner(pid, process.as_fd()).map(|owner| Holder::Yes(Box::new(owner)))
    }
}

/// The present moment on the clock that process start times use, and on the wall.
struct Clock {
    since_boot: SignedDuration,
    wall: Timestamp,
    ticks_per_second: u64,
}

impl Clock {
    fn now() -> Self {
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Self {
            since_boot: SignedDuration::new(boot.tv_sec, i32::try_from(boot.tv_nsec).unwrap_or(0)),
            wall: Timestamp::now(),
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
        }
    }

    /// What `/proc/PID` tells of a process; an error if it has ended.
    fn owner(&self, pid: u32, process: BorrowedFd) -> rustix::io::Result<Owner> {
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
fn link(process: BorrowedFd, name: &str) -> Option<String> {
    let target = readlinkat(process, name, Vec::new()).ok()?;
    Some(String::from_utf8_lossy(target.to_bytes()).into_owned())
}

/// A whole file of `/proc/PID`.
fn read(process: BorrowedFd, name: &str) -> rustix::io::Result<Vec<u8>> {
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
