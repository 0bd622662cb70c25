//! `mx ports kill` against what makes other tools end the wrong process, or
//! call a port free that is not: on Linux, where each can be forced.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use crate::fixture::{Fixture, free_port};
use crate::hostile::{public_copy, public_copy_of, skipped};
use crate::kill::{ask_to_kill, is_free, kill, kill_in, said};
use crate::kill_restarted::owners;
use crate::namespace::{Network, inside, run};
use crate::signals::{Bystanders, Trace};

/// A user who is not root.
const NOBODY: u32 = 65534;

/// Each runs in namespaces of its own, where nobody else starts processes, so
/// that the test can choose the PID of the next one.
mod pid_reuse {
    use super::*;

    /// A process with the PID of one that has ended.
    fn with_pid(pid: u32, instructions: &str) -> Fixture {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).expect("may be chosen");
        let fixture = Fixture::new(instructions);
        assert_eq!(fixture.pid(), pid, "nobody else started a process");
        fixture
    }

    /// Lets a server end while `mx` asks about it, gives its PID to a process
    /// that follows other instructions, and answers yes. Gives back what `mx`
    /// then says, and its exit code; that process was not signalled.
    fn answered_too_late(port: u16, instructions: &str) -> (String, u32) {
        let mut server = Fixture::new(&format!("tcp 127.0.0.1:{port}"));
        let pid = server.pid();
        let trace = Trace::new();
        let mut terminal = ask_to_kill(&trace, &[&port.to_string()]);
        let text = terminal.wait_for_text("End 1 process? [y/N]");
        assert!(text.contains(&format!("(PID {pid})")), "{text}");
        assert!(server.end().success());
        let innocent = with_pid(pid, instructions);
        terminal.type_text("y\r");
        let (text, code) = terminal.finish();
        assert!(text.contains("untouched"), "{text}");
        trace.assert_signalled(&[]);
        Bystanders::default().and(innocent).assert_unharmed();
        (text, code)
    }

    #[test]
    fn a_process_that_holds_nothing() {
        if inside("kill_hostile::pid_reuse::a_process_that_holds_nothing") {
            let port = free_port();
            let (text, code) = answered_too_late(port, "");
            assert_eq!(code, 0, "the port is free: {text}");
            assert!(is_free(port));
        }
    }

    #[test]
    fn a_server_on_another_port() {
        if inside("kill_hostile::pid_reuse::a_server_on_another_port") {
            let (text, code) = answered_too_late(free_port(), "tcp 127.0.0.1:0");
            assert_eq!(code, 0, "the port is free: {text}");
        }
    }

    #[test]
    fn a_server_on_the_same_port() {
        if inside("kill_hostile::pid_reuse::a_server_on_the_same_port") {
            // Yes was said to another process.
            let port = free_port();
            let (text, code) = answered_too_late(port, &format!("tcp 127.0.0.1:{port}"));
            assert_eq!(code, 3, "{text}");
            let error = format!("cannot free {port}: it was freed, and bound again by");
            assert!(text.contains(&error), "{text}");
        }
    }

    #[test]
    fn before_kill_is_sent() {
        if inside("kill_hostile::pid_reuse::before_kill_is_sent") {
            let mut deaf = Fixture::new("tcp 127.0.0.1:0\ndeaf");
            let (pid, port) = (deaf.pid(), deaf.port(0));
            let trace = Trace::new();
            let mut terminal = ask_to_kill(&trace, &["--grace", "50ms", &port.to_string()]);
            terminal.wait_for_text("End 1 process? [y/N]");
            terminal.type_text("y\r");
            terminal.wait_for_text("Send KILL to 1 process? [y/N]");
            assert!(deaf.end().success());
            let innocent = with_pid(pid, "tcp 127.0.0.1:0");
            terminal.type_text("y\r");
            let (text, code) = terminal.finish();
            // TERM was for the server, which has ended; KILL would have been for this one.
            assert_eq!((code, text.contains("TERM    ended")), (0, true), "{text}");
            trace.assert_signalled(&[pid]);
            Bystanders::default().and(innocent).assert_unharmed();
        }
    }
}

mod users {
    use super::*;

    /// Runs `mx ports kill` as a user who is not root.
    fn kill_as_nobody(trace: &Trace, arguments: &[&str]) -> Output {
        let (_directory, mx) = public_copy();
        let words = trace.words(mx.to_str().expect("UTF-8"));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["ports", "kill"]).args(arguments);
        command.uid(NOBODY).gid(NOBODY).output().expect("mx runs")
    }

    /// A fixture of that user.
    fn of_nobody(instructions: &str) -> Fixture {
        let command = Fixture::command(instructions, &[]);
        let (_directory, copy) = public_copy_of(command.get_program().to_str().expect("UTF-8"));
        let mut own = Command::new(copy);
        own.args(command.get_args()).env("MX_FIXTURE", instructions).uid(NOBODY).gid(NOBODY);
        Fixture::with(own)
    }

    #[track_caller]
    fn assert_refused(output: &Output, why: &str) {
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        let error = said(output);
        assert!(error.contains(why) && error.contains("nothing was signalled"), "{error}");
    }

    /// What holds wherever root's processes cannot be read, or not even be seen.
    fn one_user_beside_root() {
        let port = free_port();
        let foreign = Fixture::new(&format!("tcp 127.0.0.1:{port}"));
        let mut own = of_nobody(&format!("tcp [::1]:{port}"));
        let bystanders = Bystanders::around(port).and(foreign);
        let trace = Trace::new();
        for chosen in [format!("127.0.0.1:{port}"), port.to_string()] {
            let output = kill_as_nobody(&trace, &["--yes", "--force", &chosen]);
            assert_refused(&output, "the owner of 1 socket cannot be seen");
            trace.assert_signalled(&[]);
        }
        assert!(own.is_running());
        let output = kill_as_nobody(&trace, &["--yes", &format!("[::1]:{port}")]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        trace.assert_signalled(&[own.pid()]);
        assert!(!own.is_running());
        bystanders.assert_unharmed();
    }

    /// A socket that two users share is not half killed.
    fn one_socket_of_two_users() {
        let foreign = Fixture::new(&format!("tcp 127.0.0.1:0\nchildren 1 {NOBODY}"));
        let port = foreign.port(0);
        let bystanders = Bystanders::around(port).and(foreign);
        let trace = Trace::new();
        let output = kill_as_nobody(&trace, &["--yes", "--grace", "50ms", &port.to_string()]);
        trace.assert_signalled(&[]);
        assert_refused(&output, "the owner of 1 socket cannot be seen");
        bystanders.assert_unharmed();
    }

    #[test]
    fn what_belongs_to_others_is_not_half_killed() {
        if !sys::user::is_root() {
            return skipped("needs root to become another user");
        }
        one_user_beside_root();
        one_socket_of_two_users();
    }

    #[test]
    fn a_proc_that_hides_the_processes_of_others() {
        if !sys::user::is_root() {
            return skipped("needs root to become another user");
        }
        if inside("kill_hostile::users::a_proc_that_hides_the_processes_of_others") {
            run("mount", &["-t", "proc", "-o", "hidepid=2", "proc", "/proc"]);
            let list =
                Command::new("ls").arg("/proc").uid(NOBODY).gid(NOBODY).output().expect("ls runs");
            let names = String::from_utf8_lossy(&list.stdout).into_owned();
            assert!(!names.lines().any(|name| name == "1"), "process 1 is hidden");
            one_user_beside_root();
            one_socket_of_two_users();
        }
    }

    #[test]
    fn an_owner_that_is_seen_but_may_not_be_signalled() {
        if !sys::user::is_root() {
            return skipped("needs root to give up one right");
        }
        let port = free_port();
        let foreign = of_nobody(&format!("tcp 127.0.0.1:{port}"));
        let own = Fixture::new(&format!("udp 127.0.0.1:{port}"));
        let pid = foreign.pid();
        let bystanders = Bystanders::around(port).and(foreign).and(own);
        let trace = Trace::new();
        let inner = kill_in(&trace, &["--yes", &port.to_string()]);
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-kill", "--inh-caps", "-kill"]);
        let output = command.arg(inner.get_program()).args(inner.get_args()).output();
        let output = output.expect("setpriv runs");
        assert_refused(&output, &format!("(PID {pid}) holds it, and this user may not signal it"));
        trace.assert_signalled(&[]);
        bystanders.assert_unharmed();
    }
}

#[test]
fn the_same_port_in_another_network_namespace() {
    let Some(network) = Network::new() else {
        return skipped("needs root to make a network namespace");
    };
    let port = free_port();
    let instructions = format!("tcp 127.0.0.1:{port}\nudp 127.0.0.1:{port}");
    let in_there = || Fixture::with(network.enter(&Fixture::command(&instructions, &[])));
    let kill_in_there = |expected: &[u32]| {
        let trace = Trace::new();
        let command = kill_in(&trace, &["--yes", "--force", &port.to_string()]);
        let output = network.enter(&command).output().expect("mx runs");
        trace.assert_signalled(expected);
        output.status.code()
    };

    let mut here = Fixture::new(&instructions);
    let there = in_there();
    let bystanders = Bystanders::around(port).and(there);
    let output = kill(&["--yes", "--force", &port.to_string()], &[here.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!here.is_running() && is_free(port));
    bystanders.assert_unharmed();

    let here = Fixture::new(&instructions);
    let mut there = in_there();
    let bystanders = Bystanders::around(port).and(here);
    assert_eq!(kill_in_there(&[there.pid()]), Some(0));
    assert!(!there.is_running());
    assert_eq!(kill_in_there(&[]), Some(1), "nothing is bound in there");
    bystanders.assert_unharmed();
}

/// As in a container whose first process is the supervisor.
#[test]
fn what_process_1_starts_again_is_seen() {
    if inside("kill_hostile::what_process_1_starts_again_is_seen") {
        assert_eq!(std::process::id(), 1);
        let port = free_port();
        let instructions = format!("tcp 127.0.0.1:{port}");
        let mut first = Fixture::new(&instructions);
        let bystanders = Bystanders::around(port);
        let server = first.pid();
        let supervisor = std::thread::spawn(move || {
            first.wait();
            Fixture::new(&instructions)
        });
        let output = kill(&["--yes", &port.to_string()], &[server]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let error = said(&output);
        assert!(error.contains("bound again by") && error.contains("started by PID 1"), "{error}");
        bystanders.and(supervisor.join().expect("a server")).assert_unharmed();
    }
}

#[test]
fn a_socket_that_only_one_thread_has() {
    // The process has another one for all threads: it is not empty-handed.
    let mut server = Fixture::new("tcp 127.0.0.1:0\nthread 127.0.0.1:0");
    let port = server.port(1);
    let bystanders = Bystanders::around(port);
    let seen: Vec<u32> = owners(port).iter().map(|owner| owner.0).collect();
    assert_eq!(seen, [server.pid()]);
    let output = kill(&["--yes", &port.to_string()], &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!server.is_running() && is_free(port));
    bystanders.assert_unharmed();
}
