//! `mx ports kill`: what it ends, and above all what it leaves alone.

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use portable_pty::CommandBuilder;
use serde_json::Value;

use crate::cli::MX;
use crate::fixture::{Fixture, free_port};
use crate::terminal::Terminal;

fn kill(arguments: &[&str]) -> Output {
    let mut command = Command::new(MX);
    command.args(["ports", "kill"]).args(arguments).stdin(Stdio::null());
    command.output().expect("mx runs")
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("JSON: {output:?}"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A fixture behind a shell script, which runs it as `"$@"`.
fn behind_shell(script: &str, instructions: &str) -> Fixture {
    let fixture = Fixture::command(instructions, &[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(fixture.get_program()).args(fixture.get_args());
    shell.env("MX_FIXTURE", instructions);
    Fixture::with(shell)
}

#[test]
fn a_server_is_ended_and_its_clients_are_not() {
    let mut server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0);
    let mut client = Fixture::new(&format!("connect 127.0.0.1:{port}"));
    let mut other = Fixture::new("tcp 127.0.0.1:0");

    // The client holds this port, but is not bound to it.
    let output = kill(&["--yes", &client.port(0).to_string()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("nothing serves"), "{}", said(&output));
    assert!(client.is_running());

    let output = kill(&["--yes", "--json", &port.to_string()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let done = document(&output);
    assert_eq!((&done["schema"], &done["freed"]), (&"mx.ports-kill/1".into(), &true.into()));
    assert_eq!(done["processes"][0]["pid"], server.pid());
    assert_eq!(done["processes"][0]["result"], "ended");
    assert!(!server.is_running());
    assert!(client.is_running() && other.is_running());
}

#[test]
fn every_owner_is_ended() {
    let mut prefork = Fixture::new("tcp 127.0.0.1:0\nchildren 3");
    let output = kill(&["--yes", "--json", &prefork.port(0).to_string()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let processes = document(&output)["processes"].as_array().expect("processes").clone();
    let mut pids: Vec<u64> =
        processes.iter().filter_map(|process| process["pid"].as_u64()).collect();
    pids.sort_unstable();
    let mut expected: Vec<u64> = prefork.numbers[1..].iter().map(|pid| u64::from(*pid)).collect();
    expected.push(prefork.pid().into());
    expected.sort_unstable();
    assert_eq!(pids, expected);
    assert!(!prefork.is_running() && is_free(prefork.port(0)));

    let mut first = Fixture::new("shared 127.0.0.1:0");
    let port = first.port(0);
    let mut second = Fixture::new(&format!("shared 127.0.0.1:{port}"));
    assert_eq!(kill(&["--yes", &port.to_string()]).status.code(), Some(0));
    assert!(!first.is_running() && !second.is_running() && is_free(port));
}

#[test]
fn only_the_chosen_protocol_and_port() {
    let mut tcp = Fixture::new("tcp 127.0.0.1:0\ntcp 127.0.0.1:0");
    let port = tcp.port(0);
    let mut udp = Fixture::new(&format!("udp 127.0.0.1:{port}"));
    assert_eq!(kill(&["--yes", "--tcp", &port.to_string()]).status.code(), Some(0));
    assert!(!tcp.is_running() && udp.is_running());
    assert_eq!(kill(&["--yes", &format!("localhost:{port}")]).status.code(), Some(0));
    assert!(!udp.is_running());
}

#[test]
fn nothing_is_touched_without_leave() {
    let mut server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    let output = kill(&[&port]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(said(&output).contains("there is no terminal"), "{}", said(&output));
    let output = kill(&["--dry-run", "--json", &port]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(document(&output)["processes"][0]["pid"], server.pid());
    assert!(server.is_running());
}

#[test]
fn a_terminal_is_asked() {
    let mut server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    for (answer, running) in [("n", true), ("\r", true), ("y\r", false)] {
        let mut command = CommandBuilder::new(MX);
        command.args(["ports", "kill", &port]);
        let mut terminal = Terminal::new(command, 100);
        terminal.wait_for_text("End 1 process? [y/N]");
        terminal.type_text(answer);
        if answer == "n" {
            terminal.type_text("\r");
        }
        let wanted = if running { "nothing was signalled" } else { "ended" };
        terminal.wait_for_text(wanted);
        assert_eq!(server.is_running(), running, "{answer:?}");
    }
}

#[test]
fn a_server_that_ignores_the_signal_needs_force() {
    // An ignored signal stays ignored across exec.
    let mut server = behind_shell("trap '' TERM; exec \"$@\"", "tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    let output = kill(&["--yes", "--grace", "100ms", &port, "--json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        said(&output).contains(&format!("still bound by {}", owner_name())),
        "{}",
        said(&output)
    );
    assert_eq!(document(&output)["processes"][0]["result"], "running");
    assert!(server.is_running());
    let output = kill(&["--yes", "--grace", "100ms", "--force", &port, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(document(&output)["processes"][0]["signal"], "KILL");
    assert!(!server.is_running());
}

fn owner_name() -> String {
    let exe = std::env::current_exe().expect("a path");
    exe.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn a_port_that_is_bound_again_is_not_called_free() {
    let port = free_port();
    let instructions = format!("tcp 127.0.0.1:{port}");
    let mut supervisor = behind_shell("\"$@\"; \"$@\"", &instructions);
    let output = kill(&["--yes", "--json", &port.to_string()]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = said(&output);
    assert!(
        error.contains(&format!("cannot free {port}: it was freed, and bound again by")),
        "{error}"
    );
    assert!(error.contains(&format!("started by PID {}", supervisor.pid())), "{error}");
    let done = document(&output);
    assert_eq!((&done["freed"], &done["bound"][0]["port"]), (&false.into(), &port.into()));
    assert!(supervisor.is_running());
}

#[test]
fn an_ancestor_is_never_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let mut innocent = Fixture::new("tcp 127.0.0.1:0");
    let output = kill(&["--yes", &port.to_string(), &innocent.port(0).to_string()]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said(&output).contains("an ancestor of this program"), "{}", said(&output));
    assert!(innocent.is_running(), "all or nothing");
}

#[cfg(target_os = "linux")]
#[test]
fn what_belongs_to_others_is_not_half_killed() {
    use std::os::unix::process::CommandExt;

    if !sys::user::is_root() {
        return crate::hostile::skipped("needs root to become another user");
    }
    let (_directory, copy) = crate::hostile::public_copy();
    let mut foreign = Fixture::new("tcp 127.0.0.1:0");
    let output = Command::new(copy)
        .args(["ports", "kill", "--yes", &foreign.port(0).to_string()])
        .uid(65534)
        .gid(65534)
        .stdin(Stdio::null())
        .output()
        .expect("mx runs");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said(&output).contains("the owner of 1 socket cannot be seen"), "{}", said(&output));
    assert!(foreign.is_running());
}
