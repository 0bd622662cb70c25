//! Asks Docker and Podman which containers run and what they publish.
//!
//! One `GET` over each engine's unix socket, all at the same time, and never
//! longer than [`LIMIT`]. Nothing is changed, and no network is used: an engine
//! that `DOCKER_HOST` places elsewhere is not asked.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::{Errno, FdFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use super::http;
use super::listing::{Listed, Mapping, decode};

/// For connecting, asking and reading, of all engines together.
const LIMIT: Duration = Duration::from_millis(250);
/// A thousand containers are about 2 MB.
const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// What all engines said.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) containers: Vec<Listed>,
    /// A sentence for each engine that is there but did not say, or that cannot be asked.
    pub(crate) failures: Vec<String>,
}

/// Asks every engine that has a socket here. `variable` reads the environment.
pub(crate) fn containers(variable: impl Fn(&str) -> Option<String>) -> Answer {
    let deadline = Instant::now() + LIMIT;
    let (endpoints, failures) = endpoints(variable);
    let mut answer = Answer { containers: Vec::new(), failures };
    let mut open = Vec::new();
    for endpoint in endpoints {
        match Talk::begin(endpoint) {
            Ok(talk) => open.extend(talk),
            Err(failure) => answer.failures.push(failure),
        }
    }
    while !open.is_empty() && Instant::now() < deadline && wait(&open, deadline) {
        for mut talk in std::mem::take(&mut open) {
            match talk.read() {
                Ok(None) => open.push(talk),
                Ok(Some(containers)) => {
                    open.extend(talk.again(&containers));
                    answer.add(containers);
                }
                Err(why) => answer.failures.push(talk.endpoint.failure(&why)),
            }
        }
    }
    let late = format!("not within {} ms", LIMIT.as_millis());
    answer.failures.extend(open.iter().map(|talk| talk.endpoint.failure(&late)));
    answer
}

impl Answer {
    /// Adds containers. One engine may have two sockets: then it says everything twice.
    fn add(&mut self, containers: Vec<Listed>) {
        let known = self.containers.iter().enumerate();
        let known: HashMap<String, usize> =
            known.map(|(index, container)| (container.id.clone(), index)).collect();
        for container in containers {
            match known.get(&container.id).map(|index| &mut self.containers[*index]) {
                None => self.containers.push(container),
                Some(known) => {
                    let new = container.ports.into_iter();
                    let new: Vec<Mapping> =
                        new.filter(|port| !known.ports.contains(port)).collect();
                    known.ports.extend(new);
                }
            }
        }
    }
}

/// Where an engine is asked.
#[derive(Debug, PartialEq)]
struct Endpoint {
    engine: &'static str,
    path: String,
}

/// The usual sockets: a variable that holds the directory, if any, and the rest of the path.
type Places = [(&'static str, &'static str)];

/// Of the system, of a user (rootless), of Docker Desktop on macOS and Linux,
/// of Colima, `OrbStack` and Rancher Desktop.
const DOCKER: &Places = &[
    ("", "/var/run/docker.sock"),
    ("XDG_RUNTIME_DIR", "/docker.sock"),
    ("HOME", "/.docker/run/docker.sock"),
    ("HOME", "/.docker/desktop/docker.sock"),
    ("HOME", "/.colima/default/docker.sock"),
    ("HOME", "/.orbstack/run/docker.sock"),
    ("HOME", "/.rd/docker.sock"),
];

/// Of the system, of a user, of the virtual machine on macOS.
const PODMAN: &Places = &[
    ("", "/run/podman/podman.sock"),
    ("XDG_RUNTIME_DIR", "/podman/podman.sock"),
    ("TMPDIR", "/podman/podman-machine-default-api.sock"),
];

/// The sockets to try, and a sentence for each variable that leads elsewhere.
fn endpoints(variable: impl Fn(&str) -> Option<String>) -> (Vec<Endpoint>, Vec<String>) {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let (mut found, mut elsewhere) = (Vec::new(), Vec::new());
    for (engine, host, places) in
        [("docker", "DOCKER_HOST", DOCKER), ("podman", "CONTAINER_HOST", PODMAN)]
    {
        let endpoint = |path| Endpoint { engine, path };
        let Some(value) = set(host) else {
            found.extend(places.iter().filter_map(|(base, rest)| {
                let base = if base.is_empty() { String::new() } else { set(base)? };
                Some(endpoint(base + rest))
            }));
            continue;
        };
        match value.strip_prefix("unix://") {
            Some(path) => found.push(endpoint(path.to_owned())),
            // The rest may hold a user and a password.
            None => elsewhere.push(format!("{engine} was not asked: {host} is not unix://…")),
        }
    }
    (found, elsewhere)
}

impl Endpoint {
    /// The request that lists running containers.
    ///
    /// Docker is asked without a version, as each release drops old ones.
    /// Podman serves the same, but there its version 4 lists only the first port
    /// of a range; its own list needs a version, which it does not compare.
    fn request(&self) -> String {
        let path = if self.engine == "podman" {
            "/v4.0.0/libpod/containers/json"
        } else {
            "/containers/json"
        };
        format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n")
    }

    fn failure(&self, why: &str) -> String {
        format!("{} did not answer at {}: {why}", self.engine, self.path)
    }
}

/// A request that is under way.
struct Talk {
    endpoint: Endpoint,
    stream: UnixStream,
    bytes: Vec<u8>,
}

impl Talk {
    /// Sends the request; `None` if no engine is there, an error that says why it cannot be asked.
    fn begin(endpoint: Endpoint) -> Result<Option<Self>, String> {
        // Most places are empty, and a look costs less than a connection. What
        // lies in a closed directory is as good as absent.
        if std::fs::metadata(&endpoint.path).is_err() {
            return Ok(None);
        }
        let sent = connect(Path::new(&endpoint.path)).and_then(|mut stream| {
            stream.write_all(endpoint.request().as_bytes())?;
            Ok(stream)
        });
        match sent {
            Ok(stream) => Ok(Some(Self { endpoint, stream, bytes: Vec::new() })),
            // The socket of an engine that has ended.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(None),
            Err(error) => Err(endpoint.failure(&reason(&error))),
        }
    }

    /// Reads what has arrived; `Ok(None)` if it is not all. An error says why there will be no answer.
    fn read(&mut self) -> Result<Option<Vec<Listed>>, String> {
        let mut buffer = [0; 16 * 1024];
        let ended = loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break true,
                Ok(length) => self.bytes.extend(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(error) => return Err(reason(&error)),
            }
            if self.bytes.len() > LONGEST_ANSWER {
                return Err("its answer does not end".to_owned());
            }
        };
        match http::response(&self.bytes, ended)? {
            Some(response) => decode(self.endpoint.engine, &response).map(Some),
            None => Ok(None),
        }
    }

    /// The request in Podman's own words, if it was Podman that answered in Docker's place.
    fn again(&self, answer: &[Listed]) -> Option<Self> {
        let engine = answer.first()?.engine;
        let endpoint = Endpoint { engine, path: self.endpoint.path.clone() };
        // The first answer stands if this goes wrong.
        (engine != self.endpoint.engine).then(|| Self::begin(endpoint).ok().flatten()).flatten()
    }
}

/// Connects without waiting: an engine that accepts nobody would be waited for without end.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket.into())
}

/// Waits until one of the engines has said something; false if the time is over.
fn wait(open: &[Talk], deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(left) = Timespec::try_from(left) else { return false };
        let mut polled: Vec<PollFd> = open
            .iter()
            .map(|talk| PollFd::from_borrowed_fd(talk.stream.as_fd(), PollFlags::IN))
            .collect();
        match rustix::event::poll(&mut polled, Some(&left)) {
            Err(Errno::INTR) => {}
            found => return found.is_ok_and(|ready| ready > 0),
        }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::WouldBlock => "it accepts no connection".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_with_two_sockets_has_one_list() {
        let port = |public| Mapping {
            address: None,
            public,
            private: 80,
            count: 1,
            protocol: crate::Protocol::Tcp,
        };
        let container = |id: &str, ports: &[u16]| Listed {
            engine: "podman",
            id: id.to_owned(),
            name: None,
            image: None,
            ports: ports.iter().copied().map(port).collect(),
        };
        let mut answer = Answer::default();
        answer.add(vec![container("a", &[1]), container("b", &[3])]);
        answer.add(vec![container("a", &[1, 2])]);
        assert_eq!(answer.containers, [container("a", &[1, 2]), container("b", &[3])]);
    }

    fn places(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let variables: Vec<(String, String)> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (endpoints, elsewhere) = endpoints(|name| {
            variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
        });
        let told = |endpoint: &Endpoint| format!("{} {}", endpoint.engine, endpoint.path);
        (endpoints.iter().map(told).collect(), elsewhere)
    }

    #[test]
    fn engines_are_asked_where_the_environment_says() {
        assert_eq!(
            places(&[("DOCKER_HOST", "")]).0,
            ["docker /var/run/docker.sock", "podman /run/podman/podman.sock"]
        );
        let all = places(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/x"), ("TMPDIR", "/t")]).0;
        assert_eq!(all.len(), 10);
        assert!(all.contains(&"docker /h/.colima/default/docker.sock".to_owned()));
        assert!(all.contains(&"podman /x/podman/podman.sock".to_owned()));
        assert_eq!(
            places(&[("DOCKER_HOST", "unix:///a/b.sock"), ("HOME", "/h")]).0,
            ["docker /a/b.sock", "podman /run/podman/podman.sock"]
        );
        let (asked, elsewhere) =
            places(&[("DOCKER_HOST", "ssh://me:secret@far"), ("CONTAINER_HOST", "unix:///p")]);
        assert_eq!(asked, ["podman /p"]);
        assert_eq!(elsewhere, ["docker was not asked: DOCKER_HOST is not unix://…"]);
    }
}
