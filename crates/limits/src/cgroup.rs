//! The limits of the cgroups that a process is in: v1, v2 and hybrid.
//!
//! Every ancestor counts, as far up as it can be seen: from within a container
//! the hierarchy ends at the container's own cgroup. All paths are below a root
//! directory, `/` on a running system.

use std::fs;
use std::path::{Path, PathBuf};

use crate::files;
use crate::resource::{MEMORY, MEMORY_V1, PIDS};

/// What a cgroup limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    Memory,
    Pids,
}

/// The limit of one cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CgroupLimit {
    /// The kernel's name of it: a file in the cgroup.
    pub(crate) name: &'static str,
    /// The cgroup's path below the top of its hierarchy.
    pub(crate) path: String,
    /// Where it is written.
    pub(crate) file: PathBuf,
    pub(crate) max: u64,
    pub(crate) used: Option<u64>,
    /// The part of `used` that the kernel takes back without harm.
    pub(crate) reclaimable: u64,
}

/// The files of a controller in one version.
struct Files {
    max: &'static str,
    used: &'static str,
    /// The line of `memory.stat` that counts cached pages which nobody misses.
    reclaimable: Option<&'static str>,
}

impl Controller {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }

    fn files(self, version: Version) -> Files {
        match (self, version) {
            (Self::Pids, _) => Files { max: PIDS, used: "pids.current", reclaimable: None },
            (Self::Memory, Version::V1) => Files {
                max: MEMORY_V1,
                used: "memory.usage_in_bytes",
                reclaimable: Some("total_inactive_file"),
            },
            (Self::Memory, Version::V2) => {
                Files { max: MEMORY, used: "memory.current", reclaimable: Some("inactive_file") }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// Every limit of a controller on a process, from its own cgroup upwards.
/// `membership` is the text of `/proc/PID/cgroup`.
pub(crate) fn limits(root: &Path, membership: &str, controller: Controller) -> Vec<CgroupLimit> {
    let Some((version, path)) = find(membership, controller) else { return Vec::new() };
    let Some((top, below)) = place(root, version, controller, path) else { return Vec::new() };
    let names = controller.files(version);
    let mut limits = Vec::new();
    for ancestor in below.ancestors() {
        let directory = top.join(ancestor);
        let own_only = version == Version::V1
            && controller == Controller::Memory
            && files::number(&directory.join("memory.use_hierarchy")) == Some(0);
        let path = format!("/{}", ancestor.display());
        limits.extend(limit(&directory, path, &names));
        // Before Linux 5.11 the limits of ancestors could be switched off.
        if own_only {
            break;
        }
    }
    limits
}

fn limit(directory: &Path, path: String, names: &Files) -> Option<CgroupLimit> {
    /// A v1 limit that was never set is the largest multiple of the page size.
    const NO_LIMIT: u64 = 1 << 62;

    let file = directory.join(names.max);
    let max = files::number(&file).filter(|&max| max < NO_LIMIT)?;
    let used = files::number(&directory.join(names.used));
    let is_near = used.is_some_and(|used| crate::State::of(used, max) != crate::State::Ok);
    // The statistics take long to read, and matter only now.
    let reclaimable = names.reclaimable.filter(|_| is_near).and_then(|key| {
        let text = fs::read_to_string(directory.join("memory.stat")).ok()?;
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(name, _)| *name == key)?.1.parse().ok()
    });
    let reclaimable = reclaimable.unwrap_or(0);
    Some(CgroupLimit { name: names.max, path, file, max, used, reclaimable })
}

/// In which hierarchy a controller is, and the process's cgroup there.
fn find(membership: &str, controller: Controller) -> Option<(Version, &str)> {
    let lines = membership.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    });
    let v1 = lines
        .clone()
        .find(|(names, _)| names.split(',').any(|name| name == controller.name()))
        .map(|(_, path)| (Version::V1, path));
    v1.or_else(|| {
        lines.clone().find(|(names, _)| names.is_empty()).map(|(_, path)| (Version::V2, path))
    })
}

/// The top of a hierarchy that can be seen, and the cgroup's path below it.
fn place(
    root: &Path,
    version: Version,
    controller: Controller,
    path: &str,
) -> Option<(PathBuf, PathBuf)> {
    let usual = root.join("sys/fs/cgroup");
    let top = match version {
        Version::V1 => usual.join(controller.name()),
        Version::V2 if usual.join("cgroup.controllers").exists() => usual,
        Version::V2 => usual.join("unified"),
    };
    let below = Path::new(path.trim_start_matches('/'));
    // A cgroup outside of the namespace is shown with `..`; what can be seen of it is the top.
    let is_inside = !path.split('/').any(|part| part == "..");
    if is_inside && top.join(below).is_dir() {
        return Some((top, below.to_path_buf()));
    }
    let (mounted, top) = mount(root, version, controller)?;
    // In a container without a cgroup namespace, only the container's cgroup is mounted.
    let below = Path::new(path).strip_prefix(mounted).unwrap_or(Path::new(""));
    let below = if is_inside { below } else { Path::new("") };
    // A cgroup that was removed has no directory any more.
    let seen = below.ancestors().find(|below| top.join(below).is_dir())?;
    let seen = seen.to_path_buf();
    Some((top, seen))
}

/// Whether a process is in a cgroup whose files cannot be seen from here: the
/// hierarchy is not mounted, or what is mounted is another part of it, as in a
/// container that has a cgroup namespace and the mounts of its host.
pub(crate) fn is_hidden(root: &Path, membership: &str, controller: Controller) -> bool {
    let Some((version, _)) = find(membership, controller) else { return false };
    mount(root, version, controller)
        .is_none_or(|(mounted, _)| mounted.split('/').any(|part| part == ".."))
}

/// The part of a hierarchy that is mounted, and where, from `/proc/self/mountinfo`.
fn mount(root: &Path, version: Version, controller: Controller) -> Option<(String, PathBuf)> {
    let text = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
    text.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (mounted, point) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let (name, options) = (kind.next()?, kind.nth(1)?);
        let fits = match version {
            Version::V1 => {
                name == "cgroup" && options.split(',').any(|option| option == controller.name())
            }
            Version::V2 => name == "cgroup2",
        };
        fits.then(|| (mounted.to_owned(), root.join(point.trim_start_matches('/'))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files below a root directory, written as `path: text`.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        root
    }

    fn shown(limits: &[CgroupLimit]) -> Vec<(&str, &str, u64, Option<u64>)> {
        limits.iter().map(|one| (one.name, one.path.as_str(), one.max, one.used)).collect()
    }

    /// Recorded from a systemd machine with cgroup v2.
    #[test]
    fn version_2_with_every_ancestor() {
        let root = tree(&[
            ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n"),
            ("sys/fs/cgroup/user.slice/pids.max", "max\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "17179869184\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "4294967296\n"),
            ("sys/fs/cgroup/user.slice/user-1000.slice/pids.max", "10813\n"),
            ("sys/fs/cgroup/user.slice/user-1000.slice/pids.current", "127\n"),
            ("sys/fs/cgroup/user.slice/user-1000.slice/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope/pids.max", "max\n"),
            ("sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope/memory.max", "1073741824\n"),
            (
                "sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope/memory.current",
                "1073700000\n",
            ),
            (
                "sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope/memory.stat",
                "anon 100\nfile 1000000000\ninactive_file 900000000\nactive_file 5\n",
            ),
        ]);
        let own = "0::/user.slice/user-1000.slice/session-2.scope\n";
        let pids = limits(root.path(), own, Controller::Pids);
        assert_eq!(shown(&pids), [("pids.max", "/user.slice/user-1000.slice", 10_813, Some(127))]);
        let memory = limits(root.path(), own, Controller::Memory);
        assert_eq!(
            shown(&memory),
            [
                (
                    "memory.max",
                    "/user.slice/user-1000.slice/session-2.scope",
                    1 << 30,
                    Some(1_073_700_000)
                ),
                ("memory.max", "/user.slice", 1 << 34, Some(1 << 32)),
            ]
        );
        assert_eq!(memory[0].reclaimable, 900_000_000);
        assert_eq!(memory[1].reclaimable, 0, "not read while there is room");
    }

    /// Recorded from a machine with v1 controllers and v2 for systemd.
    #[test]
    fn hybrid() {
        let root = tree(&[
            ("sys/fs/cgroup/unified/cgroup.controllers", "\n"),
            ("sys/fs/cgroup/unified/job/pids.max", "5\n"),
            ("sys/fs/cgroup/pids/tasks", "1\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.use_hierarchy", "1\n"),
            ("sys/fs/cgroup/memory/api/memory.limit_in_bytes", "2147483648\n"),
            ("sys/fs/cgroup/memory/api/memory.usage_in_bytes", "12345\n"),
            ("sys/fs/cgroup/memory/api/c7a3/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        let own = "9:name=systemd:/\n8:pids:/\n4:memory:/api/c7a3\n3:cpuset:/\n0::/job\n";
        assert_eq!(limits(root.path(), own, Controller::Pids), [], "v1 has the controller");
        let memory = limits(root.path(), own, Controller::Memory);
        assert_eq!(shown(&memory), [("memory.limit_in_bytes", "/api", 1 << 31, Some(12_345))]);
        // Where v1 does not have it, v2 does.
        let pids = limits(root.path(), "4:memory:/\n0::/job\n", Controller::Pids);
        assert_eq!(shown(&pids), [("pids.max", "/job", 5, None)]);
    }

    #[test]
    fn version_1_with_ancestors_switched_off() {
        let root = tree(&[
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1048576\n"),
            ("sys/fs/cgroup/memory/a/memory.use_hierarchy", "0\n"),
            ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "2097152\n"),
            ("sys/fs/cgroup/memory/a/b/memory.use_hierarchy", "0\n"),
        ]);
        let memory = limits(root.path(), "4:cpu,memory:/a/b\n", Controller::Memory);
        assert_eq!(shown(&memory), [("memory.limit_in_bytes", "/a/b", 2_097_152, None)]);
    }

    /// Docker with v1: the path is the host's, what is mounted is the container's part.
    #[test]
    fn a_container_sees_its_own_part_of_the_hierarchy() {
        let mounts = "30 23 0:26 /docker/4f1e /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                      31 23 0:27 /docker/4f1e /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n";
        let root = tree(&[
            ("proc/self/mountinfo", mounts),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
            ("sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "268435456\n"),
            ("sys/fs/cgroup/pids/pids.max", "100\n"),
            ("sys/fs/cgroup/pids/pids.current", "7\n"),
        ]);
        let own = "8:pids:/docker/4f1e\n4:memory:/docker/4f1e/inner\n";
        let pids = limits(root.path(), own, Controller::Pids);
        assert_eq!(shown(&pids), [("pids.max", "/", 100, Some(7))]);
        let memory = limits(root.path(), own, Controller::Memory);
        let maxima: Vec<(&str, u64)> =
            memory.iter().map(|one| (one.path.as_str(), one.max)).collect();
        assert_eq!(maxima, [("/inner", 1 << 28), ("/", 1 << 29)]);
    }

    #[test]
    fn a_hierarchy_that_is_not_mounted_or_not_this_part_of_it() {
        for (mounts, hidden) in [
            ("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 none rw\n", false),
            ("30 23 0:26 /docker/4f1e /sys/fs/cgroup rw - cgroup2 none rw\n", false),
            ("30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 none rw\n", true),
            ("30 23 0:26 / /proc rw - proc proc rw\n", true),
        ] {
            let root = tree(&[("proc/self/mountinfo", mounts)]);
            assert_eq!(is_hidden(root.path(), "0::/\n", Controller::Pids), hidden, "{mounts}");
        }
        let none = tempfile::tempdir().expect("a directory");
        assert!(!is_hidden(none.path(), "", Controller::Pids), "a kernel without cgroups");
    }

    #[test]
    fn a_cgroup_elsewhere_removed_or_outside() {
        let root = tree(&[
            ("proc/self/mountinfo", "30 23 0:26 / /mnt/groups rw - cgroup2 none rw\n"),
            ("mnt/groups/pids.max", "900\n"),
            ("mnt/groups/a/pids.max", "50\n"),
        ]);
        for (own, maxima) in [
            ("0::/a\n", &[50, 900][..]),
            ("0::/a/gone (deleted)\n", &[50, 900]),
            ("0::/../elsewhere\n", &[900]),
            ("0::/\n", &[900]),
            ("1:cpu:/\n", &[]),
            ("", &[]),
            ("nonsense\n0:\n", &[]),
        ] {
            let found = limits(root.path(), own, Controller::Pids);
            let found: Vec<u64> = found.iter().map(|one| one.max).collect();
            assert_eq!(found, maxima, "{own:?}");
        }
    }
}
