//! Who may hold a socket, by the cgroup that it was made in.
//!
//! The kernel tells the cgroup (v2) of each socket to everybody, also of other
//! users' sockets. It is the one at the making of the socket: a process that was
//! moved since, or was given the socket, is in another one. So this names
//! candidates, and nothing for what was made in the root cgroup.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, RawDir, fstat, fstatfs, openat};

use super::DIRECTORY;
use super::process::{Clock, read};
use crate::{Entry, Owner, Snapshot};

/// Where cgroup v2 is mounted: alone, and beside v1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// Where more processes than this may hold a socket, naming them is of no help.
const MOST_CANDIDATES: usize = 8;

/// Names candidates for the sockets `unowned`, which are sorted: the processes
/// of the socket's cgroup that could not be read.
pub(super) fn add_candidates(proc: &OwnedFd, unowned: &[u64], snapshot: &mut Snapshot) {
    let entries = snapshot.entries.iter();
    let wanted: Vec<&Entry> =
        entries.filter(|entry| unowned.binary_search(&entry.key).is_ok()).collect();
    let mut sockets: HashMap<u64, Vec<u64>> = HashMap::new();
    for entry in wanted {
        if let Some(cgroup) = entry.cgroup {
            sockets.entry(cgroup).or_default().push(entry.key);
        }
    }
    if sockets.is_empty() || snapshot.unread.is_empty() {
        return;
    }
    let clock = Clock::now();
    for (cgroup, mut pids) in members(&sockets) {
        // A process that could be read was seen not to hold it.
        pids.retain(|pid| snapshot.unread.contains(pid));
        if pids.len() > MOST_CANDIDATES {
            continue;
        }
        let owners = pids.into_iter().filter_map(|pid| candidate(proc, pid, &clock));
        let first = snapshot.owners.len();
        snapshot.owners.extend(owners);
        for &key in &sockets[&cgroup] {
            snapshot.holds.extend((first..snapshot.owners.len()).map(|owner| (key, owner)));
        }
    }
}

/// Names the holders of sockets where their cgroup alone tells: all of its
/// processes have the same name. Gives the processes that need to be looked
/// through for the others; `None` if that is any process.
pub(super) fn quick_owners(proc: &OwnedFd, snapshot: &mut Snapshot) -> Option<Vec<u32>> {
    let mut sockets: HashMap<u64, Vec<u64>> = HashMap::new();
    for entry in &snapshot.entries {
        sockets.entry(entry.cgroup.unwrap_or(0)).or_default().push(entry.key);
    }
    let members = members(&sockets);
    let anybody = members.len() < sockets.len();
    let clock = Clock::now();
    let mut left = Vec::new();
    for (cgroup, pids) in members {
        let owners: Option<Vec<Owner>> =
            pids.iter().map(|pid| candidate(proc, *pid, &clock)).collect();
        let same = |owners: &Vec<Owner>| owners.iter().all(|owner| owner.name == owners[0].name);
        let Some(owners) = owners.filter(|owners| !owners.is_empty()).filter(same) else {
            left.extend(pids);
            continue;
        };
        let first = snapshot.owners.len();
        snapshot.owners.extend(owners);
        for &key in &sockets[&cgroup] {
            snapshot.holds.extend((first..snapshot.owners.len()).map(|owner| (key, owner)));
        }
    }
    (!anybody).then_some(left)
}

fn candidate(proc: &OwnedFd, pid: u32, clock: &Clock) -> Option<Owner> {
    let process = openat(proc, pid.to_string(), DIRECTORY | OFlags::PATH, Mode::empty()).ok()?;
    let owner = clock.owner(pid, process.as_fd()).ok()?;
    Some(Owner { certain: false, ..owner })
}

/// The processes of each of these cgroups that is found, but for the root.
fn members<T>(wanted: &HashMap<u64, T>) -> HashMap<u64, Vec<u32>> {
    let mut members = HashMap::new();
    // `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
    let is_cgroup2 =
        |directory: &OwnedFd| fstatfs(directory).is_ok_and(|system| system.f_type == 0x6367_7270);
    let mut opened =
        MOUNTS.iter().filter_map(|path| rustix::fs::open(*path, DIRECTORY, Mode::empty()).ok());
    if let Some(root) = opened.find(is_cgroup2) {
        let own = fstat(&root).map_or(0, |file| file.st_ino);
        let missing = wanted.keys().filter(|cgroup| **cgroup != own).count();
        search(&root, wanted, missing, &mut members);
    }
    members
}

/// Looks below a directory until `missing` cgroups are found.
fn search<T>(
    directory: &OwnedFd,
    wanted: &HashMap<u64, T>,
    missing: usize,
    members: &mut HashMap<u64, Vec<u32>>,
) {
    let mut buffer = [MaybeUninit::uninit(); 4 * 1024];
    let mut entries = RawDir::new(directory, &mut buffer);
    let mut below = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        if entry.file_type() == FileType::Directory
            && !entry.file_name().to_bytes().starts_with(b".")
        {
            below.push((entry.ino(), entry.file_name().to_owned()));
        }
    }
    for (inode, name) in below {
        if members.len() == missing {
            return;
        }
        let Ok(child) = openat(directory, &name, DIRECTORY, Mode::empty()) else { continue };
        if wanted.contains_key(&inode) {
            members.insert(inode, processes(&child));
        }
        search(&child, wanted, missing, members);
    }
}

/// The processes of a cgroup; 0 stands for one in another PID namespace.
fn processes(cgroup: &OwnedFd) -> Vec<u32> {
    let bytes = read(cgroup.as_fd(), "cgroup.procs").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).collect()
}
