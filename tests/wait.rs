//! `mx ports wait` and `mx ports free` against servers that come and go.

use std::collections::HashSet;
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::cli::MX;
use crate::fixture::{Fixture, free_port};

fn mx(arguments: &[&str]) -> Output {
    Command::new(MX).args(arguments).output().expect("mx runs")
}

fn start(arguments: &[&str]) -> Child {
    Command::new(MX)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mx runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn waits_until_every_server_is_up() {
    let (first, second) = (free_port(), free_port());
    let mut waiting = start(&[
        "ports",
        "wait",
        &first.to_string(),
        &format!("localhost:{second}"),
        "--timeout",
        "60s",
    ]);
    let _one = Fixture::new(&format!("tcp 127.0.0.1:{first}"));
    assert!(waiting.try_wait().expect("a child").is_none(), "one of two is not enough");
    let _two = Fixture::new(&format!("tcp [::1]:{second}"));
    let output = waiting.wait_with_output().expect("a child");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output), format!("{first}\tup\nlocalhost:{second}\tup\n"));
}

#[test]
fn bound_is_not_yet_up() {
    let silent = Fixture::new("silent 127.0.0.1:0");
    let port = silent.port(0).to_string();
    let output = mx(&["ports", "wait", &port, "--timeout", "50ms"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let server = Fixture::new("tcp 127.0.0.1:0\nudp 127.0.0.1:0");
    for port in [server.port(0), server.port(1)] {
        assert_eq!(
            mx(&["ports", "wait", &port.to_string(), "--timeout", "50ms"]).status.code(),
            Some(0)
        );
    }
    let output =
        mx(&["ports", "wait", &server.port(1).to_string(), "--tcp", "--timeout", "0s", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let waited: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&waited["schema"], &waited["reached"]), (&"mx.ports-wait/1".into(), &false.into()));
    assert_eq!(waited["selectors"][0]["missing"], "nothing serves it");
}

#[test]
fn waits_until_a_port_is_free() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    assert_eq!(mx(&["ports", "wait", &port, "--free", "--timeout", "0s"]).status.code(), Some(1));
    let mut waiting = start(&["ports", "wait", &port, "--free", "--timeout", "60s"]);
    assert!(waiting.try_wait().expect("a child").is_none());
    drop(server);
    let output = waiting.wait_with_output().expect("a child");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output), format!("{port}\tfree\n"));
}

#[test]
fn free_ports_can_be_bound_and_are_distinct() {
    for arguments in
        [&["ports", "free", "--count", "5"][..], &["ports", "free", "3000", "--count", "5"]]
    {
        let output = mx(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let ports: Vec<u16> =
            text(&output).lines().map(|line| line.parse().expect("a port")).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), 5, "{ports:?}");
        for port in ports {
            assert!(port >= 1024);
            TcpListener::bind(("0.0.0.0", port)).expect("bindable");
        }
    }
    let output = mx(&["ports", "free", "--udp"]);
    let port: u16 = text(&output).trim().parse().expect("a port");
    UdpSocket::bind(("0.0.0.0", port)).expect("bindable");
}

#[test]
fn taken_and_customary_ports_are_passed_over() {
    for instruction in ["tcp 127.0.0.1:0", "tcp [::1]:0", "v6only"] {
        let taken = Fixture::new(instruction);
        let port = taken.port(0);
        let output = mx(&["ports", "free", "--range", &format!("{port}-{port}")]);
        assert_eq!(output.status.code(), Some(1), "{instruction}: {output:?}");
        assert_eq!(text(&output), "");
    }
    // 6665 to 6669 are refused by browsers.
    let output = mx(&["ports", "free", "6664", "--count", "3"]);
    let ports: Vec<u16> = text(&output).lines().map(|line| line.parse().expect("a port")).collect();
    assert!(ports.iter().all(|port| !(6665..=6669).contains(port)), "{ports:?}");
}
