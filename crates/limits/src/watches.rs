//! Who holds inotify watches: a walk over the descriptors of all processes.
//!
//! An instance that two processes share, as after fork(2), counts for both.

use serde::Serialize;

#[cfg(any(target_os = "linux", test))]
pub(crate) use self::walk::holders;

/// A process that watches files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// Its name, as it came: it may hold any character.
    pub name: String,
    /// The real user id, which the limits count by.
    pub uid: Option<u32>,
    /// Its descriptors of inotify.
    pub instances: u64,
    /// What they watch.
    pub watches: u64,
}

#[cfg(any(target_os = "linux", test))]
mod walk {
    use std::fs;
    use std::io;
    use std::path::Path;

    use super::Holder;
    use crate::{files, procfs};

    /// All holders that can be seen, those with most watches first, and how many
    /// processes do not show their descriptors.
    pub(crate) fn holders(root: &Path) -> io::Result<(Vec<Holder>, u64)> {
        let mut holders = Vec::new();
        let mut hidden = 0;
        for entry in fs::read_dir(root.join("proc"))? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            match holder(pid, &entry.path()) {
                Ok(found) => holders.extend(found),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => hidden += 1,
                // It has ended in the meantime.
                Err(_) => {}
            }
        }
        holders
            .sort_by_key(|one: &Holder| (std::cmp::Reverse((one.watches, one.instances)), one.pid));
        Ok((holders, hidden))
    }

    fn holder(pid: u32, process: &Path) -> io::Result<Option<Holder>> {
        let (mut instances, mut watches) = (0, 0);
        for entry in fs::read_dir(process.join("fd"))? {
            let entry = entry?;
            // One that was closed in the meantime is none.
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            if target != Path::new("anon_inode:inotify") {
                continue;
            }
            instances += 1;
            let information = process.join("fdinfo").join(entry.file_name());
            watches += files::read(&information).map_or(0, |text| watches_in(&text));
        }
        if instances == 0 {
            return Ok(None);
        }
        let text = |name: &str| {
            let bytes = files::read(&process.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let name = text("comm").trim_end_matches('\n').to_owned();
        let uid = procfs::status(&text("status")).uid;
        Ok(Some(Holder { pid, name, uid, instances, watches }))
    }

    /// A line for each watch (proc(5)).
    pub(super) fn watches_in(text: &[u8]) -> u64 {
        let lines = text.split(|byte| *byte == b'\n');
        lines.filter(|line| line.starts_with(b"inotify wd:")).map(|_| 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn watches_are_lines() {
        let text = b"pos:\t0\nflags:\t00\ninotify wd:2 ino:9e7e\ninotify wd:1 ino:192627\n";
        assert_eq!(walk::watches_in(text), 2);
        assert_eq!(walk::watches_in(b"pos:\t0\nnot inotify wd:1\n"), 0);
    }

    #[cfg(unix)]
    #[test]
    fn holders_of_a_recorded_system() {
        let root = tempfile::tempdir().expect("a directory");
        let process = |pid: u32, fds: &[(&str, &str)], information: &str| {
            let place = root.path().join(format!("proc/{pid}"));
            fs::create_dir_all(place.join("fd")).expect("a directory");
            fs::create_dir_all(place.join("fdinfo")).expect("a directory");
            for (number, target) in fds {
                std::os::unix::fs::symlink(target, place.join("fd").join(number)).expect("a link");
                fs::write(place.join("fdinfo").join(number), information).expect("a file");
            }
            fs::write(place.join("comm"), format!("p{pid}\n")).expect("a file");
            fs::write(place.join("status"), "Uid:\t1000\t0\t0\t0\n").expect("a file");
        };
        let inotify = "anon_inode:inotify";
        process(7, &[("3", inotify), ("4", "/dev/null")], "inotify wd:1\n");
        process(8, &[("3", inotify), ("9", inotify)], "inotify wd:1\ninotify wd:2\n");
        process(9, &[("3", "anon_inode:[eventpoll]")], "inotify wd:1\n");
        fs::create_dir(root.path().join("proc/sys")).expect("a directory");
        let (found, hidden) = holders(root.path()).expect("a list");
        let seen: Vec<_> = found.iter().map(|one| (one.pid, one.instances, one.watches)).collect();
        assert_eq!((seen, hidden), (vec![(8, 2, 4), (7, 1, 1)], 0));
        assert_eq!((found[0].name.as_str(), found[0].uid), ("p8", Some(1000)));
    }
}
