//! `mx ports kill`: stopped processes, signals that are no request to end,
//! refusals as documents, other namespaces, and services that start again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::fixture::{Fixture, free_port, until};
use crate::hostile::skipped;
use crate::kill::{ask_to_kill, document, is_free, kill, kill_in, said};
use crate::namespace::Network;
use crate::signals::{Bystanders, Trace};

/// Stops a process, as Ctrl-Z does, and waits until it is.
pub(crate) fn stop(pid: u32) {
    let raw = Pid::from_raw(pid.cast_signed()).expect("a PID");
    kill_process(raw, Signal::STOP).expect("a process of this test");
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    until(state, |stat| stat.contains(") T "));
}

#[test]
fn a_stopped_server_is_told_to_go_on_so_that_it_ends() {
    for (force, signal) in [(false, "TERM"), (true, "INT"), (false, "KILL")] {
        let mut server = Fixture::new("tcp 127.0.0.1:0");
        let port = server.port(0);
        stop(server.pid());
        let mut words = vec!["--yes", "--json", "--signal", signal];
        words.extend(force.then_some("--force"));
        let port_text = port.to_string();
        words.push(&port_text);
        let output = kill(&words, &[server.pid()]);
        assert_eq!(output.status.code(), Some(0), "{signal}: {output:?}");
        let done = document(&output);
        let process = &done["processes"][0];
        assert_eq!((&process["stopped"], &process["result"]), (&true.into(), &"ended".into()));
        assert!(!server.is_running() && is_free(port));
    }
}

#[test]
fn a_stopped_server_is_named_before_it_is_ended() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let (pid, port) = (server.pid(), server.port(0).to_string());
    stop(pid);
    let output = kill(&["--dry-run", "--yes", "--table", &port], &[]);
    let plan = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(plan.contains("would be signalled, was stopped"), "{plan}");
    let trace = Trace::new();
    let mut terminal = ask_to_kill(&trace, &[&port]);
    let text = terminal.wait_for_text("End 1 process? [y/N]");
    assert!(text.contains(&format!("(PID {pid}), which is stopped")), "{text}");
    terminal.type_text("y\r");
    let (text, code) = terminal.finish();
    assert_eq!((code, text.contains("ended, was stopped")), (0, true), "{text}");
    trace.assert_signalled(&[pid]);
}

#[test]
fn a_signal_that_is_no_request_to_end_is_done_when_delivered() {
    // It ignores none of these but CONT and WINCH, whose default is to go on.
    for signal in ["CONT", "WINCH", "URG"] {
        let mut server = Fixture::new("tcp 127.0.0.1:0");
        let port = server.port(0);
        let output = kill(&["--yes", "--json", "-s", signal, &port.to_string()], &[server.pid()]);
        assert_eq!(output.status.code(), Some(0), "{signal}: {output:?}");
        let done = document(&output);
        assert_eq!(done["processes"][0]["result"], "sent", "{done}");
        assert_eq!(done["freed"], false, "nothing was asked to end: {done}");
        assert!(server.is_running(), "{signal}");
    }
    // HUP ends this server, which is its own affair.
    let server = Fixture::new("tcp 127.0.0.1:0");
    let output = kill(&["--yes", "-s", "hup", &server.port(0).to_string()], &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\tHUP\tsent"), "{output:?}");
}

#[test]
fn a_signal_after_which_kill_is_to_come_reaches_what_is_stopped() {
    // The server has no handler of HUP: it ends of it, as soon as it goes on.
    let mut server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0);
    stop(server.pid());
    let words = ["--yes", "--force", "-s", "HUP", "--grace", "1m", &port.to_string()];
    let output = kill(&words, &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let row = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(row.contains("\tHUP\tended, was stopped"), "{row}");
    assert!(!server.is_running());
}

#[test]
fn one_stopped_worker_does_not_keep_the_port() {
    let parent = Fixture::new("tcp 127.0.0.1:0\nudp 127.0.0.1:0\nchildren 2");
    let (port, workers) = (parent.port(0), &parent.numbers[2..]);
    stop(workers[0]);
    let words = ["--yes", "--json", &port.to_string()];
    let output = kill(&words, &[parent.pid(), workers[0], workers[1]]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let done = document(&output);
    let all = done["processes"].as_array().expect("processes");
    let stopped: Vec<&Value> = all.iter().filter(|one| one["stopped"] == true).collect();
    assert_eq!(stopped.len(), 1, "{done}");
    assert_eq!(stopped[0]["pid"], workers[0], "{done}");
    assert!(is_free(port));
}

#[test]
fn nine_is_kill() {
    let mut deaf = Fixture::new("tcp 127.0.0.1:0\ndeaf");
    let output = kill(&["--yes", "-9", &deaf.port(0).to_string()], &[deaf.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\tKILL\tended"), "{output:?}");
    assert!(!deaf.is_running());
}

#[test]
fn only_the_sockets_of_one_user() {
    if !sys::user::is_root() {
        return skipped("needs root to become another user");
    }
    let port = free_port();
    let command = Fixture::command("", &[]);
    let program = command.get_program().to_str().expect("UTF-8");
    let (_directory, copy) = crate::hostile::public_copy_of(program);
    let mut of_nobody = Command::new(copy);
    of_nobody.args(command.get_args()).env("MX_FIXTURE", format!("tcp 127.0.0.1:{port}"));
    std::os::unix::process::CommandExt::uid(&mut of_nobody, 65534);
    let server = Fixture::with(of_nobody);
    let own = Fixture::new(&format!("tcp [::1]:{port}"));
    let bystanders = Bystanders::default().and(own);
    let output = kill(&["--yes", "--user", "65534", &port.to_string()], &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    bystanders.assert_unharmed();
}

#[test]
fn in_every_network_namespace() {
    let Some(network) = Network::new() else {
        return skipped("needs root to make a network namespace");
    };
    let port = free_port();
    let instructions = format!("tcp 127.0.0.1:{port}");
    let mut there = Fixture::with(network.enter(&Fixture::command(&instructions, &[])));
    let output = kill(&["--yes", &port.to_string()], &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let output = kill(&["--yes", "--all-namespaces", &port.to_string()], &[there.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!there.is_running());
}

/// Every way out that touches nothing says so in a document, beside its exit code.
#[test]
fn a_refusal_is_a_document() {
    let server = Fixture::new("tcp 127.0.0.1:0\nsilent 127.0.0.1:0");
    let (pid, port, silent) =
        (server.pid(), server.port(0).to_string(), server.port(1).to_string());
    // A server above mx: this one starts it.
    let mut shell = Command::new("python3");
    let script = "import socket, subprocess, sys\n\
        s = socket.create_server(('127.0.0.1', 0))\n\
        sys.exit(subprocess.run([*sys.argv[1:], str(s.getsockname()[1])]).returncode)";
    let trace = Trace::new();
    let inner = kill_in(&trace, &["--yes", "--json"]);
    shell.args(["-c", script]).arg(inner.get_program()).args(inner.get_args());
    let protected = shell.output().expect("python3 runs");
    trace.assert_signalled(&[]);
    let unanswered = kill(&["--json", &port], &[]);
    let not_serving = kill(&["--json", "--yes", &silent], &[]);
    for (output, code, reason) in [
        (&protected, 3, "protected"),
        (&unanswered, 2, "unanswered"),
        (&not_serving, 3, "not-serving"),
    ] {
        assert_eq!(output.status.code(), Some(code), "{reason}: {output:?}");
        let done = document(output);
        assert_eq!((&done["schema"], &done["freed"]), (&"mx.ports-kill/1".into(), &false.into()));
        assert_eq!(done["refused"]["reason"], reason, "{done}");
        let message = done["refused"]["message"].as_str().expect("a message");
        assert!(said(output).contains(&format!("mx: {message}")), "{reason}: {output:?}");
        let results: Vec<&Value> = done["processes"]
            .as_array()
            .expect("processes")
            .iter()
            .map(|one| &one["result"])
            .collect();
        assert!(results.iter().all(|result| result.is_null()), "{done}");
    }
    assert_eq!(document(&not_serving)["refused"]["pid"], pid);
}

/// Seconds since the owner of a port started.
fn age(port: u16) -> Option<u64> {
    let selectors = vec![port.to_string().parse().expect("a selector")];
    let report = ports::list(&ports::Query { selectors, ..Default::default() }).expect("a list");
    report.sockets.first()?.owners.first()?.age
}

/// A supervised service of a real `runsv`; its end is this value's.
pub(crate) struct Runit {
    supervisor: Child,
    directory: tempfile::TempDir,
}

impl Runit {
    pub(crate) fn start(name: &str, port: u16) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let service = directory.path().join(name);
        fs::create_dir(&service).expect("a directory");
        let script = format!(
            "#!/bin/sh\nexec python3 -c \"import signal, socket\n\
             s = socket.create_server(('127.0.0.1', {port}))\nsignal.pause()\"\n"
        );
        fs::write(service.join("run"), script).expect("a script");
        fs::set_permissions(service.join("run"), fs::Permissions::from_mode(0o755))
            .expect("a mode");
        let mut command = Command::new("runsv");
        command.arg(&service).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let supervisor = command.spawn().expect("runsv runs");
        // What ran for over a second is started again at once.
        until(|| age(port), |age| age.is_some_and(|age| age >= 2));
        Self { supervisor, directory }
    }

    /// The path of a service.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }
}

impl Drop for Runit {
    fn drop(&mut self) {
        // TERM ends the service and then runsv (runsv(8)).
        if let Some(pid) = Pid::from_raw(self.supervisor.id().cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.supervisor.wait();
    }
}

#[test]
fn a_service_that_starts_again_comes_with_the_command_that_stops_it() {
    let port = free_port();
    let runit = Runit::start("web", port);
    let [(server, _)] = crate::kill_restarted::owners(port)[..] else { panic!("one owner") };
    let output = kill(&["--yes", &port.to_string()], &[server]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = said(&output);
    assert!(error.contains("it was freed, and bound again by python3"), "{error}");
    assert!(error.contains("of the service web (runsv)"), "{error}");
    let hint = format!("hint: sv down {} stops what starts it", runit.path("web"));
    assert!(error.contains(&hint), "{error}");
}
