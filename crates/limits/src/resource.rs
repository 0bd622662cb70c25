//! The names of limits: those of setrlimit(2), with the letters of `ulimit`,
//! and those of the kernel's own parameters.
//!
//! The tables hold what Linux and macOS have between them; `os` knows which of
//! them exist here.

use std::str::FromStr;

use crate::os;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Things: files, threads, signals.
    Count,
    /// Seconds.
    Seconds,
    /// Microseconds.
    Microseconds,
}

/// A limit of setrlimit(2).
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// The name of setrlimit(2) without `RLIMIT_`, in lower case.
    pub name: &'static str,
    /// The letter of the option of `ulimit` in bash.
    pub letter: char,
    /// What it counts.
    pub unit: Unit,
    /// What it limits, in a few words.
    pub description: &'static str,
    /// Whether it is listed without being asked for.
    pub usual: bool,
}

/// A limit of the kernel or of a cgroup, for more than one process.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The kernel's own name.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// What it limits, in a few words.
    pub description: &'static str,
    /// Whether it is listed without being asked for.
    pub usual: bool,
}

const fn resource(
    name: &'static str,
    letter: char,
    unit: Unit,
    description: &'static str,
) -> Resource {
    Resource { name, letter, unit, description, usual: false }
}

const fn parameter(name: &'static str, unit: Unit, description: &'static str) -> Parameter {
    Parameter { name, unit, description, usual: false }
}

/// Every limit of setrlimit(2), in the order in which they are shown.
pub static RESOURCES: [Resource; 16] = {
    use Unit::{Bytes, Count, Microseconds, Seconds};
    [
        Resource { usual: true, ..resource("nofile", 'n', Count, "open files of a process") },
        Resource { usual: true, ..resource("nproc", 'u', Count, "processes of a user") },
        Resource { usual: true, ..resource("stack", 's', Bytes, "stack of the main thread") },
        Resource { usual: true, ..resource("as", 'v', Bytes, "memory that a process can address") },
        Resource { usual: true, ..resource("core", 'c', Bytes, "size of a core dump") },
        Resource { usual: true, ..resource("memlock", 'l', Bytes, "memory locked into RAM") },
        Resource { usual: true, ..resource("fsize", 'f', Bytes, "size of a file that is written") },
        Resource { usual: true, ..resource("locks", 'x', Count, "file locks; Linux ignores it") },
        resource("data", 'd', Bytes, "heap and data of a process"),
        resource("rss", 'm', Bytes, "resident memory; Linux ignores it"),
        resource("cpu", 't', Seconds, "processor time of a process"),
        resource("sigpending", 'i', Count, "queued signals of a user"),
        resource("msgqueue", 'q', Bytes, "POSIX message queues of a user"),
        resource("nice", 'e', Count, "20 less the lowest nice value"),
        resource("rtprio", 'r', Count, "real-time priority"),
        resource("rttime", 'R', Microseconds, "real-time processor time without a pause"),
    ]
};

/// Every limit of a kernel or a cgroup, in the order in which they are shown.
pub static PARAMETERS: [Parameter; 25] = {
    use Unit::{Bytes, Count};
    [
        Parameter { usual: true, ..parameter(PIDS, Count, "processes and threads of the cgroup") },
        Parameter { usual: true, ..parameter(MEMORY, Bytes, "memory of the cgroup") },
        Parameter { usual: true, ..parameter("fs.file-max", Count, "open files of the system") },
        parameter("fs.nr_open", Count, "highest hard limit of nofile"),
        Parameter {
            usual: true,
            ..parameter("fs.inotify.max_user_watches", Count, "files that a user may watch")
        },
        Parameter {
            usual: true,
            ..parameter("fs.inotify.max_user_instances", Count, "inotify watchers of a user")
        },
        Parameter {
            usual: true,
            ..parameter("vm.max_map_count", Count, "memory maps of a process")
        },
        Parameter { usual: true, ..parameter("/dev/shm", Bytes, "shared memory") },
        Parameter {
            usual: true,
            ..parameter("kernel.threads-max", Count, "threads of the system")
        },
        parameter("kernel.pid_max", Count, "process and thread ids of the system"),
        Parameter {
            usual: true,
            ..parameter("CommitLimit", Bytes, "memory that the system promises")
        },
        parameter("MemTotal", Bytes, "memory of the machine"),
        parameter(PORTS, Count, "client ports of TCP"),
        parameter("net.netfilter.nf_conntrack_max", Count, "connections that netfilter tracks"),
        parameter("net.ipv4.tcp_mem", Bytes, "memory of all TCP sockets"),
        parameter("SEMMNI", Count, "sets of semaphores (System V), of kernel.sem"),
        parameter("SEMMNS", Count, "semaphores in all sets (System V), of kernel.sem"),
        parameter("kernel.shmmni", Count, "segments of shared memory (System V)"),
        parameter("kernel.shmall", Count, "pages in all segments of shared memory"),
        parameter("kernel.shmmax", Bytes, "size of a segment of shared memory"),
        parameter("kernel.msgmni", Count, "message queues (System V)"),
        Parameter { usual: true, ..parameter("kern.maxfiles", Count, "open files of the system") },
        parameter("kern.maxfilesperproc", Count, "highest limit of nofile"),
        Parameter { usual: true, ..parameter("kern.maxproc", Count, "processes of the system") },
        parameter("kern.maxprocperuid", Count, "highest limit of nproc"),
    ]
};

/// The range of ports that a client gets one of.
pub(crate) const PORTS: &str = "net.ipv4.ip_local_port_range";
/// The limits of inotify, which count by user.
pub(crate) const WATCHES: [&str; 2] =
    ["fs.inotify.max_user_watches", "fs.inotify.max_user_instances"];
/// The limit of a cgroup on its processes and threads.
pub(crate) const PIDS: &str = "pids.max";
/// The limit of a cgroup on its memory, by the name of cgroup v2.
pub(crate) const MEMORY: &str = "memory.max";
/// The name of [`MEMORY`] in cgroup v1.
pub(crate) const MEMORY_V1: &str = "memory.limit_in_bytes";

/// The name of `MemTotal` on macOS.
pub(crate) const MEMORY_OF_MACOS: &str = "hw.memsize";

/// A limit by any of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// One of setrlimit(2).
    Resource(&'static Resource),
    /// One of the kernel.
    Parameter(&'static Parameter),
}

/// No limit has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such limit")]
pub struct NameError {
    /// The name that is nearest to what was given.
    pub nearest: &'static str,
}

impl Name {
    /// The name that is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resource(resource) => resource.name,
            Self::Parameter(parameter) => os::shown_name(parameter.name),
        }
    }

    /// Where it stands among all, in the order in which they are shown.
    pub(crate) fn position(self) -> usize {
        let resource = RESOURCES.iter().position(|known| self == Self::Resource(known));
        let parameter = || PARAMETERS.iter().position(|known| self == Self::Parameter(known));
        resource.or_else(|| Some(RESOURCES.len() + parameter()?)).unwrap_or_default()
    }

    /// What it counts.
    pub fn unit(self) -> Unit {
        match self {
            Self::Resource(resource) => resource.unit,
            Self::Parameter(parameter) => parameter.unit,
        }
    }
}

impl Resource {
    /// The limit with this name of setrlimit(2): `nofile`, `RLIMIT_NOFILE`, `n` or `-n`.
    pub fn find(text: &str) -> Result<&'static Self, NameError> {
        let mut letters = text.strip_prefix('-').unwrap_or(text).chars();
        if let (Some(letter), None) = (letters.next(), letters.next())
            && let Some(found) = RESOURCES.iter().find(|known| known.letter == letter)
        {
            return Ok(found);
        }
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("rlimit_").unwrap_or(&lower);
        let names = RESOURCES.iter().map(|known| known.name);
        RESOURCES
            .iter()
            .find(|known| known.name == name)
            .ok_or_else(|| NameError { nearest: nearest(name, names) })
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Takes what [`Resource::find`] takes, and names of the kernel, also by
    /// their last part: `max_user_watches`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        if let Ok(found) = Resource::find(text) {
            return Ok(Self::Resource(found));
        }
        if text == MEMORY_V1 {
            return Self::from_str(MEMORY);
        }
        if text.eq_ignore_ascii_case(MEMORY_OF_MACOS) {
            return Self::from_str("MemTotal");
        }
        if text == "kernel.sem" {
            return Self::from_str("SEMMNI");
        }
        let is_named = |known: &&Parameter| {
            known.name.eq_ignore_ascii_case(text) || known.short() == Some(text)
        };
        let found = PARAMETERS.iter().find(is_named);
        found.map(Self::Parameter).ok_or_else(|| {
            let names = RESOURCES.iter().map(|known| known.name);
            let parameters = PARAMETERS.iter().flat_map(|known| [Some(known.name), known.short()]);
            NameError {
                nearest: nearest(&text.to_ascii_lowercase(), names.chain(parameters.flatten())),
            }
        })
    }
}

impl Parameter {
    /// The last part of the name, where that says enough.
    fn short(&self) -> Option<&'static str> {
        let (_, last) = self.name.rsplit_once(['.', '/'])?;
        (last != "max").then_some(last)
    }
}

fn nearest(text: &str, names: impl Iterator<Item = &'static str>) -> &'static str {
    names.min_by_key(|name| strsim::damerau_levenshtein(text, name)).expect("there are names")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_setrlimit_letters_and_names_of_the_kernel() {
        for (text, name) in [
            ("nofile", "nofile"),
            ("NOFILE", "nofile"),
            ("RLIMIT_NOFILE", "nofile"),
            ("n", "nofile"),
            ("-n", "nofile"),
            ("-r", "rtprio"),
            ("-R", "rttime"),
            ("as", "as"),
            ("fs.file-max", "fs.file-max"),
            ("max_user_watches", "fs.inotify.max_user_watches"),
            ("/dev/shm", "/dev/shm"),
            ("memory.limit_in_bytes", "memory.max"),
            ("memtotal", "MemTotal"),
            ("hw.memsize", "MemTotal"),
            ("ip_local_port_range", "net.ipv4.ip_local_port_range"),
            ("nf_conntrack_max", "net.netfilter.nf_conntrack_max"),
            ("tcp_mem", "net.ipv4.tcp_mem"),
            ("kernel.sem", "SEMMNI"),
            ("shmmax", "kernel.shmmax"),
        ] {
            assert_eq!(text.parse().map(Name::name), Ok(os::shown_name(name)), "{text}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        for (text, nearest) in [
            ("nofiles", "nofile"),
            ("nporc", "nproc"),
            ("memlok", "memlock"),
            ("max_user_watch", "max_user_watches"),
            ("fs.filemax", "fs.file-max"),
            ("", "as"),
            ("max", "as"),
            ("-z", "as"),
            ("-nofile", "nofile"),
        ] {
            assert_eq!(Name::from_str(text), Err(NameError { nearest }), "{text}");
        }
        assert_eq!(
            Resource::find("fs.file-max").map(|found| found.name),
            Err(NameError { nearest: "nofile" })
        );
    }

    #[test]
    fn every_name_and_letter_is_unique() {
        let mut names: Vec<&str> = RESOURCES.iter().map(|known| known.name).collect();
        names.extend(PARAMETERS.iter().map(|known| known.name));
        let mut letters: Vec<char> = RESOURCES.iter().map(|known| known.letter).collect();
        names.sort_unstable();
        letters.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        assert!(letters.windows(2).all(|pair| pair[0] != pair[1]), "{letters:?}");
    }
}
