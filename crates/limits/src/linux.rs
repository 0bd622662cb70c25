//! Linux: limits from getrlimit(2) and `/proc`, everything else from files.

#[path = "linux_shared.rs"]
mod shared_by_all;

use std::cell::{Cell, OnceCell};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, Resource as Raw, Rlimit};
use sys::{Error, Result};

use crate::cgroup::{self, CgroupLimit, Controller};
use crate::files;
use crate::procfs::{self, Status};
use crate::resource::{MEMORY, PIDS, PORTS};
use crate::{Ceiling, KernelLimit, Pair, Parameter, Resource, State, Use, Value};

/// Whether the limits of another process can be changed.
pub(crate) const CHANGES_OTHERS: bool = true;
/// The name of a parameter of the kernel here.
pub(crate) fn shown_name(name: &'static str) -> &'static str {
    name
}

/// What a process needs to lift a hard limit.
pub const LIFTS_HARD: &str = "a process with CAP_SYS_RESOURCE";

/// What the kernel makes of a pair that is as high as can be: it takes all it accepts.
pub(crate) fn attainable(_resource: &Resource, pair: Pair, _is_max: bool) -> Pair {
    pair
}

/// The number of a limit in setrlimit(2); `None` if this system lacks it.
pub(crate) fn raw(resource: &Resource) -> Option<Raw> {
    Some(match resource.name {
        "as" => Raw::As,
        "core" => Raw::Core,
        "cpu" => Raw::Cpu,
        "data" => Raw::Data,
        "fsize" => Raw::Fsize,
        "locks" => Raw::Locks,
        "memlock" => Raw::Memlock,
        "msgqueue" => Raw::Msgqueue,
        "nice" => Raw::Nice,
        "nofile" => Raw::Nofile,
        "nproc" => Raw::Nproc,
        "rss" => Raw::Rss,
        "rtprio" => Raw::Rtprio,
        "rttime" => Raw::Rttime,
        "sigpending" => Raw::Sigpending,
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

/// The limits of another process, which everybody may read.
pub(crate) fn limits_of(pid: u32) -> Result<Vec<(&'static Resource, Pair)>> {
    let failed =
        |error: io::Error| Error::from_io(format!("read the limits of process {pid}"), error);
    match fs::read_to_string(format!("/proc/{pid}/limits")) {
        Ok(text) => Ok(procfs::limits(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let tested = raw.map_or(Err(Errno::SRCH), rustix::process::test_kill_process);
            // It may exist and be hidden: `/proc` mounted with hidepid.
            Err(match tested {
                Err(Errno::SRCH) => failed(Errno::SRCH.into()),
                _ => failed(Errno::ACCESS.into()),
            })
        }
        Err(error) => Err(failed(error)),
    }
}

pub(crate) fn set_limit_of(pid: u32, resource: &Resource, new: Pair) -> Result<()> {
    let doing = || format!("set {} of process {pid}", resource.name);
    let raw_pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let (Some(raw), Some(raw_pid)) = (raw(resource), raw_pid) else {
        return Err(Error::from_io(doing(), Errno::SRCH));
    };
    let new = Rlimit { current: new.soft.number(), maximum: new.hard.number() };
    rustix::process::prlimit(Some(raw_pid), raw, new)
        .map(drop)
        .map_err(|errno| Error::from_io(doing(), errno))
}

/// The process that started this one; this one, if that is outside of what can be seen.
pub(crate) fn parent() -> u32 {
    let parent = rustix::process::getppid().unwrap_or_else(rustix::process::getpid);
    parent.as_raw_nonzero().get().unsigned_abs()
}

/// What is read of the system, each when it is first needed.
pub(crate) struct System {
    /// Where `/proc`, `/sys` and `/dev` are.
    root: PathBuf,
    pid: u32,
    status: OnceCell<Option<Status>>,
    membership: OnceCell<String>,
    threads: OnceCell<Option<u64>>,
    pids: OnceCell<Vec<CgroupLimit>>,
    memory: OnceCell<Vec<CgroupLimit>>,
    /// Open files of the system, and how many there may be.
    files: OnceCell<Option<(u64, u64)>>,
    hidden: Cell<bool>,
}

impl System {
    pub(crate) fn new(pid: u32) -> Self {
        Self::below(Path::new("/"), pid)
    }

    fn below(root: &Path, pid: u32) -> Self {
        Self {
            root: root.to_owned(),
            pid,
            status: OnceCell::new(),
            membership: OnceCell::new(),
            threads: OnceCell::new(),
            pids: OnceCell::new(),
            memory: OnceCell::new(),
            files: OnceCell::new(),
            hidden: Cell::new(false),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether something of the process could not be read.
    pub(crate) fn is_partly_hidden(&self) -> bool {
        self.hidden.get()
    }

    /// What stops a process where its limit does not.
    pub(crate) fn ceiling(&self, resource: &Resource) -> Option<Ceiling> {
        let lowest = |ceilings: &mut dyn Iterator<Item = Ceiling>| {
            ceilings.min_by_key(|ceiling| ceiling.value)
        };
        let of_cgroup = |limit: &CgroupLimit| Ceiling { value: limit.max, source: limit.name };
        match resource.name {
            "nofile" => {
                let of_process = self.setting("fs.nr_open");
                let of_system = self.files().map(|(_, max)| max);
                let file_max = of_system.map(|value| Ceiling { value, source: "fs.file-max" });
                let nr_open = of_process.map(|value| Ceiling { value, source: "fs.nr_open" });
                lowest(&mut nr_open.into_iter().chain(file_max))
            }
            "nproc" => {
                let settings = ["kernel.pid_max", "kernel.threads-max"].into_iter();
                let mut settings = settings
                    .filter_map(|source| Some(Ceiling { value: self.setting(source)?, source }));
                lowest(&mut settings.by_ref().chain(self.pids().iter().map(of_cgroup)))
            }
            // Addresses are no memory: a process may reserve more than there is.
            "rss" | "memlock" => {
                let value = machine_memory();
                let machine = Ceiling { value, source: "MemTotal" };
                lowest(&mut self.memory().iter().map(of_cgroup).chain([machine]))
            }
            _ => None,
        }
    }

    /// How much of a limit the process uses, or its user. Where the use is
    /// cheaply known to be far from `limit`, that is all that is told.
    pub(crate) fn used(&self, resource: &Resource, limit: Option<u64>) -> Use {
        let exactly = match resource.name {
            "nofile" => self.open_files(),
            "nproc" => return self.processes(limit),
            "as" => self.status().address_space,
            "data" => self.status().data,
            "stack" => self.status().stack,
            "rss" => self.status().resident,
            "memlock" => self.status().locked,
            "sigpending" => self.status().signals,
            "cpu" => self.processor_seconds(),
            _ => None,
        };
        Use { exactly, at_most: None }
    }

    /// A limit of the kernel, or those of all cgroups with this name.
    pub(crate) fn parameter(&self, parameter: &'static Parameter) -> Vec<KernelLimit> {
        let one = |value: Option<u64>, used: Option<u64>| {
            value.into_iter().map(|value| kernel_limit(parameter, value, used)).collect()
        };
        match parameter.name {
            PIDS => self.pids().iter().map(|limit| of_cgroup(parameter, limit)).collect(),
            MEMORY => self.memory().iter().map(|limit| of_cgroup(parameter, limit)).collect(),
            "fs.file-max" => {
                let files = self.files();
                one(files.map(|(_, max)| max), files.map(|(used, _)| used))
            }
            "vm.max_map_count" => one(self.setting(parameter.name), self.maps()),
            "kernel.threads-max" | "kernel.pid_max" => {
                one(self.setting(parameter.name), self.threads())
            }
            "/dev/shm" => self
                .shared_memory()
                .map(|(size, used)| kernel_limit(parameter, size, Some(used)))
                .into_iter()
                .collect(),
            "CommitLimit" => {
                self.commit_limit().map_or(Vec::new(), |(limit, used)| one(limit, used))
            }
            "MemTotal" => {
                let text = self.read("proc/meminfo").unwrap_or_default();
                let total = procfs::meminfo(&text, "MemTotal");
                let available = procfs::meminfo(&text, "MemAvailable");
                one(total, total.zip(available).map(|(total, free)| total.saturating_sub(free)))
            }
            "fs.nr_open"
            | "fs.inotify.max_user_watches"
            | "fs.inotify.max_user_instances"
            | "kernel.shmmax" => one(self.setting(parameter.name), None),
            name => {
                let (value, used) = self.shared(name);
                one(value, used)
            }
        }
    }

    /// Whether there is such a limit here. What is in use takes longer, and is not counted.
    pub(crate) fn has(&self, parameter: &'static Parameter) -> bool {
        match parameter.name {
            PORTS => self.port_range().is_some(),
            _ => !self.parameter(parameter).is_empty(),
        }
    }

    /// The real user of the process.
    pub(crate) fn user(&self) -> Option<u32> {
        self.status().uid
    }

    fn read(&self, path: &str) -> io::Result<String> {
        String::from_utf8(files::read(&self.root.join(path))?).map_err(io::Error::other)
    }

    /// A file of the process; that it cannot be read is remembered.
    fn read_process(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.root.join(format!("proc/{}/{name}", self.pid));
        self.seen(files::read(&path))
    }

    fn seen<T>(&self, read: io::Result<T>) -> Option<T> {
        // Denied, or not even named, where `/proc` is mounted with hidepid.
        self.hidden.set(self.hidden.get() || read.is_err());
        read.ok()
    }

    /// A sysctl that is a number, by its name.
    fn setting(&self, name: &str) -> Option<u64> {
        let path = name.replace('.', "/");
        files::number(&self.root.join(format!("proc/sys/{path}")))
    }

    fn status(&self) -> Status {
        let read = || {
            let text = self.read_process("status")?;
            Some(procfs::status(&String::from_utf8_lossy(&text)))
        };
        self.status.get_or_init(read).unwrap_or_default()
    }

    fn membership(&self) -> &str {
        self.membership.get_or_init(|| {
            // A kernel without cgroups has no such file.
            self.read(&format!("proc/{}/cgroup", self.pid)).unwrap_or_default()
        })
    }

    fn pids(&self) -> &[CgroupLimit] {
        self.pids.get_or_init(|| cgroup::limits(&self.root, self.membership(), Controller::Pids))
    }

    fn memory(&self) -> &[CgroupLimit] {
        self.memory
            .get_or_init(|| cgroup::limits(&self.root, self.membership(), Controller::Memory))
    }

    /// Descriptors in use. Since Linux 6.2 the size of the directory is their number.
    fn open_files(&self) -> Option<u64> {
        let path = self.root.join(format!("proc/{}/fd", self.pid));
        let size = self.seen(fs::metadata(&path))?.len();
        if size > 0 {
            return Some(size);
        }
        let entries = self.seen(fs::read_dir(&path))?;
        u64::try_from(entries.count()).ok()
    }

    /// Memory maps in use: the lines of `maps`.
    fn maps(&self) -> Option<u64> {
        let text = self.read_process("maps")?;
        u64::try_from(text.split(|byte| *byte == b'\n').count() - 1).ok()
    }

    fn processor_seconds(&self) -> Option<u64> {
        let text = self.read_process("stat")?;
        let ticks = procfs::processor_ticks(&String::from_utf8_lossy(&text))?;
        ticks.checked_div(rustix::param::clock_ticks_per_second())
    }

    /// Threads of the whole system: the denominator of the fourth field.
    fn threads(&self) -> Option<u64> {
        *self.threads.get_or_init(|| {
            let text = self.read("proc/loadavg").ok()?;
            text.split(' ').nth(3)?.split_once('/')?.1.parse().ok()
        })
    }

    /// Processes and threads of the process's user.
    fn processes(&self, limit: Option<u64>) -> Use {
        let at_most = self.threads();
        let is_far =
            at_most.zip(limit).is_some_and(|(most, limit)| State::of(most, limit) == State::Ok);
        if is_far {
            return Use { exactly: None, at_most };
        }
        Use { exactly: self.status().uid.and_then(|uid| self.threads_of_user(uid)), at_most: None }
    }

    fn threads_of_user(&self, uid: u32) -> Option<u64> {
        let entries = fs::read_dir(self.root.join("proc")).ok()?;
        let is_process = |name: &str| name.starts_with(|char: char| char.is_ascii_digit());
        let threads = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            entry.file_name().to_str().filter(|name| is_process(name))?;
            // One that has ended in the meantime counts no more.
            let text = files::read(&entry.path().join("status")).ok()?;
            let status = procfs::status(&String::from_utf8_lossy(&text));
            status.threads.filter(|_| status.uid == Some(uid))
        });
        Some(threads.sum())
    }

    /// Files of the system that are open, and how many may be.
    fn files(&self) -> Option<(u64, u64)> {
        *self.files.get_or_init(|| {
            let text = self.read("proc/sys/fs/file-nr").ok()?;
            let mut numbers = text.split_whitespace().map(str::parse::<u64>);
            let (allocated, free) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
            Some((allocated.saturating_sub(free), numbers.next()?.ok()?))
        })
    }

    fn shared_memory(&self) -> Option<(u64, u64)> {
        let info = rustix::fs::statvfs(self.root.join("dev/shm")).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(info.f_frsize);
        Some((bytes(info.f_blocks), bytes(info.f_blocks.saturating_sub(info.f_bfree))))
    }

    /// What the kernel promises at most; it does so only without overcommit.
    fn commit_limit(&self) -> Option<(Option<u64>, Option<u64>)> {
        const NEVER_OVERCOMMIT: u64 = 2;

        if self.setting("vm.overcommit_memory") != Some(NEVER_OVERCOMMIT) {
            return None;
        }
        let text = self.read("proc/meminfo").ok()?;
        Some((procfs::meminfo(&text, "CommitLimit"), procfs::meminfo(&text, "Committed_AS")))
    }
}

fn machine_memory() -> u64 {
    let info = rustix::system::sysinfo();
    u64::from(info.mem_unit).saturating_mul(info.totalram)
}

fn kernel_limit(parameter: &'static Parameter, value: u64, used: Option<u64>) -> KernelLimit {
    KernelLimit {
        name: parameter.name,
        description: parameter.description,
        unit: parameter.unit,
        value,
        used,
        state: used.map(|used| State::of(used, value)),
        cgroup: None,
        file: None,
        parameter,
    }
}

fn of_cgroup(parameter: &'static Parameter, limit: &CgroupLimit) -> KernelLimit {
    // What the kernel takes back without harm does not bring the limit nearer.
    let needed = limit.used.map(|used| used.saturating_sub(limit.reclaimable));
    KernelLimit {
        name: limit.name,
        state: needed.map(|needed| State::of(needed, limit.max)),
        cgroup: Some(limit.path.clone()),
        file: Some(limit.file.clone()),
        ..kernel_limit(parameter, limit.max, limit.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, RESOURCES};

    fn resource(name: &str) -> &'static Resource {
        RESOURCES.iter().find(|known| known.name == name).expect("a limit")
    }

    fn ceiling(system: &System, name: &str) -> (u64, &'static str) {
        let ceiling = system.ceiling(resource(name)).expect("a ceiling");
        (ceiling.value, ceiling.source)
    }

    fn kernel(system: &System, name: &str) -> Vec<(u64, Option<u64>, Option<State>)> {
        let Ok(Name::Parameter(parameter)) = name.parse() else { panic!("{name}") };
        let limits = system.parameter(parameter);
        limits.iter().map(|limit| (limit.value, limit.used, limit.state)).collect()
    }

    /// Recorded from a machine with cgroup v2, and shortened.
    fn recorded() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (path, text) in [
            ("proc/sys/fs/nr_open", "1048576\n"),
            ("proc/sys/fs/file-nr", "9312\t12\t9300\n"),
            ("proc/sys/kernel/pid_max", "4194304\n"),
            ("proc/sys/kernel/threads-max", "62818\n"),
            ("proc/sys/vm/max_map_count", "4\n"),
            ("proc/sys/vm/overcommit_memory", "2\n"),
            ("proc/meminfo", "MemTotal: 100 kB\nCommitLimit: 50 kB\nCommitted_AS: 45 kB\n"),
            ("proc/sys/net/ipv4/ip_local_port_range", "32768\t32771\n"),
            ("proc/net/tcp", "sl\n 0: 0100007F:8000 0:0 0A\n 1: 0100007F:8001 0:0 06\n"),
            ("proc/net/tcp6", "sl\n 0: 01000000:8001 0:0 01\n 1: 01000000:8003 0:0 01\n"),
            ("proc/sys/net/netfilter/nf_conntrack_max", "262144\n"),
            ("proc/sys/net/netfilter/nf_conntrack_count", "262144\n"),
            ("proc/sys/net/ipv4/tcp_mem", "1\t2\t100\n"),
            ("proc/net/sockstat", "TCP: inuse 1 orphan 0 tw 2 alloc 1 mem 10\n"),
            ("proc/sys/kernel/sem", "250\t100\t32\t2\n"),
            ("proc/sysvipc/sem", "key semid perms nsems\n0 1 600 5\n0 2 600 7\n"),
            ("proc/sys/kernel/shmmni", "4096\n"),
            ("proc/sys/kernel/shmall", "18446744073692774399\n"),
            ("proc/sysvipc/shm", "key shmid perms size\n0 1 600 1\n"),
            ("proc/loadavg", "0.00 0.01 0.05 1/612 4711\n"),
            ("proc/7/status", "Uid:\t1000\t1000\t1000\t1000\nVmStk:\t136 kB\nThreads:\t2\n"),
            ("proc/8/status", "Uid:\t1000\t0\t0\t0\nThreads:\t5\n"),
            ("proc/9/status", "Uid:\t0\t1000\t0\t0\nThreads:\t50\n"),
            ("proc/7/maps", "a\nb\nc\nd\n"),
            ("proc/7/stat", "7 (sh) S 1 2 3 0 -1 4194560 100 0 0 0 3100 1200 7 8 20 0 1 0 5"),
            ("proc/7/cgroup", "0::/user.slice/x.scope\n"),
            ("sys/fs/cgroup/cgroup.controllers", "memory pids\n"),
            ("sys/fs/cgroup/user.slice/pids.max", "500\n"),
            ("sys/fs/cgroup/user.slice/pids.current", "450\n"),
            ("sys/fs/cgroup/user.slice/x.scope/memory.max", "4096\n"),
            ("sys/fs/cgroup/user.slice/x.scope/memory.current", "4096\n"),
            ("sys/fs/cgroup/user.slice/x.scope/memory.stat", "inactive_file 4000\n"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        root
    }

    #[test]
    fn the_lowest_of_several_ceilings() {
        let root = recorded();
        let system = System::below(root.path(), 7);
        assert_eq!(ceiling(&system, "nofile"), (9300, "fs.file-max"));
        assert_eq!(ceiling(&system, "nproc"), (500, "pids.max"));
        assert_eq!(ceiling(&system, "memlock"), (4096, "memory.max"));
        fs::write(root.path().join("proc/7/cgroup"), "0::/\n").expect("a file");
        let system = System::below(root.path(), 7);
        assert_eq!(ceiling(&system, "nproc"), (62_818, "kernel.threads-max"));
        assert_eq!(ceiling(&system, "memlock").1, "MemTotal");
        assert!(system.ceiling(resource("core")).is_none());
    }

    #[test]
    fn what_is_in_use() {
        let root = recorded();
        let system = System::below(root.path(), 7);
        let near = Some(State::Near);
        assert_eq!(kernel(&system, "fs.file-max"), [(9300, Some(9300), Some(State::Reached))]);
        assert_eq!(kernel(&system, "vm.max_map_count"), [(4, Some(4), Some(State::Reached))]);
        assert_eq!(kernel(&system, "CommitLimit"), [(50 << 10, Some(45 << 10), near)]);
        assert_eq!(kernel(&system, "pids.max"), [(500, Some(450), near)]);
        // Nearly all of it is cache that the kernel gives back.
        assert_eq!(kernel(&system, "memory.max"), [(4096, Some(4096), Some(State::Ok))]);
        assert_eq!(system.used(resource("stack"), None).exactly, Some(136 << 10));
        assert_eq!(system.used(resource("cpu"), None).exactly, Some(43));
        // By the real user id, and only where the limit may be near.
        assert_eq!(system.used(resource("nproc"), None).exactly, Some(7));
        assert_eq!(system.used(resource("nproc"), Some(600)).exactly, Some(7));
        let far = system.used(resource("nproc"), Some(10_000));
        assert_eq!((far.exactly, far.at_most), (None, Some(612)));
        assert!(!system.is_partly_hidden());
    }

    #[test]
    fn what_all_programs_share() {
        let root = recorded();
        let system = System::below(root.path(), 7);
        let (ok, reached) = (Some(State::Ok), Some(State::Reached));
        assert_eq!(kernel(&system, "ip_local_port_range"), [(4, Some(3), ok)]);
        assert_eq!(kernel(&system, "nf_conntrack_max"), [(262_144, Some(262_144), reached)]);
        let page = u64::try_from(rustix::param::page_size()).expect("a size");
        assert_eq!(kernel(&system, "tcp_mem"), [(100 * page, Some(10 * page), ok)]);
        assert_eq!(kernel(&system, "SEMMNI"), [(2, Some(2), reached)]);
        assert_eq!(kernel(&system, "SEMMNS"), [(100, Some(12), ok)]);
        assert_eq!(kernel(&system, "shmmni"), [(4096, Some(1), ok)]);
        assert_eq!(kernel(&system, "shmall"), [(18_446_744_073_692_774_399, Some(1), ok)]);
        assert_eq!(kernel(&system, "msgmni"), [], "this kernel has none");
    }

    #[test]
    fn a_process_that_is_hidden() {
        let root = recorded();
        let system = System::below(root.path(), 4711);
        assert_eq!(system.used(resource("stack"), None).exactly, None);
        assert!(system.is_partly_hidden());
        let system = System::below(root.path(), 4711);
        assert_eq!(system.used(resource("nofile"), None).exactly, None);
        assert!(system.is_partly_hidden());
    }
}
