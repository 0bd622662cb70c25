//! `mx ports kill` ends what a client of the selector reaches, and nothing
//! beside it; it refuses where it does not see enough. `reach` has the proof
//! over random sockets, without processes.

use std::process::Command;

use crate::fixture::{Fixture, free_port};
use crate::hostile::skipped;
use crate::kill::{is_free, kill, kill_in, said};
use crate::signals::{Bystanders, Trace};

/// A user who is not root.
const NOBODY: u32 = 65534;

#[test]
fn the_most_specific_server_and_not_the_wildcard() {
    let port = free_port();
    let wildcard = Fixture::new(&format!("shared 0.0.0.0:{port}"));
    let mut specific = Fixture::new(&format!("shared 127.0.0.1:{port}"));
    let bystanders = Bystanders::around(port);
    let selector = format!("127.0.0.1:{port}");
    let output = kill(&["--yes", &selector], &[specific.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let note = format!("also bound, not reached by this address: tcp 0.0.0.0:{port} of ");
    assert!(said(&output).contains(&note), "{}", said(&output));
    assert!(!specific.is_running());
    bystanders.and(wildcard).assert_unharmed();
}

#[test]
fn another_address_of_the_same_port() {
    let port = free_port();
    let other = Fixture::new(&format!("tcp 127.0.0.2:{port}\nudp 127.0.0.3:{port}"));
    let bystanders = Bystanders::default().and(other);
    for selector in
        [format!("localhost:{port}"), format!("[::1]:{port}"), format!("0.0.0.0:{port}")]
    {
        let output = kill(&["--yes", &selector], &[]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let error = said(&output);
        assert!(error.contains(&format!("nothing serves {selector}")), "{error}");
        assert!(
            error.contains("also bound, not reached by this address: tcp 127.0.0.2"),
            "{error}"
        );
    }
    bystanders.assert_unharmed();
}

#[test]
fn an_address_of_another_machine() {
    // Of the networks for documentation (RFC 5737 and 3849): no machine has them.
    let server = Fixture::new(&format!("tcp [::]:{}", free_port()));
    let port = server.port(0);
    let bystanders = Bystanders::around(port).and(server);
    for address in ["192.0.2.1", "203.0.113.7", "[2001:db8::1]"] {
        let output = kill(&["--yes", &format!("http://{address}:{port}/")], &[]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let ip = address.trim_matches(['[', ']']);
        let error = said(&output);
        assert!(error.contains(&format!(": {ip} is not an address of this machine")), "{error}");
    }
    bystanders.assert_unharmed();
}

#[test]
fn a_scheme_or_a_suffix_chooses_the_protocol() {
    let instructions = |protocol: &str, port: u16| format!("{protocol} 127.0.0.1:{port}");
    for (selector, protocol, other) in [
        ("http://localhost:PORT", "tcp", "udp"),
        ("tcp:PORT", "tcp", "udp"),
        ("udp://127.0.0.1:PORT", "udp", "tcp"),
        ("localhost:PORT/udp", "udp", "tcp"),
    ] {
        let port = free_port();
        let mut server = Fixture::new(&instructions(protocol, port));
        let other = Fixture::new(&instructions(other, port));
        let bystanders = Bystanders::default().and(other);
        let selector = selector.replace("PORT", &port.to_string());
        let output = kill(&["--yes", &selector], &[server.pid()]);
        assert_eq!(output.status.code(), Some(0), "{selector}: {output:?}");
        assert!(!server.is_running(), "{selector}");
        bystanders.assert_unharmed();
    }
}

#[test]
fn a_protocol_that_contradicts_the_option() {
    for words in [["--udp", "http://localhost:3000"], ["--tcp", "53/udp"], ["--udp", "tcp:53"]] {
        let output = kill(&[&words[..], &["--yes"]].concat(), &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(said(&output).contains("it names the other protocol"), "{}", said(&output));
    }
}

/// A program that only sends has its port from the kernel.
#[test]
fn a_udp_socket_that_may_be_a_client_is_left_alone() {
    let mut sender = Fixture::new("udp 0.0.0.0:0");
    let (pid, port) = (sender.pid(), sender.port(0));
    for selector in [port.to_string(), format!("localhost:{port}"), format!("pid:{pid}")] {
        let output = kill(&["--yes", &selector], &[]);
        assert_eq!(output.status.code(), Some(1), "{selector}: {output:?}");
        if !selector.starts_with("pid") {
            let error = said(&output);
            assert!(error.contains(&format!("{port}/udp names it")), "{selector}: {error}");
        }
    }
    assert!(sender.is_running());
    let output = kill(&["--yes", &format!("{port}/udp")], &[pid]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let sender = Fixture::new("udp 0.0.0.0:0");
    let output = kill(&["--yes", "--udp", &sender.port(0).to_string()], &[sender.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // A server has chosen a port of its own.
    let port = free_port();
    let server = Fixture::new(&format!("udp 127.0.0.1:{port}"));
    let output = kill(&["--yes", &port.to_string()], &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_process_by_its_id() {
    let mut server = Fixture::new("tcp 127.0.0.1:0\nudp 127.0.0.1:0");
    let other = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0);
    let bystanders = Bystanders::around(port).and(other);
    let output = kill(&["--yes", &format!("pid:{}", server.pid())], &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!server.is_running() && is_free(port));
    let nobody = kill(&["--yes", "pid:4000000"], &[]);
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    bystanders.assert_unharmed();
}

/// Root without a capability, as in most containers.
mod root_without_ptrace {
    use super::*;

    fn without_ptrace(inner: &Command) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]);
        command.arg(inner.get_program()).args(inner.get_args());
        command
    }

    #[track_caller]
    fn assert_refused(arguments: &[&str], why: &str) {
        let trace = Trace::new();
        let output = without_ptrace(&kill_in(&trace, arguments)).output().expect("setpriv runs");
        trace.assert_signalled(&[]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let error = said(&output);
        assert!(error.contains(why), "{error}");
        assert!(error.contains("nothing was signalled"), "{error}");
        assert!(error.contains("CAP_SYS_PTRACE") && !error.contains("sudo"), "{error}");
    }

    #[test]
    fn a_child_that_became_another_user() {
        if !sys::user::is_root() {
            return skipped("needs root to give up one right");
        }
        // In such a container nobody has the right, or root's processes were closed, too.
        let instructions = format!("tcp 127.0.0.1:0\nchildren 1 {NOBODY}");
        let mut command = without_ptrace(&Fixture::command(&instructions, &[]));
        command.env("MX_FIXTURE", &instructions);
        let master = Fixture::with(command);
        let (pid, child, port) = (master.pid(), master.numbers[1], master.port(0));
        let bystanders = Bystanders::around(port).and(master);
        for selector in [port.to_string(), format!("localhost:{port}"), format!("pid:{pid}")] {
            assert_refused(
                &["--yes", "--force", &selector],
                &format!("(PID {child}), started by tests-"),
            );
        }
        bystanders.assert_unharmed();
    }

    #[test]
    fn a_server_of_another_user() {
        if !sys::user::is_root() {
            return skipped("needs root to give up one right");
        }
        let command = Fixture::command("tcp 127.0.0.1:0", &[]);
        let program = command.get_program().to_str().expect("UTF-8");
        let (_directory, copy) = crate::hostile::public_copy_of(program);
        let mut of_nobody = setuid(&copy);
        of_nobody.args(command.get_args()).env("MX_FIXTURE", "tcp 127.0.0.1:0");
        let server = Fixture::with(of_nobody);
        let port = server.port(0);
        let bystanders = Bystanders::around(port).and(server);
        assert_refused(&["--yes", &port.to_string()], "the owner of 1 socket cannot be seen");

        let mut list = Command::new(crate::cli::MX);
        list.args(["ports", &port.to_string()]);
        let output = without_ptrace(&list).output().expect("setpriv runs");
        let hint = "hint: the owner of 1 socket cannot be seen: \
                    root needs the capability CAP_SYS_PTRACE for it";
        assert_eq!(said(&output).trim_end(), hint);
        bystanders.assert_unharmed();
    }

    /// A server that root's child handed to nobody: root's other processes are all read.
    #[test]
    fn with_every_right_a_socket_of_another_maker_is_freed() {
        if !sys::user::is_root() {
            return skipped("needs root to become another user");
        }
        let master = Fixture::new(&format!("tcp 127.0.0.1:0\nchildren 1 {NOBODY}"));
        let (pid, child, port) = (master.pid(), master.numbers[1], master.port(0));
        let output = kill(&["--yes", &port.to_string()], &[pid, child]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(is_free(port));
    }

    fn setuid(program: &std::path::Path) -> Command {
        use std::os::unix::process::CommandExt;

        let mut command = Command::new(program);
        command.uid(NOBODY).gid(NOBODY);
        command
    }
}
