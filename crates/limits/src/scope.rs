//! Where a process runs, as far as it decides which limits concern it: its user,
//! its unit, its container. All of it is read from `/proc`; without one nothing
//! is known.

use std::fs;
use std::path::Path;

use crate::cgroup::{self, Controller};

/// Whether the limit on the processes of a user does not hold for a process:
/// the kernel exempts root and what may override resource limits.
pub fn is_exempt_from_nproc(pid: u32) -> bool {
    let map = fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap_or_default();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    is_exempt(&map, &status)
}

/// The kernel asks for its own user 0, or for one of two capabilities in the
/// first user namespace (`copy_process` in kernel/fork.c).
fn is_exempt(uid_map: &str, status: &str) -> bool {
    const SYS_ADMIN: u32 = 21;
    const SYS_RESOURCE: u32 = 24;

    let is_first = uid_map.split_whitespace().eq(["0", "0", "4294967295"]);
    let field = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()
    };
    let is_root = field("Uid:") == Some("0");
    let capabilities = field("CapEff:").and_then(|text| u64::from_str_radix(text, 16).ok());
    let may = capabilities.unwrap_or_default() & (1 << SYS_ADMIN | 1 << SYS_RESOURCE) != 0;
    is_first && (is_root || may)
}

/// Whether this process runs in a container: in a process namespace other than
/// the first, which has a fixed number.
pub fn is_container() -> bool {
    const FIRST: &str = "pid:[4026531836]";

    fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link != Path::new(FIRST))
}

/// What starts a process, if its cgroup says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Starter {
    /// A service of systemd.
    Unit(String),
    /// An engine of containers.
    Container,
}

/// What starts a process.
pub fn starter(pid: u32) -> Option<Starter> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(starter_in)
}

fn starter_in(path: &str) -> Option<Starter> {
    if is_path_of_container(path) {
        return Some(Starter::Container);
    }
    let mut parts = path.strip_prefix("/system.slice/")?.split('/');
    parts.find(|part| part.ends_with(".service")).map(|unit| Starter::Unit(unit.to_owned()))
}

/// Whether a path of a cgroup is that of a container.
pub(crate) fn is_path_of_container(path: &str) -> bool {
    const ENGINES: [&str; 6] =
        ["docker", "libpod", "kubepods", "cri-containerd", "crio", "containerd"];

    path.split('/').any(|part| {
        let name = part.split(['-', '.']).next().unwrap_or_default();
        ENGINES.contains(&name) && !part.ends_with(".service")
            || part.starts_with("cri-containerd-")
    })
}

/// Whether the limits of a process's cgroup on processes and memory cannot be seen.
pub fn hides_cgroup(pid: u32) -> bool {
    let membership = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let is_hidden = |controller| cgroup::is_hidden(Path::new("/"), &membership, controller);
    is_hidden(Controller::Pids) || is_hidden(Controller::Memory)
}

/// A process of a unit of systemd.
pub fn process_of_unit(unit: &str) -> Option<u32> {
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];
    roots.iter().find_map(|root| {
        let text = fs::read_to_string(format!("{root}/system.slice/{unit}/cgroup.procs")).ok()?;
        text.lines().next()?.parse().ok()
    })
}

/// The cgroup that a message of the kernel names as full.
pub fn cgroup_in(line: &str) -> Option<&str> {
    let after = |begin: &str| line.split_once(begin).map(|(_, rest)| rest);
    let rest = after("oom_memcg=").or_else(|| after("pids controller in "))?;
    let path = rest.split([',', ' ']).next()?.trim();
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_exempt_from_nproc() {
        let first = "         0          0 4294967295\n";
        let other = "         0     100000      65536\n";
        let status = |uid: u32, capabilities: &str| {
            format!("Name:\tx\nUid:\t{uid}\t0\t0\t0\nCapEff:\t{capabilities}\n")
        };
        for (map, uid, capabilities, exempt) in [
            (first, 0, "0000000000000000", true),
            (first, 1000, "0000000000000000", false),
            (first, 1000, "0000000001000000", true),
            (first, 1000, "0000000000200000", true),
            (first, 1000, "0000000000000400", false),
            (other, 0, "000001ffffffffff", false),
            ("", 0, "000001ffffffffff", false),
        ] {
            let text = status(uid, capabilities);
            assert_eq!(is_exempt(map, &text), exempt, "{map}{text}");
        }
    }

    #[test]
    fn what_starts_a_process() {
        let unit = |name: &str| Some(Starter::Unit(name.to_owned()));
        for (path, starter) in [
            ("/system.slice/nginx.service", unit("nginx.service")),
            ("/system.slice/docker.service", unit("docker.service")),
            ("/system.slice/web.service/worker", unit("web.service")),
            ("/system.slice/docker-4f1e.scope", Some(Starter::Container)),
            ("/docker/4f1e", Some(Starter::Container)),
            (
                "/kubepods.slice/kubepods-pod1.slice/cri-containerd-9.scope",
                Some(Starter::Container),
            ),
            ("/machine.slice/libpod-9.scope", Some(Starter::Container)),
            ("/user.slice/user-1000.slice/session-2.scope", None),
            ("/", None),
        ] {
            assert_eq!(starter_in(path), starter, "{path}");
        }
    }

    #[test]
    fn the_cgroup_that_a_message_names() {
        for (line, path) in [
            ("cgroup: fork rejected by pids controller in /docker/4f1e", Some("/docker/4f1e")),
            (
                "oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/system.slice/x.service,task=a",
                Some("/system.slice/x.service"),
            ),
            ("Memory cgroup out of memory: Killed process 1 (a)", None),
            ("oom_memcg=", None),
        ] {
            assert_eq!(cgroup_in(line), path, "{line}");
        }
    }
}
