//! Who may hold a socket, by the cgroup that it was made in.
//!
//! The kernel tells the cgroup (v2) of each socket to everybody, also of other
//! users' sockets. It is the one at the making of the socket: a process that was
//! moved since, or was given the socket, is in another one. So this names
//! candidates.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::fs::{FileType, Mode, OFlags, RawDir, fstat, fstatfs, openat};

use super::DIRECTORY;
use super::process::{Clock, name, read};
use crate::Owner;
use crate::snapshot::Snapshot;

/// Where cgroup v2 is mounted: alone, and beside v1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// The id of the root cgroup (the first number that fs/kernfs gives).
const ROOT: u64 = 1;
/// Where more processes than this may hold a socket, naming them is of no help.
const MOST_CANDIDATES: usize = 8;

/// Keys of sockets by the cgroup that they were made in.
type Sockets = HashMap<u64, Vec<u64>>;
/// Processes by their cgroup.
type Members = HashMap<u64, Vec<u32>>;

/// Names candidates for the sockets `unowned`, which are sorted: the processes
/// of the socket's cgroup that could not be read.
pub(super) fn add_candidates(proc: &OwnedFd, unowned: &[u64], snapshot: &mut Snapshot) {
    if snapshot.unread.is_empty() {
        return;
    }
    let mut sockets = Sockets::new();
    for entry in &snapshot.entries {
        // In the root cgroup are processes of every kind, and the kernel's own.
        let cgroup = entry.cgroup.filter(|cgroup| *cgroup != ROOT);
        if let Some(cgroup) = cgroup.filter(|_| unowned.binary_search(&entry.key).is_ok()) {
            sockets.entry(cgroup).or_default().push(entry.key);
        }
    }
    snapshot.unread.sort_unstable();
    let clock = Clock::now();
    for (cgroup, mut pids) in members(&sockets, None) {
        // A process that could be read was seen not to hold it.
        pids.retain(|pid| snapshot.unread.binary_search(pid).is_ok());
        if pids.len() <= MOST_CANDIDATES {
            let owners = pids.into_iter().filter_map(|pid| candidate(proc, pid, &clock)).collect();
            add(snapshot, owners, &sockets[&cgroup]);
        }
    }
}

/// Names the holders of sockets where their cgroup alone tells: all of its
/// processes have the same name. Gives the processes that need to be looked
/// through for the others; `None` if that is any process.
///
/// What it adds has a name and a process id, and nothing else.
pub(super) fn quick_owners(
    proc: &OwnedFd,
    snapshot: &mut Snapshot,
    deadline: Instant,
) -> Option<Vec<u32>> {
    let mut sockets = Sockets::new();
    for entry in &snapshot.entries {
        sockets.entry(entry.cgroup.unwrap_or(0)).or_default().push(entry.key);
    }
    let members = members(&sockets, Some(deadline));
    let anybody = members.len() < sockets.len();
    let mut left = Vec::new();
    for (cgroup, pids) in members {
        match of_one_name(proc, &pids, deadline) {
            Some(owners) => add(snapshot, owners, &sockets[&cgroup]),
            None => left.extend(pids),
        }
    }
    (!anybody).then_some(left)
}

/// Every owner may hold each of the sockets.
fn add(snapshot: &mut Snapshot, owners: Vec<Owner>, keys: &[u64]) {
    let first = snapshot.owners.len();
    snapshot.owners.extend(owners);
    let owners = first..snapshot.owners.len();
    let pairs = keys.iter().flat_map(|&key| owners.clone().map(move |owner| (key, owner)));
    snapshot.holds.extend(pairs);
}

fn candidate(proc: &OwnedFd, pid: u32, clock: &Clock) -> Option<Owner> {
    let process = openat(proc, pid.to_string(), DIRECTORY | OFlags::PATH, Mode::empty()).ok()?;
    let owner = clock.owner(pid, process.as_fd()).ok()?;
    Some(Owner { certain: false, ..owner })
}

/// The processes with their names, if these are all the same.
fn of_one_name(proc: &OwnedFd, pids: &[u32], deadline: Instant) -> Option<Vec<Owner>> {
    let mut owners: Vec<Owner> = Vec::new();
    for &pid in pids {
        if Instant::now() > deadline {
            return None;
        }
        let name = name(proc, pid)?;
        if owners.first().is_some_and(|first| first.name != name) {
            return None;
        }
        owners.push(Owner { pid, name, ..Owner::default() });
    }
    Some(owners).filter(|owners| !owners.is_empty())
}

/// The processes of each of these cgroups that is found until the deadline.
fn members(wanted: &Sockets, deadline: Option<Instant>) -> Members {
    let mut members = HashMap::new();
    if wanted.is_empty() {
        return members;
    }
    // `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
    let is_cgroup2 =
        |directory: &OwnedFd| fstatfs(directory).is_ok_and(|system| system.f_type == 0x6367_7270);
    let mut opened =
        MOUNTS.iter().filter_map(|path| rustix::fs::open(*path, DIRECTORY, Mode::empty()).ok());
    if let Some(root) = opened.find(is_cgroup2) {
        let inode = fstat(&root).map_or(0, |file| file.st_ino);
        if wanted.contains_key(&inode) {
            members.insert(inode, processes(&root));
        }
        search(&root, 0, wanted, deadline, &mut members);
    }
    members
}

/// Looks below a directory until all are found.
fn search(
    directory: &OwnedFd,
    depth: u32,
    wanted: &Sockets,
    deadline: Option<Instant>,
    members: &mut Members,
) {
    /// Whoever was given a part of the tree can make it as deep as they like.
    const DEEPEST: u32 = 32;

    if depth > DEEPEST {
        return;
    }
    let mut buffer = [MaybeUninit::uninit(); 4 * 1024];
    let mut entries = RawDir::new(directory, &mut buffer);
    let mut below = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        let hidden = entry.file_name().to_bytes().starts_with(b".");
        if entry.file_type() == FileType::Directory && !hidden {
            below.push((entry.ino(), entry.file_name().to_owned()));
        }
    }
    for (inode, name) in below {
        let late = deadline.is_some_and(|deadline| Instant::now() > deadline);
        if late || members.len() == wanted.len() {
            return;
        }
        let Ok(child) = openat(directory, &name, DIRECTORY, Mode::empty()) else { continue };
        if wanted.contains_key(&inode) {
            members.insert(inode, processes(&child));
        }
        search(&child, depth + 1, wanted, deadline, members);
    }
}

/// The processes of a cgroup; 0 stands for one in another PID namespace.
fn processes(cgroup: &OwnedFd) -> Vec<u32> {
    let bytes = read(cgroup.as_fd(), "cgroup.procs").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).collect()
}
