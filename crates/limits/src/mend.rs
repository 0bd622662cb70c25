//! What lifts a limit.

mod several;

use std::path::PathBuf;

use crate::change::{bounds_soft_limit, wise};
use crate::resource::{
    MEMORY, MEMORY_OF_MACOS, MEMORY_V1, PARAMETERS, PIDS, PORTS, Parameter, Resource,
};
use crate::value::Value;
use crate::{KernelLimit, Limit, Name, os, profile, scope};

/// Whether daemons are units of systemd here.
pub const HAS_UNITS: bool = os::CHANGES_OTHERS;

/// Whether the files of `/etc/sysctl.d` set parameters at every start of the system here.
pub const HAS_SYSCTL_FILES: bool = cfg!(target_os = "linux");

/// Where a limit is to be lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The shell with this PID, which started this program.
    Shell(u32),
    /// Another process.
    Process(u32),
    /// A unit of systemd.
    Unit(String),
    /// A container, whose limits are set where it is started.
    Container,
}

/// What lifts a limit. How it is typed is for the program to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// Raise the soft limit in this shell; without a value as high as is wise.
    Raise {
        /// The limit.
        resource: &'static Resource,
        /// The value.
        value: Option<Value>,
    },
    /// Set both limits of a running process, as root.
    Process {
        /// The process.
        pid: u32,
        /// The limit.
        resource: &'static Resource,
        /// The value.
        value: Value,
    },
    /// A setting in a unit of systemd, which counts when it is started again.
    Unit {
        /// The unit.
        unit: String,
        /// The limit.
        resource: &'static Resource,
        /// The value.
        value: Value,
    },
    /// An option of the command that starts the container.
    Container {
        /// The limit.
        resource: &'static Resource,
        /// The value.
        value: Value,
    },
    /// A parameter of the kernel, until the next reboot.
    Sysctl {
        /// Its name.
        name: &'static str,
        /// The value: a number, or several with blanks between them.
        value: String,
    },
    /// A limit of a unit's cgroup.
    UnitGroup {
        /// The unit.
        unit: String,
        /// The limit.
        limit: GroupLimit,
        /// The value; `None` if what there is cannot be seen.
        value: Option<u64>,
    },
    /// A file of a cgroup.
    GroupFile {
        /// The file.
        file: PathBuf,
        /// The value.
        value: u64,
    },
    /// A limit of a container's cgroup, where it is started.
    ContainerGroup {
        /// The limit.
        limit: GroupLimit,
        /// The value; `None` if what there is cannot be seen.
        value: Option<u64>,
    },
    /// A larger `/dev/shm`, until the next reboot.
    SharedMemory {
        /// In bytes.
        size: u64,
    },
    /// A larger `/dev/shm` of a container, where it is started.
    ContainerSharedMemory {
        /// In bytes.
        size: u64,
    },
}

/// A limit of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupLimit {
    /// Processes and threads.
    Pids,
    /// Memory.
    Memory,
}

/// What lifts a limit of `target` to `wanted`, or as high as is wise; `None` if
/// nothing does. Beyond the hard limit that takes root, whose search path may
/// not hold this program.
pub fn lift(limit: &Limit, wanted: Option<Value>, target: &Target) -> Option<Fix> {
    let resource = limit.resource;
    let (soft, hard) = (limit.value.soft, limit.value.hard);
    let most = |hard| wise(resource, hard, limit.ceiling);
    let beyond = wanted.unwrap_or_else(|| most(Value::Unlimited).max(double(limit)));
    match target {
        Target::Shell(shell) => {
            let within = wanted.unwrap_or_else(|| most(hard));
            if within > soft && within <= hard {
                return Some(Fix::Raise { resource, value: wanted });
            }
            // What is wise was not enough.
            let more = double(limit).min(hard);
            if wanted.is_none() && more > soft {
                return Some(Fix::Raise { resource, value: Some(more) });
            }
            if scope::is_container() {
                return (beyond > hard).then_some(Fix::Container { resource, value: beyond });
            }
            (os::CHANGES_OTHERS && beyond > hard).then_some(Fix::Process {
                pid: *shell,
                resource,
                value: beyond,
            })
        }
        Target::Process(pid) => (os::CHANGES_OTHERS && beyond > soft).then_some(Fix::Process {
            pid: *pid,
            resource,
            value: beyond,
        }),
        Target::Unit(unit) => Some(Fix::Unit { unit: unit.clone(), resource, value: beyond }),
        Target::Container => Some(Fix::Container { resource, value: beyond }),
    }
}

/// Twice the soft limit, as far as the ceiling goes.
fn double(limit: &Limit) -> Value {
    let ceiling = limit.ceiling.filter(|_| bounds_soft_limit(limit.resource));
    let ceiling = ceiling.map_or(Value::Unlimited, Value::Number);
    let double = limit.value.soft.number().map(|soft| Value::Number(soft.saturating_mul(2)));
    double.unwrap_or(Value::Unlimited).min(ceiling)
}

/// What lifts a limit of the kernel to `wanted`, or to about twice; `None` if
/// nothing does.
pub fn lift_kernel(limit: &KernelLimit, wanted: Option<u64>) -> Option<Fix> {
    /// So many files are as good as no limit.
    const PLENTY: u64 = 1 << 40;

    let name = limit.name;
    let value = wanted.unwrap_or_else(|| enough(limit));
    match name {
        PIDS => Some(lift_cgroup(limit, value, GroupLimit::Pids)),
        MEMORY | MEMORY_V1 => Some(lift_cgroup(limit, value, GroupLimit::Memory)),
        SHARED_MEMORY => {
            let size = value.min(memory().unwrap_or(value));
            let fix = if scope::is_container() {
                Fix::ContainerSharedMemory { size }
            } else {
                Fix::SharedMemory { size }
            };
            (size > limit.value && wanted.is_none_or(|wanted| size >= wanted)).then_some(fix)
        }
        "MemTotal" | MEMORY_OF_MACOS => None,
        "CommitLimit" => Some(Fix::Sysctl { name: "vm.overcommit_memory", value: "0".to_owned() }),
        PORTS => several::lift_ports(limit.value, wanted),
        "SEMMNI" | "SEMMNS" => several::lift_semaphores(limit, value),
        "net.ipv4.tcp_mem" => several::lift_tcp_memory(limit.value, value),
        "kernel.shmmni" | "kernel.msgmni" => {
            let value = value.min(several::MOST_OBJECTS);
            (value > limit.value).then(|| Fix::Sysctl { name, value: value.to_string() })
        }
        _ if limit.value >= PLENTY => None,
        _ => Some(Fix::Sysctl { name, value: value.to_string() }),
    }
}

/// What lifts the ceiling of a limit, where that is a parameter of the kernel:
/// a higher limit alone would change nothing.
pub(crate) fn lift_ceiling(limit: &Limit, wanted: Value) -> Option<Fix> {
    let Ok(Name::Parameter(parameter)) = limit.ceiling_source.as_deref()?.parse() else {
        return None;
    };
    let limits = os::System::new(os::parent()).parameter(parameter);
    let lowest = limits.into_iter().min_by_key(|limit| limit.value)?;
    lift_kernel(&lowest, Some(wanted.number()?))
}

const SHARED_MEMORY: &str = "/dev/shm";

/// The memory of the machine, or of the cgroup that has less.
fn memory() -> Option<u64> {
    let system = os::System::new(os::parent());
    let is_memory = |known: &&Parameter| matches!(known.name, "MemTotal" | MEMORY);
    let limits = PARAMETERS.iter().filter(is_memory).flat_map(|known| system.parameter(known));
    limits.map(|limit| limit.value).min()
}

/// Twice what there is, and at least what the profiles ask for.
fn enough(limit: &KernelLimit) -> u64 {
    let wanted = profile::built_in().into_iter().flat_map(|profile| profile.wants);
    let wanted = wanted.filter(|(name, _)| limit.is(*name)).filter_map(|(_, value)| value.number());
    limit.value.saturating_mul(2).max(wanted.max().unwrap_or_default())
}

/// A unit of systemd has its limit by its name, a container when it is made.
fn lift_cgroup(limit: &KernelLimit, value: u64, kind: GroupLimit) -> Fix {
    let path = limit.cgroup.as_deref().unwrap_or("/");
    match (lift_group(path, kind, Some(value)), &limit.file) {
        (Some(fix), _) => fix,
        (None, Some(file)) if path != "/" => Fix::GroupFile { file: file.clone(), value },
        // Only from outside: where this container is started.
        _ => Fix::ContainerGroup { limit: kind, value: Some(value) },
    }
}

/// What lifts the limit of the cgroup at `path` of the hierarchy, if it is a
/// unit's or a container's.
pub fn lift_group(path: &str, limit: GroupLimit, value: Option<u64>) -> Option<Fix> {
    if scope::is_path_of_container(path) {
        return Some(Fix::ContainerGroup { limit, value });
    }
    let unit = path.rsplit('/').next().unwrap_or_default();
    let is_unit = [".slice", ".service", ".scope"].iter().any(|kind| unit.ends_with(kind));
    is_unit.then(|| Fix::UnitGroup { unit: unit.to_owned(), limit, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pair;

    fn limit(name: &str, soft: u64, hard: Value, ceiling: Option<u64>) -> Limit {
        let Ok(Name::Resource(resource)) = name.parse() else { panic!("{name}") };
        Limit {
            resource,
            value: Pair { soft: Value::Number(soft), hard },
            ceiling,
            ceiling_source: None,
            used: None,
            used_at_most: None,
            state: None,
        }
    }

    #[test]
    fn by_the_shell_as_far_as_the_hard_limit_goes() {
        let hard = Value::Number(524_288);
        let of = |limit: &Limit, wanted| lift(limit, wanted, &Target::Shell(42));
        let raise = |limit: &Limit, value| Some(Fix::Raise { resource: limit.resource, value });
        let nofile = limit("nofile", 1024, hard, Some(1 << 20));
        assert_eq!(of(&nofile, None), raise(&nofile, None));
        let wanted = Some(Value::Number(4096));
        assert_eq!(of(&nofile, wanted), raise(&nofile, wanted));
        let wise = limit("nofile", 65_536, hard, Some(1 << 20));
        assert_eq!(of(&wise, None), raise(&wise, Some(Value::Number(131_072))), "it was too low");
        let ceiling = limit("nofile", 1024, Value::Number(1024), Some(1024));
        assert_eq!(of(&ceiling, None), None, "it would not help");
        let beyond = limit("nofile", 1024, Value::Number(1024), Some(1 << 20));
        let value = Value::Number(65_536);
        let (resource, pid) = (beyond.resource, 42);
        let others = if scope::is_container() {
            Fix::Container { resource, value }
        } else {
            Fix::Process { pid, resource, value }
        };
        assert_eq!(of(&beyond, None), os::CHANGES_OTHERS.then_some(others));
    }

    #[test]
    fn a_ceiling_of_the_kernel_before_the_limit() {
        let name = if cfg!(target_os = "macos") { "kern.maxfilesperproc" } else { "fs.nr_open" };
        let mut nofile = limit("nofile", 256, Value::Unlimited, Some(10_240));
        nofile.ceiling_source = Some(name.to_owned());
        let fix = lift_ceiling(&nofile, Value::Number(16_384));
        assert_eq!(fix, Some(Fix::Sysctl { name, value: "16384".to_owned() }));
        nofile.ceiling_source = None;
        assert_eq!(lift_ceiling(&nofile, Value::Number(16_384)), None);
    }

    #[test]
    fn of_a_daemon_where_it_is_started() {
        let nofile = limit("nofile", 1024, Value::Number(4096), Some(1 << 20));
        let (resource, value) = (nofile.resource, Value::Number(65_536));
        let unit = "web.service".to_owned();
        assert_eq!(
            lift(&nofile, None, &Target::Unit(unit.clone())),
            Some(Fix::Unit { unit, resource, value })
        );
        let container = lift(&nofile, None, &Target::Container);
        assert_eq!(container, Some(Fix::Container { resource, value }));
    }

    fn kernel(name: &str, value: u64, cgroup: Option<&str>) -> KernelLimit {
        let Ok(Name::Parameter(parameter)) = name.parse() else { panic!("{name}") };
        KernelLimit {
            name: parameter.name,
            description: parameter.description,
            unit: parameter.unit,
            value,
            used: None,
            state: None,
            cgroup: cgroup.map(str::to_owned),
            file: cgroup.map(|path| format!("/sys/fs/cgroup{path}/{name}").into()),
            parameter,
        }
    }

    #[test]
    fn of_the_kernel_and_of_the_cgroup() {
        let sysctl = |name, value: u64| Fix::Sysctl { name, value: value.to_string() };
        let unit = "x.scope".to_owned();
        let group = |limit, value| Fix::ContainerGroup { limit, value: Some(value) };
        let file = "/sys/fs/cgroup/a/b/memory.max".into();
        for (name, value, cgroup, fix) in [
            (
                "fs.inotify.max_user_watches",
                8192,
                None,
                sysctl("fs.inotify.max_user_watches", 524_288),
            ),
            ("vm.max_map_count", 262_144, None, sysctl("vm.max_map_count", 524_288)),
            (
                "pids.max",
                10,
                Some("/a/x.scope"),
                Fix::UnitGroup { unit, limit: GroupLimit::Pids, value: Some(20) },
            ),
            ("memory.max", 10, Some("/a/b"), Fix::GroupFile { file, value: 20 }),
            ("memory.max", 10, Some("/"), group(GroupLimit::Memory, 20)),
            ("pids.max", 10, Some("/docker/4f1e"), group(GroupLimit::Pids, 20)),
        ] {
            assert_eq!(lift_kernel(&kernel(name, value, cgroup), None), Some(fix), "{name}");
        }
        assert_eq!(lift_kernel(&kernel("MemTotal", 1, None), None), None);
        assert_eq!(lift_kernel(&kernel("fs.file-max", u64::MAX / 2, None), None), None);
    }

    #[test]
    fn parameters_of_several_numbers_keep_their_others() {
        let fix = |name: &str, value, wanted| match lift_kernel(&kernel(name, value, None), wanted)
        {
            Some(Fix::Sysctl { name, value }) => Some(format!("{name}={value}")),
            None => None,
            other => panic!("{other:?}"),
        };
        let ports = "net.ipv4.ip_local_port_range";
        assert_eq!(fix(ports, 28_232, None).as_deref(), Some(&*format!("{ports}=1024 65535")));
        assert_eq!(
            fix(ports, 28_232, Some(30_000)).as_deref(),
            Some(&*format!("{ports}=35536 65535"))
        );
        assert_eq!(fix(ports, 64_512, None), None, "there are no more");
        assert_eq!(fix(ports, 28_232, Some(70_000)), None);
        assert_eq!(
            fix("kernel.shmmni", 4096, None).as_deref(),
            Some("kernel.shmmni=8192"),
            "a single number"
        );
        assert_eq!(fix("kernel.msgmni", 32_000, None).as_deref(), Some("kernel.msgmni=32768"));
        assert_eq!(fix("kernel.msgmni", 32_768, None), None, "the kernel takes no more");
        if let Some(now) = several::numbers("/proc/sys/kernel/sem") {
            let wanted = format!("kernel.sem={} 4096 {} {}", now[0], now[2], now[3]);
            assert_eq!(fix("SEMMNS", 2048, None), Some(wanted));
            let wanted = format!("kernel.sem={} {} {} 256", now[0], now[1], now[2]);
            assert_eq!(fix("SEMMNI", 128, None), Some(wanted));
        }
        if let Some(now) = several::numbers("/proc/sys/net/ipv4/tcp_mem") {
            let wanted = format!("net.ipv4.tcp_mem={} {} {}", now[0] * 2, now[1] * 2, now[2] * 2);
            assert_eq!(fix("tcp_mem", 4096, None), Some(wanted));
        }
    }

    #[test]
    fn explain_asks_for_no_less_than_a_profile() {
        for profile in profile::built_in() {
            for (name, wanted) in profile.wants {
                let (Name::Parameter(parameter), Some(wanted)) = (name, wanted.number()) else {
                    continue;
                };
                assert!(enough(&kernel(parameter.name, 1, None)) >= wanted, "{}", parameter.name);
            }
        }
    }

    #[test]
    fn shared_memory_is_never_larger_than_memory() {
        let size = |value, wanted| match lift_kernel(&kernel("/dev/shm", value, None), wanted) {
            Some(Fix::SharedMemory { size } | Fix::ContainerSharedMemory { size }) => Some(size),
            _ => None,
        };
        let Some(memory) = memory().filter(|memory| *memory > 4 << 30) else { return };
        assert_eq!(size(64 << 20, None), Some(1 << 30), "what the profile ml asks for");
        assert_eq!(size(memory / 4 * 3, None), Some(memory));
        assert_eq!(size(memory, None), None);
        assert_eq!(size(64 << 20, Some(memory * 2)), None);
    }
}
