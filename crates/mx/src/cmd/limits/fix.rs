//! What lifts a limit, in the words of the command line.

use limits::mend::{Fix, GroupLimit};

/// What to type, or to write where.
pub(super) fn command(fix: &Fix) -> String {
    match fix {
        Fix::Raise { resource, value } => {
            let value = value.map(|value| format!("={value}")).unwrap_or_default();
            format!("mx limits raise {}{value}", resource.name)
        }
        Fix::Process { pid, resource, value } => {
            format!("sudo prlimit --pid {pid} --{}={value}:{value}", resource.name)
        }
        Fix::Unit { unit, resource, value } => {
            let value = value.to_string().replace("unlimited", "infinity");
            format!(
                "Limit{}={value} below [Service]: sudo systemctl edit {unit}, then sudo systemctl restart {unit}",
                resource.name.to_uppercase()
            )
        }
        Fix::Container { resource, value } => {
            let value = value.to_string().replace("unlimited", "-1");
            format!("docker run --ulimit {}={value}:{value} …", resource.name)
        }
        Fix::Sysctl { name, value } if value.contains(' ') => {
            format!("sudo sysctl {name}='{value}'")
        }
        Fix::Sysctl { name, value } => format!("sudo sysctl {name}={value}"),
        Fix::UnitGroup { unit, limit, value } => {
            let (property, _) = settings(*limit);
            format!("sudo systemctl set-property {unit} {property}={}", number(*value, *limit))
        }
        Fix::GroupFile { file, value } => format!("echo {value} | sudo tee {}", file.display()),
        Fix::ContainerGroup { limit, value } => {
            let (_, option) = settings(*limit);
            format!("docker run {option}={} …", number(*value, *limit))
        }
        Fix::SharedMemory { size } => format!("sudo mount -o remount,size={size} /dev/shm"),
        Fix::ContainerSharedMemory { size } => {
            format!("docker run --shm-size={size} …, or --ipc=host")
        }
    }
}

/// What keeps it so after a reboot, where the command does not.
pub(super) fn for_good(fix: &Fix) -> Option<String> {
    match fix {
        Fix::Sysctl { name, value } if std::path::Path::new("/proc/sys").is_dir() => {
            Some(format!("echo '{name} = {value}' | sudo tee /etc/sysctl.d/60-{name}.conf"))
        }
        Fix::SharedMemory { size } => {
            Some(format!("size={size} in the line of /dev/shm in /etc/fstab"))
        }
        _ => None,
    }
}

/// The property of a unit, and the option of docker.
fn settings(limit: GroupLimit) -> (&'static str, &'static str) {
    match limit {
        GroupLimit::Pids => ("TasksMax", "--pids-limit"),
        GroupLimit::Memory => ("MemoryMax", "--memory"),
    }
}

fn number(value: Option<u64>, limit: GroupLimit) -> String {
    let unknown = match limit {
        GroupLimit::Pids => "N",
        GroupLimit::Memory => "SIZE",
    };
    value.map_or_else(|| unknown.to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use limits::{Resource, Value};

    use super::*;

    #[test]
    fn each_fix_is_something_to_type() {
        let resource = Resource::find("nofile").expect("a limit");
        let (value, unit) = (Value::Number(65_536), "web.service".to_owned());
        let infinite = Fix::Unit { unit: unit.clone(), resource, value: Value::Unlimited };
        for (fix, text) in [
            (Fix::Raise { resource, value: None }, "mx limits raise nofile"),
            (Fix::Raise { resource, value: Some(value) }, "mx limits raise nofile=65536"),
            (Fix::Process { pid: 7, resource, value }, "sudo prlimit --pid 7 --nofile=65536:65536"),
            (
                infinite,
                "LimitNOFILE=infinity below [Service]: sudo systemctl edit web.service, then sudo systemctl restart web.service",
            ),
            (Fix::Container { resource, value }, "docker run --ulimit nofile=65536:65536 …"),
            (
                Fix::UnitGroup { unit, limit: GroupLimit::Pids, value: Some(20) },
                "sudo systemctl set-property web.service TasksMax=20",
            ),
            (
                Fix::ContainerGroup { limit: GroupLimit::Memory, value: None },
                "docker run --memory=SIZE …",
            ),
            (Fix::ContainerSharedMemory { size: 64 }, "docker run --shm-size=64 …, or --ipc=host"),
        ] {
            assert_eq!(command(&fix), text);
            assert_eq!(for_good(&fix), None);
        }
        let name = "net.ipv4.ip_local_port_range";
        let fix = Fix::Sysctl { name, value: "1024 65535".to_owned() };
        assert_eq!(command(&fix), format!("sudo sysctl {name}='1024 65535'"));
        let file = "/sys/fs/cgroup/a/pids.max".into();
        let fix = Fix::GroupFile { file, value: 20 };
        assert_eq!(command(&fix), "echo 20 | sudo tee /sys/fs/cgroup/a/pids.max");
    }
}
