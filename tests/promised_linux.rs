//! What the help and the README about ports promise in passing, where it takes
//! namespaces or a look at system calls to prove it: see `tests/promises.txt`.

use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;

use crate::cli::MX;
use crate::fixture::{Fixture, free_port, hex};
use crate::hostile::skipped;
use crate::kill::{document, is_free, kill};
use crate::namespace::{inside, run};
use crate::promised::{first_event, said};
use crate::wait::{mx, text};

/// The calls of `mx` of this kind.
fn calls(kind: &str, words: &[&str]) -> Option<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("calls");
    let output = Command::new("strace")
        .args(["-f", "-o"])
        .arg(&file)
        .args(["-e", &format!("trace={kind}"), "-e", "signal=none", MX])
        .args(words)
        .output();
    let calls = std::fs::read_to_string(file).ok()?;
    (output.is_ok() && calls.contains("+++ exited")).then_some(calls)
}

#[test]
fn a_port_is_bound_only_where_something_else_uses_it() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let client = Fixture::new(&format!("connect 127.0.0.1:{}", server.port(0)));
    let tried = |port: u16| {
        let calls = calls("bind", &["ports", &port.to_string()])?;
        Some(calls.lines().any(|line| line.contains("AF_INET")))
    };
    if tried(server.port(0)).is_none() {
        return skipped("needs strace");
    }
    assert_eq!(tried(server.port(0)), Some(false), "something is bound to it");
    assert_eq!(tried(free_port()), Some(false), "nothing uses it");
    assert_eq!(tried(client.port(0)), Some(true), "a connection uses it");
}

#[test]
fn the_interval_is_that_between_two_looks() {
    let free = free_port().to_string();
    let looks = |interval: &str| {
        let words = ["ports", "wait", &free, "--timeout", "3s", "--interval", interval];
        Some(calls("sendto,sendmsg", &words)?.lines().count())
    };
    let (Some(often), Some(once)) = (looks("10ms"), looks("1h")) else {
        return skipped("needs strace");
    };
    assert!(often > 2 * once, "{often} and {once}");
}

#[test]
fn an_engine_elsewhere_is_not_connected_to() {
    let proxy = Fixture::new(&format!("tcp 127.0.0.1:0\nname {}", hex(b"docker-proxy")));
    let engine = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let host = format!("tcp://{}", engine.local_addr().expect("an address"));
    for name in ["DOCKER_HOST", "CONTAINER_HOST"] {
        let output = Command::new(MX)
            .args(["ports", &proxy.port(0).to_string()])
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env("CONTAINER_HOST", "unix:///nowhere/podman.sock")
            .env(name, &host)
            .output()
            .expect("mx runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(said(&output).contains(&format!("{name} is not unix://…")), "{output:?}");
    }
    engine.set_nonblocking(true).expect("an option");
    let waits = engine.accept().expect_err("nobody connected").kind();
    assert_eq!(waits, std::io::ErrorKind::WouldBlock);
}

/// Seen from a process that entered the namespace, process 1 is no ancestor.
#[test]
fn process_1_is_never_ended() {
    let fixture = Fixture::command("tcp 127.0.0.1:0", &[]);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    let tried = Command::new("unshare").args(command.get_args()).arg("true").output();
    if !sys::user::is_root() || !tried.is_ok_and(|output| output.status.success()) {
        return skipped("needs root to enter a namespace");
    }
    command.arg(fixture.get_program()).args(fixture.get_args());
    command.env("MX_FIXTURE", "tcp 127.0.0.1:0");
    let mut first = Fixture::with(command);
    let children = format!("/proc/{0}/task/{0}/children", first.pid());
    let pid = std::fs::read_to_string(children).expect("a child");
    let port = first.port(0).to_string();
    for words in [&["--yes"][..], &["--yes", "--force"], &["--yes", "-9"], &["--dry-run"]] {
        let output = Command::new("nsenter")
            .args(["--pid", "--mount", "--target", pid.trim(), MX, "ports", "kill"])
            .args(words)
            .arg(&port)
            .output()
            .expect("nsenter runs");
        assert_eq!(output.status.code(), Some(3), "{words:?}: {output:?}");
        assert!(said(&output).contains("(PID 1)"), "{output:?}");
        assert!(said(&output).contains("the first process of this system"), "{output:?}");
    }
    assert!(first.is_running());
}

#[test]
fn the_address_of_an_interface_is_of_the_lan() {
    if !inside("promised_linux::the_address_of_an_interface_is_of_the_lan") {
        return;
    }
    run("ip", &["addr", "add", "10.7.0.1/32", "dev", "lo"]);
    let server = Fixture::new("tcp 10.7.0.1:0\ntcp 127.0.0.1:0\ntcp 0.0.0.0:0");
    for (index, scope) in ["lan", "loopback", "all"].into_iter().enumerate() {
        let output = mx(&["ports", &server.port(index).to_string(), "--json"]);
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(document["sockets"][0]["scope"], scope);
    }
}

#[test]
fn watch_sees_other_network_namespaces_where_it_is_asked_to() {
    let Some(network) = crate::namespace::Network::new() else {
        return skipped("needs root to make a network namespace");
    };
    let port = free_port();
    let instructions = format!("tcp 127.0.0.1:{port}");
    let there = Fixture::with(network.enter(&Fixture::command(&instructions, &[])));
    let event = first_event(&["--all-namespaces", &port.to_string()]);
    assert_eq!(event["socket"]["namespace"], network.name(), "{event}");
    assert_eq!(event["socket"]["owners"][0]["pid"], there.pid(), "{event}");
}

#[test]
fn an_owner_of_another_name_is_ended_too() {
    // Outside, a socket whose owner cannot be seen leaves it open.
    if !inside("promised_linux::an_owner_of_another_name_is_ended_too") {
        return;
    }
    let name = "mx-named";
    let mut server =
        Fixture::new(&format!("tcp 127.0.0.1:0\nchildren 1\nname {}", hex(name.as_bytes())));
    let output = kill(&["--yes", "--json", name], &[server.pid(), server.numbers[1]]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let done = document(&output);
    let mut names: Vec<&str> = done["processes"]
        .as_array()
        .expect("processes")
        .iter()
        .map(|process| process["name"].as_str().expect("a name"))
        .collect();
    names.sort_unstable();
    assert!(names.len() == 2 && names.contains(&name) && names[0] != names[1], "{done}");
    assert!(!server.is_running() && is_free(server.port(0)));
}

#[test]
fn watch_ends_where_the_sockets_cannot_be_listed() {
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs none /proc && exec \"$0\" ports watch 80";
    command.args(["--mount", "sh", "-c", script, MX]);
    let tried = Command::new("unshare").args(["--mount", "true"]).status();
    if !tried.is_ok_and(|status| status.success()) {
        return skipped("needs the right to make namespaces");
    }
    let output = crate::hostile::linux::without_netlink(command).output().expect("it runs");
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(3), ""), "{output:?}");
    assert!(said(&output).starts_with("mx: cannot list sockets: netlink: "), "{output:?}");
}
