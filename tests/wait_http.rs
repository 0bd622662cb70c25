//! `mx ports wait http://…` against servers that answer well, badly, late or never.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::mpsc::{Receiver, channel};

use crate::fixture::{free_port, until};
use crate::wait::{mx, start, text};

/// Answers a connection by its number and the head of its request.
type Answer = fn(usize, &str, &mut TcpStream);

/// A server on an address of this machine. It ends with the test.
struct Web {
    port: u16,
    /// The head of each request.
    requests: Receiver<String>,
}

impl Web {
    /// Answers each connection, which are numbered, in a thread of its own.
    fn new(address: &str, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (mut stream, sender) = (stream.expect("a connection"), sender.clone());
                std::thread::spawn(move || {
                    let head = head(&stream);
                    let _ = sender.send(head.clone());
                    answer(number, &head, &mut stream);
                });
            }
        });
        Self { port, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }
}

/// The lines of a request.
fn head(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

fn say(stream: &mut TcpStream, text: &str) {
    // The other end may have heard enough.
    let _ = stream.write_all(text.as_bytes());
}

/// Answers `/404` with the status 404.
fn echo_status(_: usize, head: &str, stream: &mut TcpStream) {
    let path = head.split(' ').nth(1).expect("a path");
    say(stream, &format!("HTTP/1.1 {} x\r\nContent-Length: 0\r\n\r\n", &path[1..4]));
}

#[test]
fn a_status_of_success_or_of_choice_is_up() {
    let web = Web::new("127.0.0.1:0", echo_status);
    for (path, options, status) in [
        ("/200", &[][..], 0),
        ("/204", &[], 0),
        ("/301", &[], 0),
        ("/399", &[], 0),
        ("/400", &[], 1),
        ("/404", &[], 1),
        ("/503", &[], 1),
        ("/404", &["--status", "404"], 0),
        ("/200", &["--status", "404"], 1),
        ("/301", &["--status", "200-299"], 1),
        ("/204", &["--status", "200-299"], 0),
        ("/401", &["--status", "200,400-402"], 0),
        ("/500", &["--status", "200", "--status", "500"], 0),
        ("/200", &["--status", "200", "--status", "500"], 0),
    ] {
        let url = web.url(path);
        let state = if status == 0 {
            "up".to_owned()
        } else {
            format!("it answers with status {}", &path[1..])
        };
        let expected = format!("{url}\t{state}\n");
        let output = last_words(&url, options, &expected);
        assert_eq!((output.status.code(), text(&output)), (Some(status), expected), "{options:?}");
    }
    // One that answers is not asked again.
    let asked = || web.requests.try_iter().count();
    asked();
    let never = free_port().to_string();
    let url = web.url("/200");
    let output = mx(&["ports", "wait", &url, &never, "--timeout", "500ms", "--interval", "1ms"]);
    assert!(text(&output).starts_with(&format!("{url}\tup\n")), "{output:?}");
    assert_eq!(asked(), 1);
}

/// What a short wait says in the end, or a longer one if the answer takes its time.
fn last_words(url: &str, options: &[&str], expected: &str) -> Output {
    let wait = || mx(&[&["ports", "wait", url, "--timeout", "50ms"], options].concat());
    until(wait, |output| text(output) == expected)
}

#[test]
fn the_request_is_what_a_server_needs() {
    let web = Web::new("127.0.0.1:0", echo_status);
    let url = web.url("/200/a b\u{fc}?x=1&y=\"%20Evil: yes#top");
    let output = mx(&["ports", "wait", &url, "--timeout", "20s"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let head = web.requests.recv().expect("a request");
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("GET /200/a%20b%C3%BC?x=1&y=\"%20Evil:%20yes HTTP/1.1"));
    assert_eq!(lines.next(), Some(&*format!("Host: localhost:{}", web.port)));
    assert!(lines.any(|line| line == "Connection: close"), "{head}");
    // A line break would be the beginning of a header.
    let output = mx(&["ports", "wait", &web.url("/200\r\nEvil: yes"), "--timeout", "20s"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(web.requests.try_recv().is_err());
}

#[test]
fn waits_until_the_answer_is_right() {
    fn third_time(number: usize, _: &str, stream: &mut TcpStream) {
        let status = if number < 2 { 503 } else { 200 };
        say(stream, &format!("HTTP/1.1 {status} x\r\n\r\n"));
    }
    for address in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
        let web = Web::new(address, third_time);
        let output = mx(&["ports", "wait", &web.url(""), "--timeout", "60s"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(web.requests.try_iter().count(), 3, "{address}");
    }
}

#[test]
fn failures_are_asked_less_and_less() {
    fn never(_: usize, _: &str, stream: &mut TcpStream) {
        say(stream, "HTTP/1.0 500 x\r\n\r\n");
    }
    let web = Web::new("127.0.0.1:0", never);
    let output = mx(&["ports", "wait", &web.url("/"), "--timeout", "1500ms", "--interval", "1ms"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    // At 0, 50, 150, 350, 750 and 1550 ms; not 1,500 times.
    let asked = web.requests.try_iter().count();
    assert!((1..=6).contains(&asked), "{asked}");
}

#[test]
fn an_answer_may_come_in_pieces_and_after_hints() {
    fn pieces(_: usize, _: &str, stream: &mut TcpStream) {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
                    HTTP/1.1 200 OK\r\nX: y\r\n\r\n";
        stream.set_nodelay(true).expect("an option");
        for char in text.chars() {
            say(stream, &char.to_string());
        }
    }
    let web = Web::new("127.0.0.1:0", pieces);
    let output = mx(&["ports", "wait", &web.url("/"), "--timeout", "60s"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_server_that_does_not_speak_http_is_not_up() {
    fn ssh(_: usize, _: &str, stream: &mut TcpStream) {
        say(stream, "SSH-2.0-OpenSSH_9.2\r\n");
    }
    fn close(_: usize, _: &str, _: &mut TcpStream) {}
    fn half(_: usize, _: &str, stream: &mut TcpStream) {
        say(stream, "HTTP/1.1 20");
    }
    fn endless(_: usize, _: &str, stream: &mut TcpStream) {
        while stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_ok() {}
    }
    fn silent(_: usize, _: &str, stream: &mut TcpStream) {
        // Until the other end gives up.
        let _ = std::io::Read::read(stream, &mut [0]);
    }
    let cases: [(Answer, &str); 5] = [
        (ssh, "its answer is not HTTP"),
        (close, "it closed the connection without an answer"),
        (half, "its answer was cut short"),
        (endless, "its answer does not end"),
        (silent, "no answer yet"),
    ];
    for (answer, why) in cases {
        let web = Web::new("127.0.0.1:0", answer);
        let expected = format!("{}\t{why}\n", web.url("/"));
        let output = last_words(&web.url("/"), &[], &expected);
        assert_eq!((output.status.code(), text(&output)), (Some(1), expected));
    }
}

#[test]
fn a_server_that_comes_late_is_asked_and_a_command_run() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/200");
    let mut waiting = start(&["ports", "wait", &url, "--timeout", "60s", "--", "echo", "it is up"]);
    assert!(waiting.try_wait().expect("a child").is_none());
    let _web = Web::new(&format!("127.0.0.1:{port}"), echo_status);
    let output = waiting.wait_with_output().expect("a child");
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), "it is up\n"));
}

#[test]
fn what_cannot_be_asked_is_wrong_usage_and_says_what_can() {
    for (words, said, hint) in [
        (
            &["https://localhost:8443/x"][..],
            "mx does not speak TLS",
            "localhost:8443 waits until it accepts connections",
        ),
        (&["HTTPS://db.internal/"], "mx does not speak TLS", "db.internal:443 waits until"),
        (&["http://me:secret@localhost:1/"], "it holds a user name", "--status 401"),
        (&["3000", "--status", "200"], "no URL is given", "http://localhost:3000/health"),
        (&["http://localhost:1/", "--status", "99"], "'99' as a status", "200, 200-299 or 200,404"),
        (&["http://localhost:1/", "--status", "300-200"], "'300-200' as a status", "200-299"),
        (&["http://localhost:1/", "--status", "+20"], "'+20' as a status", "200-299"),
        (&["http://localhost:1/", "--no-connect"], "without a connection", "--no-connect: ports"),
        (&["http://localhost:1/", "--udp"], "by UDP", "accepted with --udp: ports"),
        (&["http://256.1.1.1:1/"], "'256.1.1.1' is not", "accepted: 8080"),
    ] {
        let output = mx(&[&["ports", "wait", "--timeout", "0s"], words].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((output.status.code(), lines.len()), (Some(2), 2), "{words:?}: {text}");
        assert!(lines[0].contains(said) && !text.contains("secret"), "{words:?}: {text}");
        assert!(lines[1].starts_with("hint: ") && lines[1].contains(hint), "{words:?}: {text}");
    }
}
