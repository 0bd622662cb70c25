//! The command that lifts a limit.

use crate::change::wise;
use crate::os;
use crate::resource::{MEMORY, MEMORY_OF_MACOS, MEMORY_V1, PIDS};
use crate::value::Value;
use crate::{KernelLimit, Limit};

/// The command that lifts a limit of the process `shell` to `wanted`, or as
/// high as is wise; `None` if there is none. Beyond the hard limit that takes
/// root, whose search path may not hold this program: prlimit(1) is everywhere.
pub fn lift(limit: &Limit, wanted: Option<Value>, shell: u32) -> Option<String> {
    let name = limit.resource.name;
    let (soft, hard) = (limit.value.soft, limit.value.hard);
    let within = wanted.unwrap_or_else(|| wise(limit.resource, hard, limit.ceiling));
    if within > soft && within <= hard {
        let value = wanted.map(|value| format!("={value}")).unwrap_or_default();
        return Some(format!("mx limits raise {name}{value}"));
    }
    let beyond = wanted.unwrap_or_else(|| wise(limit.resource, Value::Unlimited, limit.ceiling));
    (os::CHANGES_OTHERS && beyond > hard)
        .then(|| format!("sudo prlimit --pid {shell} --{name}={beyond}:{beyond}"))
}

/// The command that lifts a limit of the kernel to `wanted`, or to about
/// twice; `None` if there is none.
pub fn lift_kernel(limit: &KernelLimit, wanted: Option<u64>) -> Option<String> {
    /// So many files are as good as no limit.
    const PLENTY: u64 = 1 << 40;

    let name = limit.name;
    let value = wanted.unwrap_or_else(|| enough(limit));
    match name {
        PIDS => Some(lift_cgroup(limit, value, "TasksMax", "--pids-limit")),
        MEMORY | MEMORY_V1 => Some(lift_cgroup(limit, value, "MemoryMax", "--memory")),
        "/dev/shm" => Some(format!("sudo mount -o remount,size={value} /dev/shm")),
        "MemTotal" | MEMORY_OF_MACOS => None,
        "CommitLimit" => Some("sudo sysctl vm.overcommit_memory=0".to_owned()),
        _ if limit.value >= PLENTY => None,
        _ => Some(format!("sudo sysctl {name}={value}")),
    }
}

/// Twice what there is, and at least what is usually asked for.
fn enough(limit: &KernelLimit) -> u64 {
    let usual = match limit.name {
        "fs.inotify.max_user_watches" => 524_288,
        "fs.inotify.max_user_instances" => 1024,
        "vm.max_map_count" => 262_144,
        _ => 0,
    };
    limit.value.saturating_mul(2).max(usual)
}

/// A unit of systemd is told its limit by its name, a container when it is made.
fn lift_cgroup(limit: &KernelLimit, value: u64, property: &str, option: &str) -> String {
    let path = limit.cgroup.as_deref().unwrap_or("/");
    let unit = path.rsplit('/').next().unwrap_or_default();
    let is_unit = [".slice", ".service", ".scope"].iter().any(|kind| unit.ends_with(kind));
    match &limit.file {
        _ if is_unit => format!("sudo systemctl set-property {unit} {property}={value}"),
        Some(file) if path != "/" => format!("echo {value} | sudo tee {}", file.display()),
        // Only from outside: where this container is started.
        _ => format!("docker run {option}={value} …"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, Pair};

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
        let of = |limit: &Limit, wanted| lift(limit, wanted, 42);
        let nofile = limit("nofile", 1024, hard, Some(1 << 20));
        assert_eq!(of(&nofile, None).as_deref(), Some("mx limits raise nofile"));
        let wanted = Some(Value::Number(4096));
        assert_eq!(of(&nofile, wanted).as_deref(), Some("mx limits raise nofile=4096"));
        let enough = limit("nofile", 65_536, hard, Some(1 << 20));
        assert_eq!(of(&enough, None), None);
        let beyond = limit("nofile", 1024, Value::Number(1024), Some(1 << 20));
        let others = "sudo prlimit --pid 42 --nofile=65536:65536";
        assert_eq!(of(&beyond, None).as_deref(), os::CHANGES_OTHERS.then_some(others));
        let ceiling = limit("nofile", 1024, Value::Number(1024), Some(1024));
        assert_eq!(of(&ceiling, None), None, "it would not help");
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
    fn by_the_one_who_rules_the_kernel_or_the_cgroup() {
        for (name, value, cgroup, command) in [
            (
                "fs.inotify.max_user_watches",
                8192,
                None,
                "sudo sysctl fs.inotify.max_user_watches=524288",
            ),
            ("vm.max_map_count", 262_144, None, "sudo sysctl vm.max_map_count=524288"),
            ("/dev/shm", 64, None, "sudo mount -o remount,size=128 /dev/shm"),
            ("pids.max", 10, Some("/a/x.scope"), "sudo systemctl set-property x.scope TasksMax=20"),
            ("memory.max", 10, Some("/a/b"), "echo 20 | sudo tee /sys/fs/cgroup/a/b/memory.max"),
            ("memory.max", 10, Some("/"), "docker run --memory=20 …"),
        ] {
            assert_eq!(lift_kernel(&kernel(name, value, cgroup), None).as_deref(), Some(command));
        }
        assert_eq!(lift_kernel(&kernel("MemTotal", 1, None), None), None);
        assert_eq!(lift_kernel(&kernel("fs.file-max", u64::MAX / 2, None), None), None);
    }
}
