//! The walk through `/proc/*/fd`: which processes hold which sockets.
//!
//! Links are read relative to each descriptor directory, on two threads; no
//! descriptor is opened. A process that ends meanwhile is no error; one that
//! may not be read is counted.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, openat, readlinkat_raw, statat};
use rustix::io::Errno;
use sys::{Error, Result};

use super::DIRECTORY;
use super::process::{Clock, share_descriptors};
use crate::snapshot::Snapshot;
use crate::{Owner, procfs};

/// Which tables of descriptors to look through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tables {
    /// That of a process: of its first thread.
    First,
    /// Those that threads have to themselves (`CLONE_FILES`, unshare(2)), also
    /// where the first thread has ended.
    Threads,
    /// Both.
    All,
}

/// The PIDs in `/proc`, or the thread ids in a `task` directory, sorted.
pub(super) fn numbers(directory: &OwnedFd) -> rustix::io::Result<Vec<u32>> {
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

/// Whether a process holds one of the sockets with these inodes, which are sorted.
pub(super) fn holds(proc: &OwnedFd, pid: u32, keys: &[u64]) -> rustix::io::Result<bool> {
    let pids = [pid];
    let walk = Walk::new(proc, &pids, keys.to_vec(), None, Tables::All);
    match walk.process(pid, &mut Vec::new()) {
        Ok(owner) => Ok(owner.is_some()),
        Err(Errno::NOENT | Errno::SRCH) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Adds the holders of `keys` among `pids` to the snapshot.
pub(super) fn walk(
    proc: &OwnedFd,
    pids: &[u32],
    mut keys: Vec<u64>,
    snapshot: &mut Snapshot,
    deadline: Option<Instant>,
    tables: Tables,
) -> Result<()> {
    /// Fewer processes are read before a second thread has started.
    const WORTH_A_THREAD: usize = 32;

    keys.sort_unstable();
    keys.dedup();
    let walk = Walk::new(proc, pids, keys, deadline, tables);
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
    for part in found {
        let offset = snapshot.owners.len();
        snapshot.owners.extend(part.owners);
        snapshot.holds.extend(part.holds.into_iter().map(|(key, owner)| (key, owner + offset)));
        snapshot.complete &= part.complete;
        snapshot.unread.extend(part.unread);
    }
    Ok(())
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
    tables: Tables,
}

/// What one thread found.
struct Found {
    owners: Vec<Owner>,
    holds: Vec<(u64, usize)>,
    /// False if the time was over before the end.
    complete: bool,
    /// Processes that may not be read.
    unread: Vec<u32>,
}

impl<'a> Walk<'a> {
    fn new(
        proc: &'a OwnedFd,
        pids: &'a [u32],
        keys: Vec<u64>,
        deadline: Option<Instant>,
        tables: Tables,
    ) -> Self {
        Self { proc, pids, keys, next: AtomicUsize::new(0), clock: Clock::now(), deadline, tables }
    }

    fn run(&self) -> Found {
        /// Processes that a thread takes at a time.
        const CHUNK: usize = 4;

        let mut found =
            Found { owners: Vec::new(), holds: Vec::new(), complete: true, unread: Vec::new() };
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
                    Ok(Some(owner)) => {
                        found.holds.extend(inodes.iter().map(|&key| (key, found.owners.len())));
                        found.owners.push(*owner);
                    }
                    Ok(None) | Err(Errno::NOENT | Errno::SRCH) => {}
                    Err(_) => found.unread.push(pid),
                }
            }
        }
    }

    /// Looks through a process, and describes it if it holds wanted sockets.
    fn process(&self, pid: u32, inodes: &mut Vec<u64>) -> rustix::io::Result<Option<Box<Owner>>> {
        let first = match self.tables {
            Tables::Threads => None,
            _ => self.descriptors(pid, &format!("{pid}/fd"), inodes)?,
        };
        if self.tables == Tables::First {
            return Ok(first);
        }
        Ok(self.threads(pid, inodes)?.or(first))
    }

    /// Looks through the tables of a process's threads, but that of the first.
    fn threads(&self, pid: u32, inodes: &mut Vec<u64>) -> rustix::io::Result<Option<Box<Owner>>> {
        let path = format!("{pid}/task");
        // The directory has 2 links and one for each thread (`proc_task_getattr` in fs/proc).
        if statat(self.proc, &path, AtFlags::empty())?.st_nlink <= 3 {
            return Ok(None);
        }
        let task = openat(self.proc, path, DIRECTORY, Mode::empty())?;
        let mut owner = None;
        // A thread for each table, the first thread's being known.
        let mut known = vec![pid];
        for thread in numbers(&task)?.into_iter().filter(|thread| *thread != pid) {
            if known.iter().any(|other| share_descriptors(*other, thread)) {
                continue;
            }
            known.push(thread);
            match self.descriptors(pid, &format!("{pid}/task/{thread}/fd"), inodes) {
                Ok(found) => owner = owner.or(found),
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(owner)
    }

    /// Collects the wanted sockets of a descriptor directory into `inodes`.
    fn descriptors(
        &self,
        pid: u32,
        path: &str,
        inodes: &mut Vec<u64>,
    ) -> rustix::io::Result<Option<Box<Owner>>> {
        let before = inodes.len();
        // About 40 entries: a process that denies its links has not had all of
        // its descriptors listed for nothing.
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let directory = openat(self.proc, path, DIRECTORY, Mode::empty())?;
        let mut entries = RawDir::new(&directory, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            if entry.file_name().to_bytes().starts_with(b".") {
                continue;
            }
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
        if inodes.len() == before {
            return Ok(None);
        }
        // By way of the open directory: the PID could already be another's.
        let up = if path.contains("/task/") { "../../.." } else { ".." };
        let process = openat(&directory, up, DIRECTORY | OFlags::PATH, Mode::empty())?;
        self.clock.owner(pid, process.as_fd()).map(|owner| Some(Box::new(owner)))
    }
}
