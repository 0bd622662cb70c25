//! The container that `/proc/PID/cgroup` names: engines call a control group by the container's id.

use crate::Container;

/// What stands before the id in the name of a group, and the engine that calls
/// it so. The longer of two that begin alike comes first. `libpod-conmon-` is
/// the group of the process that watches the container.
const PREFIXES: [(&str, &str); 9] = [
    ("docker-", "docker"),
    ("libpod-conmon-", "podman"),
    ("libpod-payload-", "podman"),
    ("libpod-", "podman"),
    ("cri-containerd-", "containerd"),
    ("cri-containerd:", "containerd"),
    ("nerdctl-", "containerd"),
    ("crio-conmon-", "cri-o"),
    ("crio-", "cri-o"),
];

/// The innermost container in the text of `/proc/PID/cgroup`. Its name and image are not in there.
///
/// systemd's groups are `docker-ID.scope`; those of an engine without systemd
/// `/docker/ID` or `/libpod_parent/libpod-ID`; Kubernetes' `/kubepods/…/podUID/ID`,
/// whose engine is unknown.
pub(crate) fn container(bytes: &[u8]) -> Option<Container> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        let groups: Vec<&str> = path.split('/').collect();
        (0..groups.len()).rev().find_map(|at| {
            let above = at.checked_sub(1).map(|above| groups[above]);
            let (id, engine) = group(groups[at], above)?;
            let id = id.to_owned();
            Some(Container { id, name: None, image: None, engine, published: Vec::new() })
        })
    })
}

/// The container that a group is named after, and its engine if the names tell.
fn group<'a>(name: &'a str, above: Option<&str>) -> Option<(&'a str, Option<&'static str>)> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    // containerd without systemd, for a Kubernetes that expects it: `kubepods-podUID.slice:cri-containerd:ID`.
    let name = name.find(":cri-containerd:").map_or(name, |colon| &name[colon + 1..]);
    let prefixed = PREFIXES.iter().find_map(|(prefix, engine)| {
        let id = name.strip_prefix(prefix).filter(|id| is_id(id))?;
        Some((id, Some(*engine)))
    });
    let engine = (above == Some("docker")).then_some("docker");
    prefixed.or_else(|| is_id(name).then_some((name, engine)))
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8dfafdbc3a40d41c3c2c5d7e8dfafdbc3a40d41c3c2c5d7e8dfafdbc3a40d41c";

    fn found(text: &str) -> Option<(String, Option<&'static str>)> {
        let container = container(text.replace("ID", ID).as_bytes())?;
        assert_eq!((&container.name, &container.image), (&None, &None));
        Some((container.id, container.engine))
    }

    #[test]
    fn the_group_of_each_engine() {
        for (text, engine) in [
            ("0::/system.slice/docker-ID.scope\n", Some("docker")),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/docker-ID.scope/init",
                Some("docker"),
            ),
            ("12:pids:/docker/ID\n1:name=systemd:/docker/ID\n0::/\n", Some("docker")),
            ("0::/../docker-ID.scope", Some("docker")),
            ("0::/machine.slice/libpod-ID.scope/container\n", Some("podman")),
            ("0::/machine.slice/libpod-conmon-ID.scope\n", Some("podman")),
            ("0::/libpod_parent/libpod-ID", Some("podman")),
            ("0::/system.slice/web.service/libpod-payload-ID", Some("podman")),
            (
                "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope\n",
                Some("containerd"),
            ),
            (
                "0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:ID",
                Some("containerd"),
            ),
            ("0::/kubepods.slice/crio-ID.scope\n", Some("cri-o")),
            ("4:cpu:/kubepods/burstable/pod3d1d/ID\n", None),
        ] {
            assert_eq!(found(text), Some((ID.to_owned(), engine)), "{text}");
        }
    }

    #[test]
    fn the_innermost_container() {
        let other = "f".repeat(64);
        let text = format!("0::/docker/{other}/kubelet/kubepods/cri-containerd-ID.scope/worker");
        assert_eq!(found(&text), Some((ID.to_owned(), Some("containerd"))));
    }

    #[test]
    fn what_is_not_a_container() {
        for text in [
            "",
            "0::/",
            "0::/system.slice/docker.service",
            "0::/system.slice/docker-1234.scope",
            "0::/machine.slice/machine-libpod_pod_ID.slice",
            "0::/system.slice/docker-IDa.scope",
            "0::/system.slice/other-ID.scope",
            "ID",
            "0:ID",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        assert_eq!(container(format!("0::/docker/{}", ID.to_uppercase()).as_bytes()), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, text in "[0-9:/a-f.docker-]{0,300}") {
            let _ = container(&bytes);
            let _ = container(text.as_bytes());
        }
    }
}
