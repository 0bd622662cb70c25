//! Containers: what is asked of an engine, when, and what becomes of any answer.
//!
//! No engine runs where the tests do. A thread that serves a unix socket is a
//! fake in its place, with answers of the form that Docker 28 and Podman 4 gave,
//! and a fixture with the name of Docker's proxy holds the port. What is
//! real: the sockets, the processes, `mx`, and what goes over the unix socket.

#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::MX;
use crate::fixture::{Fixture, hex};

/// An engine's socket, in a directory of its own, and what is asked there.
struct Engine {
    directory: tempfile::TempDir,
    requests: Receiver<String>,
    server: Option<JoinHandle<()>>,
}

impl Engine {
    /// Answers every request with these bytes, and closes the connection.
    fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::new(move |_, mut stream| {
            // A client that has heard enough closes early.
            let _ = stream.write_all(&bytes);
        })
    }

    /// Gives each request and its connection to `serve`.
    fn new(mut serve: impl FnMut(&str, UnixStream) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("engine.sock")).expect("a socket");
        let (tell, requests) = mpsc::channel();
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let request = request(&mut stream);
                // Nothing is asked in the connection that ends this thread.
                if request.is_empty() {
                    return;
                }
                tell.send(request.clone()).expect("the test");
                serve(&request, stream);
            }
        });
        Self { directory, requests, server: Some(server) }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("engine.sock")
    }

    /// What was asked since the last call.
    fn asked(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }

    /// A command whose engine this is, as Docker's.
    fn mx(&self, arguments: &[&str]) -> Command {
        mx(&format!("unix://{}", self.path().display()), arguments)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(UnixStream::connect(self.path()));
        if let Some(server) = self.server.take() {
            let served = server.join();
            assert!(served.is_ok() || std::thread::panicking());
        }
    }
}

/// A request up to its empty line, or up to the end of the connection.
fn request(stream: &mut UnixStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1024]);
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => bytes.extend(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("a request: {error}"),
        }
    }
    String::from_utf8(bytes).expect("text")
}

fn mx(docker_host: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(MX);
    command.arg("ports").args(arguments).stdin(Stdio::null());
    // Engines of the machine that the tests run on stay out of it.
    command.env("DOCKER_HOST", docker_host).env("CONTAINER_HOST", "unix:///nowhere/podman.sock");
    command
}

fn run(mut command: Command) -> Output {
    command.output().expect("mx runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("JSON: {output:?}"))
}

/// A process with the name of Docker's proxy that serves a port.
fn proxy() -> Fixture {
    Fixture::new(&format!("tcp 127.0.0.1:0\nname {}", hex(b"docker-proxy")))
}

const ID: &str = "8dfafdbc3a40e2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7";

/// The list of Docker, with one container that publishes a port.
fn list(name: &str, port: u16) -> String {
    json!([{
        "Id": ID, "Names": [format!("/{name}")], "Image": "nginx:1.27", "ImageID": "sha256:d745",
        "Command": "/docker-entrypoint.sh nginx", "Created": 1_741_609_200,
        "Ports": [
            {"IP": "0.0.0.0", "PrivatePort": 443, "PublicPort": 1, "Type": "tcp"},
            {"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": port, "Type": "tcp"},
            {"PrivatePort": 9000, "Type": "tcp"},
        ],
        "Labels": {"a": "b"}, "State": "running", "Status": "Up 2 hours",
        "HostConfig": {"NetworkMode": "bridge"}, "NetworkSettings": {"Networks": {}}, "Mounts": [],
    }])
    .to_string()
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.0 {status}\r\nServer: Docker/28.0.1 (linux)\r\nContent-Type: application/json\r\n\r\n{body}"
    )
}

#[test]
fn a_proxy_is_shown_with_its_container() {
    let proxy = proxy();
    let port = proxy.port(0);
    let engine = Engine::answering(http("200 OK", &list("web", port)));
    let output = run(engine.mx(&[&port.to_string(), "--json"]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let document = document(&output);
    let socket = &document["sockets"][0];
    assert_eq!((&socket["container"], &document["notes"]), (&Value::Null, &json!([])));
    assert_eq!(socket["owners"][0]["name"], "docker-proxy");
    let expected = json!({
        "id": ID, "name": "web", "image": "nginx:1.27", "engine": "docker",
        "published": [format!("127.0.0.1:{port}->80/tcp")],
    });
    assert_eq!(socket["owners"][0]["container"], expected);
    let asked = engine.asked();
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].starts_with("GET /containers/json HTTP/1.0\r\nHost: localhost\r\n"),
        "{asked:?}"
    );

    let output = run(engine.mx(&[&port.to_string(), "--plain"]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let shown = format!("\tcontainer web (nginx:1.27)\t127.0.0.1:{port}->80/tcp ");
    assert!(text.contains(&shown), "{text}");
}

/// The list of Podman in its own words, with a range of two ports that ends at `port`.
fn own_list(port: u16) -> String {
    let ports = json!({
        "host_ip": "127.0.0.1", "container_port": 52, "host_port": port - 1, "range": 2,
        "protocol": "udp",
    });
    json!([{"Id": ID, "Names": ["db"], "Image": "", "Pod": "", "Ports": [ports]}]).to_string()
}

/// The same in Docker's words, as Podman 4 says them: with the first port only.
fn compatible_list(port: u16) -> String {
    let ports =
        json!({"IP": "127.0.0.1", "PrivatePort": 52, "PublicPort": port - 1, "Type": "udp"});
    json!([{"Id": ID, "Names": ["/db"], "Image": "", "Ports": [ports]}]).to_string()
}

#[test]
fn podman_is_asked_in_its_own_words() {
    let proxy = Fixture::new(&format!("udp 127.0.0.1:0\nname {}", hex(b"rootlessport")));
    let port = proxy.port(0);
    let mut open = Vec::new();
    let engine = Engine::new(move |request, mut stream| {
        let own = request.starts_with("GET /v4.0.0/libpod/containers/json ");
        let body = if own { own_list(port) } else { compatible_list(port) };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nServer: Libpod/4.3.1 (linux)\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            body.len() - 1,
            &body[1..]
        );
        stream.write_all(answer.as_bytes()).expect("a reader");
        // A server that keeps to its own version of HTTP keeps the connection too.
        open.push(stream);
    });
    let own = format!("unix://{}", engine.path().display());
    let expected = json!({
        "id": ID, "name": "db", "image": null, "engine": "podman",
        "published": [format!("127.0.0.1:{port}->53/udp")],
    });
    // At its own place it is asked once, in place of Docker a second time.
    for (docker, podman, requests) in
        [("unix:///nowhere/docker.sock", &*own, 1), (&own, "unix:///nowhere", 2)]
    {
        let mut command = mx(docker, &[&port.to_string(), "--json"]);
        command.env("CONTAINER_HOST", podman);
        let document = document(&run(command));
        assert_eq!(document["sockets"][0]["owners"][0]["container"], expected);
        let asked = engine.asked();
        assert_eq!(asked.len(), requests);
        assert!(asked[requests - 1].starts_with("GET /v4.0.0/libpod/"), "{asked:?}");
    }
}

#[test]
fn an_ordinary_owner_asks_nobody() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let engine = Engine::answering(http("200 OK", &list("web", fixture.port(0))));
    let document = document(&run(engine.mx(&[&fixture.port(0).to_string(), "--json"])));
    assert_eq!(document["sockets"][0]["owners"][0]["container"], Value::Null);
    assert_eq!(engine.asked(), Vec::<String>::new());
}

#[test]
fn a_useless_engine_is_a_note() {
    let proxy = proxy();
    let port = proxy.port(0).to_string();
    let huge = http("200 OK", &format!("[\"{}\"]", "x".repeat(9 * 1024 * 1024)));
    for (answer, why) in [
        (http("500 Internal Server Error", "{}"), "status 500"),
        (http("200 OK", "{\"message\":\"no\"}"), "its answer is not a list of containers"),
        (http("200 OK", "[{\"Id\":"), "its answer is not a list of containers"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]".to_owned(), "its answer was cut short"),
        ("220 smtp ESMTP\r\n".to_owned(), "its answer is not HTTP"),
        (String::new(), "it closed the connection"),
        (huge, "its answer does not end"),
    ] {
        let engine = Engine::answering(answer);
        let output = run(engine.mx(&[&port]));
        assert_eq!(output.status.code(), Some(0), "{why}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("docker-proxy"), "{why}");
        let expected = format!("mx: docker did not answer at {}: {why}\n", engine.path().display());
        assert_eq!(said(&output), expected);
        let document = document(&run(engine.mx(&[&port, "--json"])));
        assert_eq!(document["sockets"][0]["owners"][0]["container"], Value::Null, "{why}");
        assert_eq!(document["notes"].as_array().map(Vec::len), Some(1), "{why}");
    }
    // An engine that answers, but knows nothing of this port, is no failure.
    let engine = Engine::answering(http("200 OK", &list("web", 1)));
    assert_eq!(said(&run(engine.mx(&[&port]))), "");
}

#[test]
fn a_silent_engine_is_not_waited_for() {
    let proxy = proxy();
    let mut open = Vec::new();
    // It accepts and never answers, as long as the test runs.
    let engine = Engine::new(move |_, stream| open.push(stream));
    let start = Instant::now();
    let output = run(engine.mx(&[&proxy.port(0).to_string()]));
    // The limit is 250 ms; without one this would not end at all.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("docker-proxy"));
    assert!(said(&output).ends_with(": not within 250 ms\n"), "{}", said(&output));
}

#[test]
fn an_engine_that_accepts_nobody_is_not_waited_for() {
    let proxy = proxy();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("engine.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    rustix::net::listen(&listener, 0).expect("a short queue");
    let _waiting = UnixStream::connect(&path).expect("room for one");
    let output = run(mx(&format!("unix://{}", path.display()), &[&proxy.port(0).to_string()]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(said(&output).ends_with(": it accepts no connection\n"), "{}", said(&output));
}

#[test]
fn an_absent_engine_is_not_mentioned() {
    let proxy = proxy();
    let port = proxy.port(0).to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let dead = directory.path().join("engine.sock");
    drop(UnixListener::bind(&dead).expect("a socket"));
    for host in [format!("unix://{}", dead.display()), "unix:///nowhere/engine.sock".to_owned()] {
        let output = run(mx(&host, &[&port]));
        assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""), "{host}");
    }
    // One that is elsewhere is, without the secrets of its address.
    let output = run(mx("tcp://me:secret@far:2376", &[&port]));
    assert_eq!(said(&output), "mx: docker was not asked: DOCKER_HOST is not unix://…\n");
}

#[test]
fn a_hostile_engine_commands_no_terminal_and_no_shell() {
    let mut proxy = proxy();
    let port = proxy.port(0);
    let engine = Engine::answering(http("200 OK", &list("a\u{1b}]0;x\u{7}\n;reboot", port)));
    let output = run(engine.mx(&[&port.to_string(), "--table"]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("container a]0;x ;reboot (nginx:1.27)"), "{text}");
    assert!(!text.contains('\u{1b}') && text.lines().count() == 2, "{text:?}");
    let output = run(engine.mx(&["kill", "--yes", &port.to_string()]));
    assert!(
        said(&output).ends_with("hint: nothing was signalled; stop the container to free it\n"),
        "{}",
        said(&output)
    );
    assert!(proxy.is_running());
}

#[test]
fn a_proxy_is_not_killed_in_place_of_its_container() {
    let mut proxy = proxy();
    let port = proxy.port(0);
    let engine = Engine::answering(http("200 OK", &list("web", port)));
    for arguments in [["kill", "--yes"], ["kill", "--dry-run"]] {
        let output = run(engine.mx(&[&arguments[..], &[&port.to_string()]].concat()));
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let expected = format!(
            "mx: cannot free {port}: it is published by container web (nginx:1.27) 127.0.0.1:{port}->80/tcp through docker-proxy (PID {})\nhint: nothing was signalled; docker stop web frees it\n",
            proxy.pid()
        );
        assert_eq!(said(&output), expected);
        assert!(output.stdout.is_empty());
    }
    // Without an engine its container has no name, but is no less there.
    let output = run(mx("unix:///nowhere/engine.sock", &["kill", "--yes", &port.to_string()]));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        said(&output).contains("published by a container through docker-proxy"),
        "{}",
        said(&output)
    );
    assert!(proxy.is_running());
}

#[test]
fn an_owner_that_cannot_be_seen_may_be_a_container() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    if !sys::user::is_root() {
        return crate::hostile::skipped("needs root to become another user");
    }
    let (_directory, copy) = crate::hostile::public_copy();
    let mut foreign = proxy();
    let port = foreign.port(0);
    let engine = Engine::answering(http("200 OK", &list("web", port)));
    let set_mode = |path: PathBuf, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    let as_nobody = |arguments: &[&str]| {
        let like = engine.mx(arguments);
        let mut command = Command::new(&copy);
        command.args(like.get_args()).stdin(Stdio::null()).uid(65534).gid(65534);
        for (name, value) in like.get_envs() {
            command.env(name, value.expect("a value"));
        }
        run(command)
    };
    set_mode(engine.directory.path().to_owned(), 0o755);
    set_mode(engine.path(), 0o600);
    let port = port.to_string();
    let output = as_nobody(&[&port]);
    assert!(said(&output).contains(": permission denied\n"), "{}", said(&output));

    set_mode(engine.path(), 0o666);
    let output = as_nobody(&[&port, "--json"]);
    let document = document(&output);
    let socket = &document["sockets"][0];
    assert_eq!((&document["hidden"], &socket["owners"]), (&json!(1), &json!([])));
    assert_eq!(
        (&socket["container"]["name"], &socket["container"]["id"]),
        (&json!("web"), &json!(ID))
    );
    let output = as_nobody(&[&port, "--plain"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let shown = format!("\tcontainer web (nginx:1.27)\t127.0.0.1:{port}->80/tcp\n");
    assert!(text.contains("\t?\t?\t") && text.ends_with(&shown), "{text}");

    let output = as_nobody(&["kill", "--yes", &port]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said(&output).ends_with("docker stop web frees it\n"), "{}", said(&output));
    assert!(foreign.is_running());
}
