//! Sockets of other network namespaces: of containers, and of `ip netns`.
//!
//! A namespace is known by a process in it or by its name below `/run/netns`.
//! Its tables are asked for by a thread that moves into it (setns(2)), or else,
//! where this user may not, read from `/proc/PID/net`.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, openat, readlinkat, statat};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::tables;
use crate::procfs;
use crate::snapshot::{Entry, Namespace, Snapshot, Want};

/// Where `ip netns` keeps names of namespaces (ip-netns(8)).
const NAMES: &str = "/run/netns";

/// A way into a namespace.
struct Place {
    /// Its inode; `None` if that may not be read.
    inode: Option<u64>,
    name: Option<String>,
    /// A process in it.
    pid: Option<u32>,
}

/// Adds the sockets of every visible namespace but this process's own.
pub(super) fn add(proc: &OwnedFd, pids: &[u32], want: &Want, snapshot: &mut Snapshot) {
    for place in places(proc, pids) {
        match place.sockets(want) {
            Ok(Found { mut entries, interfaces, whole }) => {
                let index = snapshot.namespaces.len();
                for entry in &mut entries {
                    entry.namespace = Some(index);
                }
                snapshot.entries.extend(entries);
                snapshot.namespaces.push(Namespace { name: place.to_string(), interfaces });
                snapshot.complete &= whole;
            }
            Err(error) => {
                snapshot.complete = false;
                let note = format!("the network namespace {place} cannot be read: {error}");
                snapshot.notes.push(note);
            }
        }
    }
}

/// The namespaces of `pids` and those with names, without this process's own.
fn places(proc: &OwnedFd, pids: &[u32]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let mut names = names();
    let mut inodes: HashSet<Option<u64>> = HashSet::from([inode(proc, "self"), None]);
    let mut files: HashSet<Option<u64>> = HashSet::from([tables_file(proc, "self"), None]);
    let mut unknown = Vec::new();
    for &pid in pids {
        let process = pid.to_string();
        let inode = inode(proc, &process);
        if inode.is_none() {
            unknown.push(pid);
        } else if inodes.insert(inode) {
            files.insert(tables_file(proc, &process));
            let name = inode.and_then(|inode| names.remove(&inode));
            places.push(Place { inode, name, pid: Some(pid) });
        }
    }
    // Another user's process hides the inode of its namespace, but not the files.
    for pid in unknown {
        if files.insert(tables_file(proc, &pid.to_string())) {
            places.push(Place { inode: None, name: None, pid: Some(pid) });
        }
    }
    let unused = names.into_iter().filter(|(inode, _)| !inodes.contains(&Some(*inode)));
    places.extend(unused.map(|(inode, name)| Place {
        inode: Some(inode),
        name: Some(name),
        pid: None,
    }));
    places
}

/// Names of namespaces by their inode: files of the file system with `NSFS_MAGIC` of `linux/magic.h`.
fn names() -> HashMap<u64, String> {
    let files = std::fs::read_dir(NAMES).into_iter().flatten().filter_map(io::Result::ok);
    files
        .filter_map(|file| {
            // A mount that is only visible elsewhere leaves a plain file here.
            let system = rustix::fs::statfs(file.path()).ok()?;
            if system.f_type != 0x6e73_6673 {
                return None;
            }
            let inode = rustix::fs::stat(file.path()).ok()?.st_ino;
            Some((inode, file.file_name().to_string_lossy().into_owned()))
        })
        .collect()
}

/// The inode of a process's network namespace, if this user may see it.
fn inode(proc: &OwnedFd, process: &str) -> Option<u64> {
    let link = readlinkat(proc, format!("{process}/ns/net"), Vec::new()).ok()?;
    procfs::namespace_inode(link.to_bytes())
}

/// What is the same for all processes of a network namespace: the inode of one of its files.
fn tables_file(proc: &OwnedFd, process: &str) -> Option<u64> {
    statat(proc, format!("{process}/net/dev"), AtFlags::empty()).ok().map(|file| file.st_ino)
}

/// The names of the interfaces that sockets are bound to, which only their namespace knows.
fn interfaces(entries: &[Entry]) -> Vec<(u32, String)> {
    let mut indexes: Vec<u32> = entries.iter().map(|entry| entry.interface).collect();
    indexes.sort_unstable();
    indexes.dedup();
    let name = |index: u32| super::interface_name(index).map(|name| (index, name));
    indexes.into_iter().filter(|index| *index != 0).filter_map(name).collect()
}

/// The sockets of a namespace.
struct Found {
    entries: Vec<Entry>,
    interfaces: Vec<(u32, String)>,
    /// False if TCP that is bound without listening was asked for and cannot be there.
    whole: bool,
}

impl Place {
    fn sockets(&self, want: &Want) -> io::Result<Found> {
        let inside = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().spawn_scoped(scope, || self.enter(want));
            thread.and_then(|thread| thread.join().unwrap_or(Err(io::ErrorKind::Other.into())))
        });
        let (Err(_), Some(pid)) = (&inside, self.pid) else { return inside };
        let mut entries = Vec::new();
        for (protocol, family) in tables::wanted(want) {
            let directory = format!("/proc/{pid}/net");
            tables::files(&directory, family, protocol, want, &mut entries)?;
        }
        Ok(Found { entries, interfaces: Vec::new(), whole: !want.silent })
    }

    /// Moves this thread into the namespace, for good, and asks there.
    fn enter(&self, want: &Want) -> io::Result<Found> {
        move_into_link_name_space(self.open()?.as_fd(), Some(LinkNameSpaceType::Network))?;
        let mut entries = Vec::new();
        let netlink = tables::open()?;
        for (protocol, family) in tables::wanted(want) {
            tables::dump(&netlink, family, protocol, want, &mut entries)?;
        }
        Ok(Found { interfaces: interfaces(&entries), entries, whole: true })
    }

    fn open(&self) -> io::Result<OwnedFd> {
        let path = match (self.pid, &self.name) {
            (Some(pid), _) => format!("/proc/{pid}/ns/net"),
            (None, Some(name)) => format!("{NAMES}/{name}"),
            (None, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(openat(rustix::fs::CWD, path, flags, Mode::empty())?)
    }
}

impl std::fmt::Display for Place {
    /// The name, else the inode as lsns(8) shows it, else a process in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.name, self.inode, self.pid) {
            (Some(name), ..) => f.write_str(name),
            (None, Some(inode), _) => write!(f, "{inode}"),
            (None, None, Some(pid)) => write!(f, "of process {pid}"),
            (None, None, None) => f.write_str("?"),
        }
    }
}
