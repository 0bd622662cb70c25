//! Which container a socket leads to: when an engine is asked, and how its answer is joined.
//!
//! An engine is asked only where it can tell something: of a socket whose owner
//! cannot be seen, or whose owner passes connections on to containers or runs
//! in one. Everywhere else no socket is opened. An engine that does not answer
//! is a note, never an error.

mod engine;
mod http;
mod listing;

use std::net::IpAddr;
use std::rc::Rc;

use self::listing::{Listed, Mapping};
use crate::report::lacks_owner;
use crate::{Container, Owner, Report, Socket};

/// Programs that hold ports for containers and for nothing else: one that is
/// ended leaves a container behind that nobody reaches.
///
/// Docker's proxy, and what it is called without root; Podman's, without root;
/// what watches a container of Podman or CRI-O, which keeps its ports bound.
const PROXIES: [&str; 5] =
    ["docker-proxy", "rootlesskit-docker-proxy", "rootlesskit", "rootlessport", "conmon"];

/// Programs that hold ports for containers among others.
///
/// Docker without its proxy; the networks of Podman without root; the virtual
/// machines of Docker Desktop, `OrbStack`, Podman, Lima and what is built on it.
const MAYBE_PROXIES: [&str; 14] = [
    "dockerd",
    "slirp4netns",
    "pasta",
    "pasta.avx2",
    "passt",
    "passt.avx2",
    "com.docker.backend",
    "com.docker.vpnkit",
    "com.docker.vmnetd",
    "vpnkit",
    "vpnkit-bridge",
    "OrbStack Helper",
    "gvproxy",
    "limactl",
];

/// Names the containers that the report's sockets lead to, asking the engines if need be.
pub(crate) fn find(report: &mut Report) {
    if !report.sockets.iter().any(is_unexplained) {
        return;
    }
    let answer = engine::containers(|name| std::env::var(name).ok());
    for socket in &mut report.sockets {
        explain(socket, &answer.containers);
    }
    if report.sockets.iter().any(is_unexplained) {
        report.notes.extend(answer.failures);
    }
}

/// Whether a process serves containers and nothing else.
pub(crate) fn is_proxy(owner: &Owner) -> bool {
    PROXIES.contains(&owner.name.as_str())
}

/// Whether a process may serve containers.
pub(crate) fn may_be_proxy(owner: &Owner) -> bool {
    // Lima and Colima forward ports by a `ssh` whose files are below `.lima` or `.colima`.
    let forwards = || owner.command.iter().any(|word| word.contains("lima/"));
    is_proxy(owner)
        || MAYBE_PROXIES.contains(&owner.name.as_str())
        || (owner.name == "ssh" && forwards())
}

/// Whether an engine could tell more of a socket.
fn is_unexplained(socket: &Socket) -> bool {
    let named = |container: &Option<Container>| {
        container.as_ref().is_some_and(|container| container.name.is_some())
    };
    let by_owner = |owner: &Rc<Owner>| {
        (owner.container.is_some() || may_be_proxy(owner)) && !named(&owner.container)
    };
    socket.state.is_bound()
        && ((lacks_owner(socket) && !named(&socket.container))
            || socket.owners.iter().any(by_owner))
}

/// Fills in what the engines know of a socket.
fn explain(socket: &mut Socket, listed: &[Listed]) {
    if !is_unexplained(socket) {
        return;
    }
    if lacks_owner(socket) {
        socket.container = published(socket, listed, reaches);
        return;
    }
    let owners: Vec<Rc<Owner>> =
        socket.owners.iter().map(|owner| of_owner(owner, socket, listed)).collect();
    socket.owners = owners;
}

/// An owner with its container as far as the engines know it.
fn of_owner(owner: &Rc<Owner>, socket: &Socket, listed: &[Listed]) -> Rc<Owner> {
    let mut container = None;
    if may_be_proxy(owner) {
        // A virtual machine's address may be bound to another one of this machine.
        container = published(socket, listed, reaches).or_else(|| {
            published(socket, listed, |mapping, socket| public_index(mapping, socket).is_some())
        });
    }
    let container = container.or_else(|| runs_in(owner, socket, listed));
    match container {
        // Other sockets of the same process may lead to other containers.
        Some(_) => Rc::new(Owner { container, ..Owner::clone(owner) }),
        None => Rc::clone(owner),
    }
}

/// The container that a process runs in, with the name that the engines give it.
fn runs_in(owner: &Owner, socket: &Socket, listed: &[Listed]) -> Option<Container> {
    let id = &owner.container.as_ref()?.id;
    let container = listed.iter().find(|container| container.id == *id)?;
    // In a network of its own the socket has the container's port.
    let own_network = socket.namespace.is_some();
    let mappings = container.ports.iter().filter_map(|mapping| {
        let index = index(mapping.private, mapping, socket).filter(|_| own_network)?;
        Some(text(mapping, index))
    });
    Some(with_published(container, mappings.collect()))
}

/// The container that publishes a socket of this machine's own network.
fn published(
    socket: &Socket,
    listed: &[Listed],
    matches: fn(&Mapping, &Socket) -> bool,
) -> Option<Container> {
    if socket.namespace.is_some() {
        return None;
    }
    listed.iter().find_map(|container| {
        let mappings = container.ports.iter().filter(|mapping| matches(mapping, socket));
        let mut texts: Vec<String> = mappings
            .filter_map(|mapping| Some(text(mapping, public_index(mapping, socket)?)))
            .collect();
        // Podman lists the first port of a range twice, alone and as a range.
        texts.sort();
        texts.dedup();
        (!texts.is_empty()).then(|| with_published(container, texts))
    })
}

fn with_published(container: &Listed, published: Vec<String>) -> Container {
    Container {
        id: container.id.clone(),
        name: container.name.clone(),
        image: container.image.clone(),
        engine: Some(container.engine),
        published,
    }
}

/// Whether a mapping is what binds exactly this socket.
fn reaches(mapping: &Mapping, socket: &Socket) -> bool {
    let address = match mapping.address {
        None => socket.address.is_unspecified(),
        Some(IpAddr::V4(v4)) if v4.is_unspecified() => {
            // An IPv6 socket may serve IPv4 too.
            socket.address == v4
                || (socket.address.is_unspecified() && socket.dual_stack != Some(false))
        }
        Some(address) => socket.address == address,
    };
    address && public_index(mapping, socket).is_some()
}

/// Which of a mapping's ports of this machine is the socket's.
fn public_index(mapping: &Mapping, socket: &Socket) -> Option<u16> {
    index(mapping.public, mapping, socket)
}

fn index(first: u16, mapping: &Mapping, socket: &Socket) -> Option<u16> {
    let index = socket.port.checked_sub(first)?;
    (index < mapping.count && mapping.protocol == socket.protocol).then_some(index)
}

/// `0.0.0.0:8080->80/tcp`; `*` is every address of both families.
fn text(mapping: &Mapping, index: u16) -> String {
    let address = match mapping.address {
        None => "*".to_owned(),
        Some(IpAddr::V4(v4)) => v4.to_string(),
        Some(IpAddr::V6(v6)) => format!("[{v6}]"),
    };
    let (public, private) =
        (mapping.public.saturating_add(index), mapping.private.saturating_add(index));
    format!("{address}:{public}->{private}/{}", mapping.protocol.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Protocol, Scope, State};

    fn socket(address: &str, port: u16, dual_stack: bool, owners: &[Owner]) -> Socket {
        Socket {
            protocol: Protocol::Tcp,
            address: address.parse().expect("an address"),
            interface: None,
            port,
            state: State::Listen,
            scope: Scope::All,
            dual_stack: Some(dual_stack),
            peer: None,
            uid: None,
            user: None,
            namespace: None,
            owners: owners.iter().cloned().map(Rc::new).collect(),
            container: None,
            key: 7,
            device: 0,
            is_v6: false,
        }
    }

    fn owner(name: &str) -> Owner {
        Owner { name: name.to_owned(), certain: true, ..Owner::default() }
    }

    fn listed(name: &str, ports: &[(&str, u16, u16, u16)]) -> Listed {
        let mapping = |(address, public, private, count): &(&str, u16, u16, u16)| Mapping {
            address: address.parse().ok(),
            public: *public,
            private: *private,
            count: *count,
            protocol: Protocol::Tcp,
        };
        Listed {
            engine: "docker",
            id: format!("id of {name}"),
            name: Some(name.to_owned()),
            image: None,
            ports: ports.iter().map(mapping).collect(),
        }
    }

    /// The container that is found for a socket: its name and the published ports.
    fn found(mut socket: Socket, all: &[Listed]) -> Option<String> {
        explain(&mut socket, all);
        let container = match socket.owners.first() {
            Some(owner) => owner.container.clone(),
            None => socket.container.clone(),
        };
        let container = container?;
        let words = std::iter::once(container.name.unwrap_or_default()).chain(container.published);
        Some(words.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_socket_of_nobody_is_matched_by_its_address() {
        let all = [
            listed("web", &[("0.0.0.0", 8080, 80, 1), ("::", 8080, 80, 1)]),
            listed("db", &[("127.0.0.1", 5432, 5432, 1), ("10.0.0.1", 8080, 81, 1)]),
            listed("many", &[("", 3000, 4000, 11)]),
            listed("top", &[("", 65535, 65535, 65535)]),
        ];
        let of = |address, port, dual| found(socket(address, port, dual, &[]), &all);
        assert_eq!(of("0.0.0.0", 8080, false).as_deref(), Some("web 0.0.0.0:8080->80/tcp"));
        assert_eq!(of("::", 8080, false).as_deref(), Some("web [::]:8080->80/tcp"));
        assert_eq!(
            of("::", 8080, true).as_deref(),
            Some("web 0.0.0.0:8080->80/tcp [::]:8080->80/tcp")
        );
        assert_eq!(of("10.0.0.1", 8080, false).as_deref(), Some("db 10.0.0.1:8080->81/tcp"));
        assert_eq!(of("127.0.0.1", 5432, false).as_deref(), Some("db 127.0.0.1:5432->5432/tcp"));
        assert_eq!(of("0.0.0.0", 3010, false).as_deref(), Some("many *:3010->4010/tcp"));
        assert_eq!(of("::", 65535, true).as_deref(), Some("top *:65535->65535/tcp"));
        for (address, port) in
            [("127.0.0.1", 8080), ("0.0.0.0", 5432), ("0.0.0.0", 3011), ("::", 2999)]
        {
            assert_eq!(of(address, port, false), None, "{address}:{port}");
        }
        let udp = Socket { protocol: Protocol::Udp, ..socket("0.0.0.0", 8080, false, &[]) };
        assert_eq!(found(udp, &all), None);
        let elsewhere =
            Socket { namespace: Some("1".to_owned()), ..socket("0.0.0.0", 8080, false, &[]) };
        assert_eq!(found(elsewhere, &all), None);
    }

    #[test]
    fn only_a_proxy_stands_for_a_container() {
        let all =
            [listed("a", &[("10.0.0.1", 80, 80, 1)]), listed("b", &[("10.0.0.2", 80, 80, 1)])];
        let of = |address, name| found(socket(address, 80, false, &[owner(name)]), &all);
        assert_eq!(of("10.0.0.2", "docker-proxy").as_deref(), Some("b 10.0.0.2:80->80/tcp"));
        // A virtual machine's ports are forwarded from any address.
        assert_eq!(of("127.0.0.1", "gvproxy").as_deref(), Some("a 10.0.0.1:80->80/tcp"));
        assert_eq!(of("10.0.0.2", "nginx"), None);
        assert_eq!(of("10.0.0.2", "ssh"), None);
        let command = vec!["ssh: /h/.colima/_lima/colima/ssh.sock [mux]".to_owned()];
        let ssh = Owner { command, ..owner("ssh") };
        assert!(found(socket("10.0.0.2", 80, false, &[ssh]), &all).is_some());
    }

    #[test]
    fn a_process_in_a_container_is_named_by_its_id() {
        let all = [listed("web", &[("0.0.0.0", 8080, 80, 1)])];
        let inside = |id: &str| {
            let id = id.to_owned();
            let known =
                Container { id, name: None, image: None, engine: None, published: Vec::new() };
            [Owner { container: Some(known), ..owner("nginx") }]
        };
        let own_network = Socket {
            namespace: Some("1".to_owned()),
            ..socket("0.0.0.0", 80, false, &inside("id of web"))
        };
        assert_eq!(found(own_network, &all).as_deref(), Some("web 0.0.0.0:8080->80/tcp"));
        let shared = socket("0.0.0.0", 8080, false, &inside("id of web"));
        assert_eq!(found(shared, &all).as_deref(), Some("web"));
        let unknown = socket("0.0.0.0", 8080, false, &inside("other"));
        assert!(is_unexplained(&unknown));
        assert_eq!(found(unknown, &all).as_deref(), Some(""));
    }

    #[test]
    fn engines_are_asked_only_where_they_can_tell_something() {
        assert!(!is_unexplained(&socket("0.0.0.0", 80, false, &[owner("nginx")])));
        assert!(is_unexplained(&socket(
            "0.0.0.0",
            80,
            false,
            &[owner("nginx"), owner("docker-proxy")]
        )));
        assert!(is_unexplained(&socket("0.0.0.0", 80, false, &[])));
        let connected = Socket { state: State::Established, ..socket("0.0.0.0", 80, false, &[]) };
        assert!(!is_unexplained(&connected));
    }
}
