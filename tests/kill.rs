//! `mx ports kill`: what it ends, and above all what it leaves alone.

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use portable_pty::CommandBuilder;
use rustix::process::{Pid, test_kill_process};
use serde_json::Value;

use crate::cli::MX;
use crate::fixture::{Fixture, free_port};
use crate::signals::{Bystanders, Trace};
use crate::terminal::Terminal;

/// Runs `mx ports kill`, and makes sure that it signals these processes and nobody else.
#[track_caller]
pub(crate) fn kill(arguments: &[&str], expected: &[u32]) -> Output {
    let trace = Trace::new();
    let output = kill_in(&trace, arguments).output().expect("mx runs");
    trace.assert_signalled(expected);
    output
}

/// A command that runs `mx ports kill` and records its signals.
pub(crate) fn kill_in(trace: &Trace, arguments: &[&str]) -> Command {
    let words = trace.words(MX);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["ports", "kill"]).args(arguments).stdin(Stdio::null());
    command
}

/// The same in a terminal.
pub(crate) fn ask_to_kill(trace: &Trace, arguments: &[&str]) -> Terminal {
    let mut command = CommandBuilder::new(MX);
    *command.get_argv_mut() = trace.words(MX).into_iter().map(Into::into).collect();
    command.args(["ports", "kill"]);
    command.args(arguments);
    Terminal::new(command, 100)
}

pub(crate) fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("JSON: {output:?}"))
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A fixture behind a shell script, which runs it as `"$@"`.
pub(crate) fn behind_shell(script: &str, instructions: &str) -> Fixture {
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
    let client = Fixture::new(&format!("connect 127.0.0.1:{port}"));
    let from = client.port(0);
    let bystanders = Bystanders::around(port).and(client);

    // The client holds this port, but is not bound to it.
    let output = kill(&["--yes", &from.to_string()], &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("nothing serves"), "{}", said(&output));

    let output = kill(&["--yes", "--json", &port.to_string()], &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let done = document(&output);
    assert_eq!((&done["schema"], &done["freed"]), (&"mx.ports-kill/1".into(), &true.into()));
    assert_eq!(done["processes"][0]["pid"], server.pid());
    assert_eq!(done["processes"][0]["result"], "ended");
    assert!(!server.is_running());
    bystanders.assert_unharmed();
}

#[test]
fn clients_on_the_same_number_are_not_ended() {
    let port = free_port();
    let servers = Fixture::new("tcp [::1]:0\nudp [::1]:0");
    let [tcp, udp] = [servers.port(0), servers.port(1)];
    // Two processes whose source port is the number that the server listens on.
    let client = Fixture::new(&format!("connect [::1]:{tcp} [::1]:{port}"));
    let udp_client = Fixture::new(&format!("udp-connect [::1]:{udp} [::1]:{port}"));
    // Its worker holds a connection to that number, but not the socket that listens.
    let server = Fixture::new(&format!("tcp 127.0.0.1:{port}\nworker"));
    let worker = server.numbers[1];
    let bystanders = Bystanders::around(port).and(servers).and(client).and(udp_client);

    let output = kill(&["--yes", "--json", &port.to_string()], &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(document(&output)["processes"].as_array().expect("processes").len(), 1);
    let worker = Pid::from_raw(i32::try_from(worker).expect("a PID")).expect("a PID");
    assert_eq!(test_kill_process(worker), Ok(()), "the worker goes on with its connection");
    bystanders.assert_unharmed();
}

#[test]
fn every_owner_is_ended() {
    let mut prefork = Fixture::new("tcp 127.0.0.1:0\nchildren 3");
    let port = prefork.port(0);
    let bystanders = Bystanders::around(port);
    let expected = [&prefork.numbers[1..], &[prefork.pid()]].concat();
    let output = kill(&["--yes", "--json", &port.to_string()], &expected);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let processes = document(&output)["processes"].as_array().expect("processes").clone();
    let mut pids: Vec<u64> =
        processes.iter().filter_map(|process| process["pid"].as_u64()).collect();
    pids.sort_unstable();
    let mut expected: Vec<u64> = expected.into_iter().map(u64::from).collect();
    expected.sort_unstable();
    assert_eq!(pids, expected);
    assert!(!prefork.is_running() && is_free(port));
    bystanders.assert_unharmed();

    let mut first = Fixture::new("shared 127.0.0.1:0");
    let port = first.port(0);
    let mut second = Fixture::new(&format!("shared 127.0.0.1:{port}"));
    let bystanders = Bystanders::around(port);
    let output = kill(&["--yes", &port.to_string()], &[first.pid(), second.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!first.is_running() && !second.is_running() && is_free(port));
    bystanders.assert_unharmed();
}

#[test]
fn only_the_chosen_protocol_and_address() {
    let port = free_port();
    let mut tcp = Fixture::new(&format!("tcp 127.0.0.1:{port}\ntcp 127.0.0.1:0"));
    let mut udp = Fixture::new(&format!("udp 127.0.0.1:{port}"));
    let v6 = Fixture::new(&format!("tcp [::1]:{port}"));
    let bystanders = Bystanders::around(port).and(v6);
    let output = kill(&["--yes", "--tcp", &format!("127.0.0.1:{port}")], &[tcp.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!tcp.is_running() && udp.is_running());
    let output = kill(&["--yes", &format!("127.0.0.1:{port}")], &[udp.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!udp.is_running());
    bystanders.assert_unharmed();
}

#[test]
fn both_protocols_on_one_number_unless_one_is_chosen() {
    let port = free_port();
    let mut tcp = Fixture::new(&format!("tcp 127.0.0.1:{port}"));
    let mut udp = Fixture::new(&format!("udp 127.0.0.1:{port}"));
    let bystanders = Bystanders::around(port);
    let output = kill(&["--yes", "--udp", &port.to_string()], &[udp.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!udp.is_running() && tcp.is_running());
    let mut udp = Fixture::new(&format!("udp 127.0.0.1:{port}"));
    let output = kill(&["--yes", &port.to_string()], &[tcp.pid(), udp.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!tcp.is_running() && !udp.is_running());
    bystanders.assert_unharmed();
}

#[test]
fn nothing_is_touched_without_leave() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let pid = server.pid();
    let port = server.port(0).to_string();
    let bystanders = Bystanders::around(server.port(0)).and(server);
    let output = kill(&[&port], &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(said(&output).contains("there is no terminal"), "{}", said(&output));
    let output = kill(&["--dry-run", "--json", &port], &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(document(&output)["processes"][0]["pid"], pid);
    bystanders.assert_unharmed();
}

#[test]
fn a_terminal_is_asked() {
    let mut server = Fixture::new("tcp 127.0.0.1:0");
    let (pid, port) = (server.pid(), server.port(0).to_string());
    let bystanders = Bystanders::around(server.port(0));
    for (answer, running) in [("n\r", true), ("\r", true), ("y\r", false)] {
        let trace = Trace::new();
        let mut terminal = ask_to_kill(&trace, &[&port]);
        terminal.wait_for_text("End 1 process? [y/N]");
        terminal.type_text(answer);
        let wanted = if running { "nothing was signalled" } else { "ended" };
        let (text, code) = terminal.finish();
        assert!(text.contains(wanted), "{text}");
        assert_eq!(code, if running { 3 } else { 0 });
        assert_eq!(server.is_running(), running, "{answer:?}");
        trace.assert_signalled(if running { &[] } else { std::slice::from_ref(&pid) });
    }
    bystanders.assert_unharmed();
}

#[test]
fn a_server_that_ignores_the_signal_needs_force() {
    // An ignored signal stays ignored across exec.
    let mut server = behind_shell("trap '' TERM; exec \"$@\"", "tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    let bystanders = Bystanders::around(server.port(0));
    let output = kill(&["--yes", "--grace", "100ms", &port, "--json"], &[server.pid()]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        said(&output).contains(&format!("still bound by {}", owner_name())),
        "{}",
        said(&output)
    );
    assert_eq!(document(&output)["processes"][0]["result"], "running");
    assert!(server.is_running());
    let output = kill(&["--yes", "--grace", "100ms", "--force", &port, "--json"], &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(document(&output)["processes"][0]["signal"], "KILL");
    assert!(!server.is_running());
    bystanders.assert_unharmed();
}

#[test]
fn what_ended_without_force_is_told_too() {
    let mut deaf = Fixture::new("shared 127.0.0.1:0\ndeaf");
    let port = deaf.port(0);
    let mut other = Fixture::new(&format!("shared 127.0.0.1:{port}"));
    let bystanders = Bystanders::around(port);
    let arguments = ["--yes", "--grace", "100ms", "--force", &port.to_string(), "--json"];
    let output = kill(&arguments, &[deaf.pid(), other.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!deaf.is_running() && !other.is_running() && is_free(port));
    let processes = document(&output)["processes"].as_array().expect("processes").clone();
    let mut told: Vec<(Option<u64>, &str)> = processes
        .iter()
        .map(|process| (process["pid"].as_u64(), process["signal"].as_str().expect("a name")))
        .collect();
    told.sort_unstable();
    let mut expected = [(Some(deaf.pid().into()), "KILL"), (Some(other.pid().into()), "TERM")];
    expected.sort_unstable();
    assert_eq!(told, expected);
    assert!(processes.iter().all(|process| process["result"] == "ended"), "{processes:?}");
    bystanders.assert_unharmed();
}

fn owner_name() -> String {
    let exe = std::env::current_exe().expect("a path");
    exe.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn an_ancestor_is_never_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let innocent = Fixture::new("tcp 127.0.0.1:0");
    let chosen = [port, innocent.port(0)].map(|port| port.to_string());
    let bystanders = Bystanders::around(port).and(innocent);
    let output = kill(&["--yes", &chosen[0], &chosen[1]], &[]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said(&output).contains("an ancestor of this program"), "{}", said(&output));
    // All or nothing.
    bystanders.assert_unharmed();
}

#[test]
#[cfg(target_os = "linux")]
fn nobody_is_signalled_where_proc_counts_otherwise() {
    // A PID namespace without a /proc of its own: a number there is somebody else's here.
    let may = Command::new("unshare").args(["--pid", "--fork", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        return crate::hostile::skipped("needs the right to make namespaces");
    }
    let mut server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", MX, "ports", "kill", "--yes", &port]);
    let output = command.output().expect("unshare runs");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said(&output).contains("another PID namespace"), "{}", said(&output));
    assert!(server.is_running());
}

#[test]
fn yes_means_no_question_at_all() {
    let mut deaf = Fixture::new("tcp 127.0.0.1:0\ndeaf");
    let trace = Trace::new();
    let mut terminal =
        ask_to_kill(&trace, &["--yes", "--grace", "50ms", &deaf.port(0).to_string()]);
    let (screen, code) = terminal.finish();
    assert!(code == 3 && screen.contains("still bound by"), "{code} {screen}");
    assert!(deaf.is_running());
}
