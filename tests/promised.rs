//! What the help and the README about ports promise in passing: see `tests/promises.txt`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;
use ports::watch::{Event, Watcher};
use ports::{Query, Selector};
use serde_json::Value;

use crate::cli::MX;
use crate::fixture::{Fixture, free_port, until};
use crate::kill::{document, is_free, kill};
use crate::terminal::Terminal;
use crate::wait::{mx, start, text};

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Exit code and standard output.
fn answer(words: &[&str]) -> (Option<i32>, String) {
    let output = mx(words);
    (output.status.code(), text(&output))
}

/// The first event of a watch, as a document.
pub(crate) fn first_event(words: &[&str]) -> Value {
    let output = Command::new("sh")
        .args(["-c", "\"$@\" | head -n 1", "sh", MX, "ports", "watch", "--json"])
        .args(["--interval", "20ms"])
        .args(words)
        .output()
        .expect("sh runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("JSON: {output:?}"))
}

#[test]
fn everything_is_listed_where_nothing_is_asked_for() {
    let server = Fixture::new("tcp 127.0.0.1:0\nudp [::1]:0");
    let rows = text(&mx(&["ports"]));
    for (protocol, index) in [("tcp", 0), ("udp", 1)] {
        let port = server.port(index).to_string();
        let is_own = |row: &str| {
            let cells: Vec<&str> = row.split('\t').collect();
            cells[0] == protocol && cells[2] == port && cells[3] == server.pid().to_string()
        };
        assert!(rows.lines().any(is_own), "{protocol} {port}: {rows}");
    }
    let mut watch = start(&["ports", "watch", "--json", "--interval", "20ms"]);
    let output = std::io::BufReader::new(watch.stdout.take().expect("a pipe"));
    let port = u64::from(server.port(0));
    let found = std::io::BufRead::lines(output).map_while(Result::ok).any(|line| {
        let event: Value = serde_json::from_str(&line).expect("JSON");
        event["socket"]["port"] == port
    });
    let _ = watch.kill();
    let _ = watch.wait();
    assert!(found);
}

#[test]
fn quiet_prints_nothing_but_errors() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let (port, free) = (server.port(0).to_string(), free_port().to_string());
    for (words, code) in [
        (&[&*port][..], 0),
        (&[&free], 1),
        (&["kill", &free], 1),
        (&["kill", "--dry-run", &port], 0),
        (&["wait", &port], 0),
        (&["wait", "--free", &free], 0),
        (&["wait", &free, "--timeout", "0s"], 1),
        (&["wait", "--free", &port, "--timeout", "0s"], 1),
        (&["free"], 0),
        (&["free", "--range", &port], 1),
    ] {
        // A process that another test starts may have a copy of a socket for a moment.
        let call = || mx(&[&["ports"], words, &["-q"]].concat());
        let output = until(call, |output| output.status.code() == Some(code));
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{words:?}: {output:?}");
    }
    for words in [&["0"][..], &["kill", "0"], &["wait", "0"], &["free", "0"], &["watch", "0"]] {
        let output = mx(&[&["ports"], words, &["-q"]].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
        assert!(said(&output).starts_with("mx: cannot use '0' as a "), "{words:?}: {output:?}");
    }
}

#[test]
fn a_terminal_gets_a_table_in_colour_unless_it_is_not_wanted() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    let screen = |words: &[&str], variable: Option<&str>| {
        let mut command = CommandBuilder::new(MX);
        command.args(["ports", &port]);
        command.args(words);
        command.env("TERM", "xterm-256color");
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        if let Some(name) = variable {
            command.env(name, "1");
        }
        let mut terminal = Terminal::with_size(command, 100, 10);
        let (text, code) = terminal.finish();
        assert_eq!(code, 0, "{text}");
        let is_styled = terminal.screen().cell(0, 0).is_some_and(vt100::Cell::bold);
        (text.starts_with("PROTO  ADDRESS"), is_styled)
    };
    assert_eq!(screen(&[], None), (true, true));
    assert_eq!(screen(&[], Some("NO_COLOR")), (true, false));
    assert_eq!(screen(&["--color=never"], None), (true, false));
    assert_eq!(screen(&["--color=always"], Some("NO_COLOR")), (true, true));
    assert_eq!(screen(&["--plain"], None), (false, false));
}

/// Options that the commands share, each by what it adds or leaves out.
#[test]
fn the_list_and_watch_leave_out_what_the_options_do() {
    let port = free_port();
    let server = Fixture::new(&format!("tcp 127.0.0.1:{port}\nudp 127.0.0.1:{port}"));
    let client = Fixture::new(&format!("connect 127.0.0.1:{port}"));
    let text = port.to_string();
    let rows = |words: &[&str]| {
        let (code, rows) = answer(&[&["ports", &text], words].concat());
        let protocols: Vec<String> = rows.lines().map(|row| row[..3].to_owned()).collect();
        (code, protocols.join(" "))
    };
    assert_eq!(rows(&[]), (Some(0), "tcp udp".to_owned()));
    assert_eq!(rows(&["--tcp"]), (Some(0), "tcp".to_owned()));
    assert_eq!(rows(&["--udp"]), (Some(0), "udp".to_owned()));
    // Exit code 3 where a process cannot be read: it may be of this user.
    let (code, none) = rows(&["--user", "4000000000"]);
    assert!(matches!(code, Some(1 | 3)) && none.is_empty(), "{code:?} {none}");
    let own = rustix::process::geteuid().as_raw().to_string();
    assert_eq!(rows(&["--user", &own]), (Some(0), "tcp udp".to_owned()));

    assert_eq!(first_event(&["--tcp", &text])["socket"]["protocol"], "tcp");
    assert_eq!(first_event(&["--udp", &text])["socket"]["protocol"], "udp");
    assert_eq!(first_event(&["--user", &own, &text])["socket"]["port"], port);
    let connected = first_event(&["--all", &client.port(0).to_string()]);
    assert_eq!(connected["socket"]["state"], "established", "{connected}");
    // That of another user is left out: the first event is that of the next socket.
    let mut watch = Watcher::new(Query {
        selectors: vec![text.parse().expect("a selector")],
        user: Some(4_000_000_000),
        ..Query::default()
    });
    assert!(watch.look().expect("a look").is_empty());
    drop(server);
}

#[test]
fn a_range_is_up_once_every_port_is() {
    // Two ports beside each other.
    let (first, one) = loop {
        let first = free_port();
        if TcpListener::bind(("127.0.0.1", first + 1)).is_ok() {
            break (first, Fixture::new(&format!("tcp 127.0.0.1:{first}")));
        }
    };
    let range = format!("{first}-{}", first + 1);
    let words = ["ports", "wait", &range, "--timeout", "0s"];
    assert_eq!(answer(&words).0, Some(1));
    let two = Fixture::new(&format!("tcp 127.0.0.1:{}", first + 1));
    assert_eq!(answer(&words), (Some(0), format!("{range}\tup\n")));
    drop((one, two));
}

#[test]
fn mx_becomes_the_command() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    let waiting = start(&["ports", "wait", &port, "--", "sh", "-c", "echo $$"]);
    let pid = waiting.id();
    let output = waiting.wait_with_output().expect("a child");
    assert_eq!(text(&output), format!("{pid}\n"));
}

/// A server that takes the request and is silent is given up, and asked again.
#[test]
fn an_answer_is_waited_for_ten_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let url = format!("http://127.0.0.1:{port}/");
    let waiting = start(&["ports", "wait", &url, "--timeout", "300s"]);
    let (silent, _) = listener.accept().expect("a first connection");
    let begun = Instant::now();
    let (mut second, _) = listener.accept().expect("a second connection");
    // Three times as long, as the machine may be busy; without a limit it would be for ever.
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(30), "{took:?}");
    second.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("it listens");
    drop(second);
    let output = waiting.wait_with_output().expect("a child");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    drop(silent);
}

#[test]
fn what_lives_between_two_looks_is_not_seen() {
    let port = free_port();
    let selectors = vec![port.to_string().parse::<Selector>().expect("a selector")];
    let mut watcher = Watcher::new(Query { selectors, ..Query::default() });
    let mut look = || -> Vec<Event> {
        let changes = watcher.look().expect("a look");
        changes.iter().map(|change| change.event).collect()
    };
    assert_eq!(look(), []);
    drop(Fixture::new(&format!("tcp 127.0.0.1:{port}")));
    assert_eq!(look(), []);
    // What is there at a look is, however short its life.
    let short = Fixture::new(&format!("tcp 127.0.0.1:{port}"));
    assert_eq!(look(), [Event::Opened]);
    drop(short);
    assert_eq!(look(), [Event::Closed]);
}

/// The times are those of the events, so that a slow reader is of no effect. A
/// look that takes long delays the next, but never brings it nearer than half
/// the interval.
#[test]
fn watch_looks_once_in_an_interval() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    let mut watch = start(&["ports", "watch", "--json", "--interval", "2s", &port]);
    let output = std::io::BufReader::new(watch.stdout.take().expect("a pipe"));
    let mut lines = std::io::BufRead::lines(output).map_while(Result::ok);
    let mut event = || -> (String, std::time::SystemTime) {
        let line = lines.next().expect("another line");
        let event: Value = serde_json::from_str(&line).expect("JSON");
        let time = humantime::parse_rfc3339(event["time"].as_str().expect("a time"));
        (event["event"].as_str().expect("an event").to_owned(), time.expect("RFC 3339"))
    };
    let (opened, first) = event();
    drop(server);
    let (closed, second) = event();
    let _ = watch.kill();
    let _ = watch.wait();
    assert_eq!((opened.as_str(), closed.as_str()), ("opened", "closed"));
    let between = second.duration_since(first).expect("in order");
    assert!(between >= Duration::from_millis(950), "{between:?}");
}

/// The bytes themselves: the screen of the other tests knows no such style.
#[test]
fn a_row_that_is_gone_is_struck_through() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    // Without the row, it ends all the same.
    let script = "import pty, signal, sys; signal.alarm(60); pty.spawn(sys.argv[1:])";
    let mut child = Command::new("python3")
        .args(["-c", script, MX, "ports", "watch", &port, "--interval", "20ms"])
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut output = child.stdout.take().expect("a pipe");
    let mut seen = String::new();
    let mut until = |wanted: &str| {
        let mut buffer = [0; 4096];
        while !seen.contains(wanted) {
            let length = output.read(&mut buffer).expect("the terminal");
            assert_ne!(length, 0, "ended without {wanted:?}: {seen:?}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        seen.clone()
    };
    let before = until("1 socket ");
    assert!(!before.contains("\x1b[9m") && !before.contains(";9m"), "{before:?}");
    drop(server);
    until("\x1b[9m");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"q").expect("it reads");
    assert!(child.wait().expect("a child").success());
}

#[test]
fn free_that_cannot_try_does_not_say_that_there_is_none() {
    // Two sockets are bound at once, and there is room for one.
    let limited = "ulimit -n 4; exec \"$0\" ports free";
    let output = Command::new("sh").args(["-c", limited, MX]).output().expect("sh runs");
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(3), ""), "{output:?}");
    assert!(said(&output).starts_with("mx: cannot bind tcp port "), "{output:?}");
}

#[test]
fn the_address_tells_the_families() {
    for (instruction, address) in
        [("tcp 0.0.0.0:0", "0.0.0.0"), ("v6only", "[::]"), ("tcp [::]:0", "*")]
    {
        let server = Fixture::new(instruction);
        let (_, row) = answer(&["ports", &server.port(0).to_string()]);
        assert!(row.starts_with(&format!("tcp\t{address}\t")), "{instruction}: {row}");
    }
}

#[test]
fn all_adds_closing_sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let mut client = std::net::TcpStream::connect(address).expect("a connection");
    let (accepted, _) = listener.accept().expect("a connection");
    // The side that closes first keeps the port: here the server's.
    accepted.shutdown(std::net::Shutdown::Both).expect("open");
    drop(listener);
    assert_eq!(client.read(&mut [0]).expect("the end"), 0);
    drop((client, accepted));
    let port = address.port().to_string();
    let list = || text(&mx(&["ports", &port, "--all"]));
    let rows = until(list, |rows| rows.contains("\ttime-wait\t"));
    assert!(rows.contains(&format!("tcp\t127.0.0.1\t{port}\ttime-wait\t")), "{rows}");
    assert_ne!(answer(&["ports", &port]).0, Some(0));
}

#[test]
fn pids_are_one_a_line_each_once() {
    let server = Fixture::new("tcp 127.0.0.1:0\ntcp 127.0.0.1:0\nchildren 2");
    let ports = [server.port(0).to_string(), server.port(1).to_string()];
    let output = mx(&["ports", "-t", &ports[0], &ports[1]]);
    let mut pids: Vec<u32> =
        text(&output).lines().map(|line| line.parse().expect("a PID")).collect();
    pids.sort_unstable();
    let mut expected = [server.pid(), server.numbers[2], server.numbers[3]];
    expected.sort_unstable();
    assert_eq!(pids, expected);
}

#[test]
fn kill_and_wait_take_ranges() {
    let mut server = Fixture::new("tcp 127.0.0.1:0");
    let range = format!("{0}-{0}", server.port(0));
    assert_eq!(answer(&["ports", "wait", &range]), (Some(0), format!("{}\tup\n", server.port(0))));
    let output = kill(&["--yes", &range], &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!server.is_running() && is_free(server.port(0)));
}

#[test]
fn a_signal_has_a_name_and_a_number() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    for (words, name) in [("2", "INT"), ("INT", "INT"), ("sigint", "INT"), ("9", "KILL")] {
        let (code, row) = answer(&["ports", "kill", "--dry-run", "--signal", words, &port]);
        assert!(code == Some(0) && row.contains(&format!("\t{name}\t")), "{words}: {row}");
    }
}

#[test]
fn with_force_every_signal_is_a_request_to_end() {
    let mut server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    // It ignores this one.
    let words = ["--yes", "--json", "-s", "URG", "--force", "--grace", "50ms", &port];
    let output = kill(&words, &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let process = &document(&output)["processes"][0];
    assert_eq!((&process["signal"], &process["result"]), (&"KILL".into(), &"ended".into()));
    assert!(!server.is_running());
}

#[test]
fn grace_is_waited_for() {
    let deaf = Fixture::new("tcp 127.0.0.1:0\ndeaf");
    let begun = Instant::now();
    let port = deaf.port(0).to_string();
    let output = kill(&["--yes", "--grace", "400ms", &port], &[deaf.pid()]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(begun.elapsed() >= Duration::from_millis(400));
    // And no longer than is needed.
    let server = Fixture::new("tcp 127.0.0.1:0");
    let output = kill(&["--yes", "--grace", "1h", &server.port(0).to_string()], &[server.pid()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn the_timeout_is_waited_for() {
    let (begun, port) = (Instant::now(), free_port().to_string());
    assert_eq!(answer(&["ports", "wait", &port, "--timeout", "400ms"]).0, Some(1));
    assert!(begun.elapsed() >= Duration::from_millis(400));
    // And no longer than is needed.
    let server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    assert_eq!(answer(&["ports", "wait", &port, "--timeout", "1h"]).0, Some(0));
}

#[test]
fn free_looks_at_the_protocol_that_is_asked_for() {
    let port = free_port();
    let text = port.to_string();
    for (protocol, tcp, udp) in [("tcp", Some(1), Some(0)), ("udp", Some(0), Some(1))] {
        let server = Fixture::new(&format!("{protocol} 127.0.0.1:{port}"));
        let by_tcp = || answer(&["ports", "free", "--range", &text]).0;
        let by_udp = || answer(&["ports", "free", "--udp", "--range", &text]).0;
        // A process that another test starts may have a copy of the last socket for a moment.
        assert_eq!(
            (until(by_tcp, |code| *code == tcp), until(by_udp, |code| *code == udp)),
            (tcp, udp)
        );
        drop(server);
    }
}

/// The fields of version 1, which stay: a new one is added here and to the README.
#[test]
fn the_fields_of_a_document_are_those_that_are_documented() {
    const REPORT: [&str; 5] = ["schema", "complete", "hidden", "notes", "sockets"];
    const SOCKET: [&str; 13] = [
        "protocol",
        "address",
        "interface",
        "port",
        "state",
        "scope",
        "dual_stack",
        "peer",
        "uid",
        "user",
        "namespace",
        "owners",
        "container",
    ];
    const OWNER: [&str; 13] = [
        "pid",
        "name",
        "command",
        "exe",
        "cwd",
        "uid",
        "user",
        "parent",
        "started",
        "age",
        "service",
        "container",
        "certain",
    ];
    const EVENT: [&str; 5] = ["schema", "event", "time", "initial", "socket"];
    let server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    let fields = |value: &Value, expected: &[&str]| {
        let mut names: Vec<&str> =
            value.as_object().expect("fields").keys().map(String::as_str).collect();
        let mut expected = expected.to_vec();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
    };
    let report = document(&mx(&["ports", &port, "--json"]));
    let event = first_event(&[&port]);
    fields(&report, &REPORT);
    fields(&event, &EVENT);
    for socket in [&report["sockets"][0], &event["socket"]] {
        fields(socket, &SOCKET);
        fields(&socket["owners"][0], &OWNER);
    }
}
