//! `mx ports wait` against servers that come and go.

use std::cell::RefCell;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use ports::wait::{Waiter, Wish};
use serde_json::Value;

use crate::cli::MX;
#[cfg(target_os = "linux")]
use crate::fixture::hex;
use crate::fixture::{Fixture, free_port, until};
#[cfg(target_os = "linux")]
use crate::namespace::inside;

pub(crate) fn mx(arguments: &[&str]) -> Output {
    Command::new(MX).args(arguments).output().expect("mx runs")
}

pub(crate) fn start(arguments: &[&str]) -> Child {
    Command::new(MX)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mx runs")
}

pub(crate) fn text(output: &Output) -> String {
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
    for words in [&[&port, "--timeout", "50ms"][..], &[&port, "--timeout", "50ms", "--no-connect"]]
    {
        let output = mx(&[&["ports", "wait"], words].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
    let server = Fixture::new("tcp 127.0.0.1:0");
    let output = mx(&["ports", "wait", &server.port(0).to_string(), "--timeout", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn tcp_is_up_only_by_tcp() {
    let server = Fixture::new("udp 127.0.0.1:0\nudp [::1]:0\nudp [::]:0");
    let [v4, v6, both] = [0, 1, 2].map(|index| server.port(index));
    let status =
        |words: &[&str]| mx(&[&["ports", "wait", "--timeout", "0s"], words].concat()).status.code();
    for text in
        [v4.to_string(), format!("localhost:{v4}"), format!("[::1]:{v6}"), format!("{both}-{both}")]
    {
        let output = mx(&["ports", "wait", &text, "--timeout", "0s", "--json"]);
        assert_eq!(output.status.code(), Some(1), "{text}: {output:?}");
        let waited: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let found = (&waited["schema"], &waited["reached"], &waited["selectors"][0]["missing"]);
        assert_eq!(
            found,
            (&"mx.ports-wait/1".into(), &false.into(), &"nothing serves it".into()),
            "{text}"
        );
        assert_eq!(status(&[&text, "--tcp"]), Some(1), "{text}");
        assert_eq!(status(&[&text, "--udp"]), Some(0), "{text}");
        // Both flags ask for both.
        assert_eq!(status(&[&text, "--tcp", "--udp"]), Some(1), "{text}");
    }
    // The scheme of a URL names TCP, a suffix either.
    let url = format!("postgres://localhost:{both}/x");
    assert_eq!((status(&[&url]), status(&[&url, "--udp"])), (Some(1), Some(2)));
    let (by_tcp, by_udp) = (format!("{v4}/tcp"), format!("udp:{v4}"));
    assert_eq!((status(&[&by_tcp]), status(&[&by_udp])), (Some(1), Some(0)));
    assert_eq!(status(&[&by_udp, "--tcp"]), Some(2));
    let _tcp = Fixture::new(&format!("tcp 127.0.0.1:{v4}"));
    assert_eq!(status(&[&v4.to_string(), "--tcp", "--udp"]), Some(0));
    assert_eq!(status(&[&v4.to_string()]), Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_is_up_only_by_tcp() {
    // Outside, a socket whose owner cannot be seen leaves it open.
    if !inside("wait::a_process_is_up_only_by_tcp") {
        return;
    }
    let name = format!("mxw{}", std::process::id());
    let instructions = |kind: &str| format!("{kind} 127.0.0.1:0\nname {}", hex(name.as_bytes()));
    let status = |words: &[&str]| {
        mx(&[&["ports", "wait", &name, "--timeout", "0s"], words].concat()).status.code()
    };
    let udp = Fixture::new(&instructions("udp"));
    assert_eq!((status(&["--udp"]), status(&[])), (Some(0), Some(1)));
    drop(udp);
    let _tcp = Fixture::new(&instructions("tcp"));
    assert_eq!((status(&["--udp"]), status(&[])), (Some(1), Some(0)));
}

/// Accepts every connection that waits, and counts them.
fn accepted(listener: &TcpListener) -> usize {
    listener.set_nonblocking(true).expect("an option");
    std::iter::from_fn(|| listener.accept().ok()).count()
}

#[test]
fn a_healthy_server_is_connected_to_once() {
    let never = free_port().to_string();
    let dual = || TcpListener::bind("[::]:0").expect("a listener");
    let loopback = |address| TcpListener::bind((address, 0)).expect("a listener");
    // A socket of both families is asked on each, once.
    for (listener, host, expected) in [
        (loopback("127.0.0.1"), "", 1),
        (loopback("0.0.0.0"), "127.0.0.1:", 1),
        (loopback("::1"), "localhost:", 1),
        (dual(), "", 2),
    ] {
        let port = listener.local_addr().expect("an address").port();
        let target = format!("{host}{port}");
        let words = ["ports", "wait", &target, &never, "--timeout", "400ms", "--interval", "1ms"];
        let output = mx(&words);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output).starts_with(&format!("{target}\tup\n")), "{output:?}");
        assert_eq!(accepted(&listener), expected, "{target}");
        // Without a connection it is up, too.
        let output = mx(&["ports", "wait", &target, "--no-connect", "--timeout", "0s"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(accepted(&listener), 0, "{target}");
    }
}

#[test]
fn a_server_that_takes_one_connection_is_not_used_up_without_one() {
    for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
        let listener = TcpListener::bind(address).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let target = if address.starts_with('[') {
            format!("[::1]:{port}")
        } else {
            format!("127.0.0.1:{port}")
        };
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            drop(listener);
            std::io::Write::write_all(&mut stream, b"the only answer").expect("written");
        });
        for _ in 0..3 {
            let output = mx(&["ports", "wait", &target, "--no-connect", "--timeout", "5s"]);
            assert_eq!(output.status.code(), Some(0), "{output:?}");
        }
        let mut client = TcpStream::connect(&target).expect("it still listens");
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut client, &mut answer).expect("an answer");
        assert_eq!(answer, "the only answer");
        server.join().expect("it has served");
    }
}

#[test]
fn what_appears_is_tried_at_once_and_another_server_again() {
    let port = free_port();
    let targets = vec![port.to_string().parse().expect("a target")];
    let waiter = RefCell::new(Waiter::new(targets, Wish::up()));
    let look = || waiter.borrow_mut().look(Duration::MAX).expect("a look")[0].missing.clone();
    for _ in 0..20 {
        assert_eq!(look().as_deref(), Some("nothing serves it"));
    }
    for _ in 0..3 {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
        // The first look at a socket connects; the kernel accepts at once.
        for _ in 0..20 {
            assert_eq!(look(), None);
        }
        assert_eq!(accepted(&listener), 1);
        drop(listener);
        // A process that another test starts may have a copy for a moment.
        let missing = until(look, Option::is_some);
        assert_eq!(missing.as_deref(), Some("nothing serves it"));
    }
}

#[test]
fn a_command_is_run_once_all_are_up_and_its_status_is_passed_on() {
    let server = Fixture::new("tcp 127.0.0.1:0\ntcp [::1]:0");
    let (one, two) = (server.port(0).to_string(), server.port(1).to_string());
    let run = |command: &[&str]| {
        mx(&[&["ports", "wait", &one, &two, "--timeout", "20s", "--"], command].concat())
    };
    let output = run(&["sh", "-c", "echo \"$@\"; echo error >&2; exit 7", "sh", "--json", "-x"]);
    // Nothing but what the command says.
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(7), "--json -x\n"));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "error\n");
    assert_eq!(run(&["true"]).status.code(), Some(0));
    assert_eq!(run(&["sh", "-c", "kill -TERM $$"]).status.signal(), Some(15));
    for (command, status, why) in
        [("/etc/passwd", 126, "Permission denied"), ("no-such-command", 127, "No such file")]
    {
        let output = run(&[command]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(said.starts_with(&format!("mx: cannot run '{command}': {why}")), "{said}");
    }
    let mut piped = start(&["ports", "wait", &one, "--", "tr", "a-z", "A-Z"]);
    let mut input = piped.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, b"whole input\n").expect("written");
    drop(input);
    assert_eq!(text(&piped.wait_with_output().expect("a child")), "WHOLE INPUT\n");
}

#[test]
fn a_command_is_not_run_before_or_without_the_goal() {
    let directory = tempfile::tempdir().expect("a directory");
    let mark = directory.path().join("run").to_string_lossy().into_owned();
    let port = free_port();
    let words = ["ports", "wait", &port.to_string(), "--", "touch", &mark];
    for format in ["--plain", "--json"] {
        let output = mx(&[&words[..3], &["--timeout", "30ms", format], &words[3..]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(1), ""), "{said}");
        assert_eq!(
            said,
            format!("mx: not in time, 'touch' is not run: {port}: nothing serves it\n")
        );
        assert!(!std::path::Path::new(&mark).exists());
    }
    let mut waiting = start(&[&words[..3], &["--timeout", "60s"], &words[3..]].concat());
    assert!(waiting.try_wait().expect("a child").is_none());
    assert!(!std::path::Path::new(&mark).exists());
    let _server = Fixture::new(&format!("tcp 127.0.0.1:{port}"));
    assert!(waiting.wait().expect("a child").success());
    assert!(std::path::Path::new(&mark).exists());
    // As well once it is free.
    let port = free_port().to_string();
    let output = mx(&["ports", "wait", "--free", &port, "--", "echo", "free"]);
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), "free\n"), "{output:?}");
}
