//! `mx ports kill` against what starts servers again: supervisors, and parents
//! that hold the socket themselves.

use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{Fixture, free_port};
use crate::kill::{ask_to_kill, behind_shell, document, is_free, kill, kill_in, said};
use crate::signals::{Bystanders, Trace};

/// Every owner of what listens on a port, with its parent.
pub(crate) fn owners(port: u16) -> Vec<(u32, u32)> {
    let selectors = vec![port.to_string().parse().expect("a selector")];
    let report = ports::list(&ports::Query { selectors, ..Default::default() }).expect("a list");
    let owners = report.sockets.iter().flat_map(|socket| &socket.owners);
    owners.map(|owner| (owner.pid, owner.parent.expect("a parent"))).collect()
}

#[test]
fn a_port_that_is_bound_again_is_not_called_free() {
    let port = free_port();
    // The server's supervisor, which starts it again once, and that one's supervisor.
    let script = "sh -c '\"$@\"; \"$@\"' sh \"$@\"; true";
    let outer = behind_shell(script, &format!("tcp 127.0.0.1:{port}"));
    let [(server, inner)] = owners(port)[..] else { panic!("one owner") };
    assert_ne!(inner, outer.pid());
    let bystanders = Bystanders::around(port).and(outer);

    let output = kill(&["--yes", "--force", "--json", &port.to_string()], &[server]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = said(&output);
    assert!(
        error.contains(&format!("cannot free {port}: it was freed, and bound again by")),
        "{error}"
    );
    assert!(error.contains(&format!("started by PID {inner}")), "{error}");
    let done = document(&output);
    assert_eq!((&done["freed"], &done["bound"][0]["port"]), (&false.into(), &port.into()));
    assert_eq!(done["processes"][0]["result"], "ended");
    assert_eq!(owners(port)[0].1, inner, "the new server runs");
    bystanders.assert_unharmed();
}

#[test]
fn what_was_bound_again_is_told_from_what_never_was_free() {
    let port = free_port();
    let mut deaf = Fixture::new(&format!("tcp 127.0.0.1:{port}\ndeaf"));
    let supervisor = behind_shell("\"$@\"; \"$@\"", &format!("tcp [::1]:{port}"));
    let parent = supervisor.pid();
    let all = owners(port);
    let (server, _) = all.iter().find(|owner| owner.1 == parent).expect("the server");
    let bystanders = Bystanders::around(port).and(supervisor);
    let arguments = ["--yes", "--grace", "300ms", &port.to_string()];
    let output = kill(&arguments, &[deaf.pid(), *server]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = said(&output);
    assert!(error.contains("bound again by"), "{error}");
    assert!(error.contains(&format!("started by PID {parent}")), "{error}");
    assert!(deaf.is_running());
    bystanders.assert_unharmed();
}

#[test]
fn a_parent_that_holds_the_socket_ends_before_its_children() {
    // The children do not end with their parent.
    let mut parent = Fixture::new("tcp 127.0.0.1:0\nrespawn 2");
    let port = parent.port(0);
    let bystanders = Bystanders::around(port);
    let expected = [parent.pid(), parent.numbers[1], parent.numbers[2]];
    let output = kill(&["--yes", "--json", &port.to_string()], &expected);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(document(&output)["processes"].as_array().expect("processes").len(), 3);
    assert!(!parent.is_running() && is_free(port));
    bystanders.assert_unharmed();
}

#[test]
fn a_child_that_was_started_while_the_question_stood_is_ended_too() {
    let mut parent = Fixture::new("tcp 127.0.0.1:0\nrespawn 2");
    let port = parent.port(0);
    let bystanders = Bystanders::around(port);
    let trace = Trace::new();
    let mut terminal = ask_to_kill(&trace, &[&port.to_string()]);
    terminal.wait_for_text("End 3 processes? [y/N]");
    end(parent.numbers[1]);
    let new = parent.started_again();
    terminal.type_text("y\r");
    let (text, code) = terminal.finish();
    assert_eq!(code, 0, "{text}");
    // The child that had ended is told too; the new one with its port, as all are.
    assert_eq!(text.matches("untouched").count(), 1, "{text}");
    assert_eq!(text.matches(&format!("{port}  TERM")).count(), 4, "{text}");
    trace.assert_signalled(&[parent.pid(), parent.numbers[2], new]);
    assert!(!parent.is_running() && is_free(port));
    bystanders.assert_unharmed();
}

#[test]
fn a_parent_that_goes_on_and_starts_children_again_needs_force() {
    let mut parent = Fixture::new("tcp 127.0.0.1:0\nrespawn 2\ndeaf");
    let port = parent.port(0);
    let bystanders = Bystanders::around(port);
    let first = [parent.pid(), parent.numbers[1], parent.numbers[2]];
    let output = kill(&["--yes", "--grace", "200ms", &port.to_string()], &first);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = said(&output);
    assert!(error.contains(&format!("cannot free {port}: still bound by")), "{error}");
    let second = [parent.started_again(), parent.started_again()];

    let trace = Trace::new();
    let arguments = ["--yes", "--grace", "200ms", "--force", &port.to_string()];
    let output = kill_in(&trace, &arguments).output().expect("mx runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!parent.is_running() && is_free(port));
    let third = [parent.started_again(), parent.started_again()];
    trace.assert_signalled(&[&first[..1], &second, &third].concat());
    bystanders.assert_unharmed();
}

/// Ends a child of a fixture.
fn end(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a PID")).expect("a PID");
    kill_process(pid, Signal::KILL).expect("a child of a fixture");
}

#[test]
fn a_restart_is_noticed_also_where_a_name_was_asked_for() {
    let port = free_port();
    let name = format!("mxr{port}");
    let instructions =
        format!("tcp 127.0.0.1:{port}\nname {}", crate::fixture::hex(name.as_bytes()));
    if !cfg!(target_os = "linux") {
        return; // Only Linux lets a test rename a process.
    }
    let outer = behind_shell("sh -c '\"$@\"; exec \"$@\"' sh \"$@\"; true", &instructions);
    let [(server, _)] = owners(port)[..] else { panic!("one owner") };
    let bystanders = Bystanders::around(port).and(outer);
    let output = kill(&["--yes", &name], &[server]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = said(&output);
    assert!(
        error.contains(&format!("cannot free {port}: it was freed, and bound again by")),
        "{error}"
    );
    bystanders.assert_unharmed();
}
