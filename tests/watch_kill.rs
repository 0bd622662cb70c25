//! `x` in `mx ports watch` on a real terminal: what it ends, and what it leaves alone.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, test_kill_process};

use crate::cli::MX;
use crate::fixture::{Fixture, free_port};
use crate::kill::behind_shell;
use crate::kill_restarted::owners;
use crate::kill_signals::{Runit, stop};
use crate::signals::{Bystanders, Trace};
use crate::terminal::Terminal;
use crate::watch::{assert_restored, end, on_cursor, terminal};

/// A watch of these ports, whose signals are recorded. Only a key makes it look again.
fn watch(trace: &Trace, ports: &[u16]) -> Terminal {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let words = trace.words(MX).join(" ");
    terminal(&format!("{words} ports watch {} --interval 1h", ports.join(" ")), 16, &[])
}

/// Puts the cursor on the first row and presses x.
#[track_caller]
fn ask(terminal: &mut Terminal, port: u16) -> String {
    terminal.wait_for_text("q quit, j k PgUp PgDn move, x end");
    terminal.type_text("j");
    terminal.wait_for("a cursor", |text| on_cursor(text) == Some(&port.to_string()));
    terminal.type_text("x");
    terminal.wait_for("an answer to x", |text| !text.contains("x end"))
}

#[track_caller]
fn quit(terminal: &mut Terminal, trace: &Trace, signalled: &[u32]) {
    terminal.type_text("q");
    assert_restored(terminal, 0);
    trace.assert_signalled(signalled);
}

#[test]
fn the_owners_of_the_row_are_ended_after_asking() {
    let trace = Trace::new();
    let mut prefork = Fixture::new("shared 127.0.0.1:0\nchildren 2");
    let port = prefork.port(0);
    // Another socket at the same address and port, and another protocol.
    let beside = Fixture::new(&format!("shared 127.0.0.1:{port}\nudp 127.0.0.1:{port}"));
    let bystanders = Bystanders::around(port).and(beside);
    let expected = [&prefork.numbers[1..], &[prefork.pid()]].concat();
    let first = expected.iter().min().expect("owners").to_string();
    let mut terminal = watch(&trace, &[port]);
    terminal.wait_for_text("x end");
    terminal.type_text("j");
    // The row of one of its owners, wherever it is in the table.
    let mut text = terminal.wait_for("a cursor", |text| on_cursor(text).is_some());
    while !text.lines().any(|line| line.starts_with(" >") && line.contains(&first)) {
        let before = text;
        terminal.type_text("j");
        text = terminal.wait_for("the next row", |text| *text != before);
    }
    terminal.type_text("x");
    // The names of three would not fit.
    terminal.resize(60, 16);
    terminal.wait_for("a question", |text| text.ends_with("End 3 processes? [y/N]"));
    terminal.resize(400, 16);
    let text = terminal.wait_for_text(&format!(", bound to {port}? [y/N]"));
    for pid in &expected {
        assert!(text.contains(&format!("(PID {pid})")), "{text}");
    }
    terminal.type_text("y");
    let text = terminal.wait_for("the end", |text| {
        text.contains("ended ") && text.lines().any(|line| line.starts_with('-'))
    });
    assert!(!prefork.is_running(), "{text}");
    assert!(text.lines().any(|line| line.starts_with('-')), "the row has gone: {text}");
    quit(&mut terminal, &trace, &expected);
    bystanders.assert_unharmed();
}

#[test]
fn every_key_but_y_means_no() {
    let trace = Trace::new();
    let mut server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0);
    let mut terminal = watch(&trace, &[port]);
    // Without a cursor there is nothing to end.
    terminal.wait_for_text("x end");
    terminal.type_text("x");
    terminal.wait_for_text("choose a row first");
    terminal.type_text("k");
    ask(&mut terminal, port);
    for key in ["n", "N", "\r", "\x1b", "q", "x", "j", "\x03"] {
        terminal.wait_for_text("? [y/N]");
        terminal.type_text(key);
        terminal.wait_for(key, |text| text.ends_with("nothing was signalled"));
        terminal.type_text("x");
    }
    // A screen of another size still asks, and does not cut what may be answered.
    terminal.resize(30, 4);
    terminal.wait_for("a question", |text| text.ends_with("End 1 process? [y/N]"));
    terminal.type_text("n");
    terminal.wait_for_text("nothing was signalled");
    quit(&mut terminal, &trace, &[]);
    assert!(server.is_running());
}

#[test]
fn a_stopped_server_is_named_and_ends() {
    let trace = Trace::new();
    let mut server = Fixture::new("udp 127.0.0.1:0");
    let (pid, port) = (server.pid(), server.port(0));
    stop(pid);
    let mut terminal = watch(&trace, &[port]);
    let text = ask(&mut terminal, port);
    assert!(text.contains(&format!("(PID {pid}), which is stopped, bound to {port}")), "{text}");
    terminal.type_text("y");
    terminal.wait_for_text(&format!("(PID {pid}), which was stopped"));
    assert!(!server.is_running());
    quit(&mut terminal, &trace, &[pid]);
}

#[test]
fn a_server_that_came_while_the_question_stood_is_not_ended() {
    let trace = Trace::new();
    let port = free_port();
    let old = Fixture::new(&format!("tcp 127.0.0.1:{port}"));
    let mut terminal = watch(&trace, &[port]);
    assert!(ask(&mut terminal, port).ends_with("? [y/N]"));
    drop(old);
    let new = Fixture::new(&format!("tcp 127.0.0.1:{port}"));
    terminal.type_text("y");
    let text = terminal.wait_for_text("bound again by");
    assert!(text.contains(&format!("(PID {})", new.pid())), "{text}");
    // The row has gone since: its key does not reach the new one.
    terminal.type_text("x");
    terminal.wait_for("a refusal", |text| {
        text.contains("choose a row first") || text.contains("is gone")
    });
    quit(&mut terminal, &trace, &[]);
    Bystanders::default().and(new).assert_unharmed();
}

#[test]
fn what_kill_refuses_is_refused_with_its_words() {
    // A server above the watch: this one starts it.
    let trace = Trace::new();
    let script = "import socket, subprocess, sys; s = socket.create_server((\"127.0.0.1\", 0)); \
        sys.exit(subprocess.run([*sys.argv[1:], str(s.getsockname()[1])]).returncode)";
    let words = trace.words(MX).join(" ");
    let command = format!("python3 -c '{script}' {words} ports watch --interval 1h");
    let mut above = terminal(&command, 10, &[]);
    above.wait_for_text("x end");
    above.type_text("jx");
    let text = above.wait_for_text("holds it, an ancestor of this program");
    assert!(text.contains("\nhint: nothing was signalled\n"), "{text}");
    quit(&mut above, &trace, &[]);

    // A connection is no server, and is listed only with --all.
    let trace = Trace::new();
    let server = Fixture::new("tcp 127.0.0.1:0");
    let client = Fixture::new(&format!("connect 127.0.0.1:{}", server.port(0)));
    let words = trace.words(MX).join(" ");
    let from = client.port(0);
    let mut terminal =
        terminal(&format!("{words} ports watch --all {from} --interval 1h"), 10, &[]);
    terminal.wait_for_text("x end");
    terminal.type_text("jx");
    terminal.wait_for_text(&format!("cannot free {from}: this socket serves no more"));
    quit(&mut terminal, &trace, &[]);
    Bystanders::default().and(client).and(server).assert_unharmed();
}

#[test]
fn what_is_not_free_after_all_is_said() {
    // Deaf to TERM.
    let trace = Trace::new();
    let mut deaf = Fixture::new("tcp 127.0.0.1:0\ndeaf");
    let (pid, port) = (deaf.pid(), deaf.port(0));
    let mut watched = watch(&trace, &[port]);
    ask(&mut watched, port);
    watched.type_text("y");
    let text = watched.wait_for_text("still bound by");
    assert!(text.contains(&format!("hint: mx ports kill -9 pid:{pid} sends KILL")), "{text}");
    quit(&mut watched, &trace, &[pid]);
    assert!(deaf.is_running());

    // Started again by a shell.
    let trace = Trace::new();
    let port = free_port();
    let shell = behind_shell("\"$@\"; \"$@\"", &format!("tcp 127.0.0.1:{port}"));
    let [(server, _)] = owners(port)[..] else { panic!("one owner") };
    let mut watched = watch(&trace, &[port]);
    ask(&mut watched, port);
    watched.type_text("y");
    watched.wait_for_text("it was freed, and bound again by");
    quit(&mut watched, &trace, &[server]);
    Bystanders::default().and(shell).assert_unharmed();

    // And by a real supervisor.
    let trace = Trace::new();
    let port = free_port();
    let runit = Runit::start("shop", port);
    let [(server, _)] = owners(port)[..] else { panic!("one owner") };
    let mut watched = watch(&trace, &[port]);
    ask(&mut watched, port);
    watched.type_text("y");
    watched.wait_for_text(&format!("hint: sv down {} stops what starts it", runit.path("shop")));
    quit(&mut watched, &trace, &[server]);
}

#[test]
fn the_cursor_stays_with_its_row() {
    let trace = Trace::new();
    let [one, two] = {
        let mut ports = [free_port(), free_port()];
        ports.sort_unstable();
        ports
    };
    let chosen = Fixture::new(&format!("tcp 127.0.0.1:{two}"));
    let words = trace.words(MX).join(" ");
    let command = format!("{words} ports watch {one} {two} --interval 50ms");
    let mut terminal = terminal(&command, 10, &[]);
    terminal.wait_for_text("x end");
    terminal.type_text("j");
    terminal.wait_for("a cursor", |text| on_cursor(text) == Some(&two.to_string()));
    // A row comes above it.
    let above = Fixture::new(&format!("tcp 127.0.0.1:{one}"));
    terminal.wait_for_text("2 sockets ");
    terminal.wait_for("the same row", |text| on_cursor(text) == Some(&two.to_string()));
    // Its own row goes: the cursor does not pass to another.
    let pid = chosen.pid();
    end(pid, Signal::KILL);
    terminal.wait_for("no cursor", |text| text.contains("1 socket ") && on_cursor(text).is_none());
    terminal.type_text("x");
    terminal.wait_for_text("choose a row first");
    let raw = Pid::from_raw(above.pid().cast_signed()).expect("a PID");
    assert_eq!(test_kill_process(raw), Ok(()));
    quit(&mut terminal, &trace, &[]);
    drop(chosen);
    Bystanders::default().and(above).assert_unharmed();
}

/// A server that answers TERM by closing its socket, and finishes its work first.
#[test]
fn a_server_that_still_runs_is_not_called_ended() {
    let trace = Trace::new();
    let port = free_port();
    let script = format!(
        "import signal, socket, sys\n\
         s = socket.create_server(('127.0.0.1', {port}))\n\
         signal.signal(signal.SIGTERM, lambda *_: s.close())\n\
         print(flush=True)\nsys.stdin.read()"
    );
    let mut command = Command::new("python3");
    command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = command.spawn().expect("python3 runs");
    let mut line = String::new();
    let output = server.stdout.as_mut().expect("a pipe");
    BufReader::new(output).read_line(&mut line).expect("it is ready");
    let mut watched = watch(&trace, &[port]);
    ask(&mut watched, port);
    watched.type_text("y");
    let text = watched.wait_for_text("has closed the socket, and still runs");
    assert!(!text.contains("ended "), "{text}");
    quit(&mut watched, &trace, &[server.id()]);
    assert!(server.try_wait().expect("a child").is_none());
    drop(server.stdin.take());
    assert!(server.wait().expect("a child").success());
}
