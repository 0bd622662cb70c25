//! `mx copy` and `mx paste` where what is asked never answers: sockets that
//! accept and say nothing, servers that are stopped, terminals that nobody reads.
//!
//! Where the time matters to a person the tests look at what mx says of it: a
//! busy machine may take longer for everything else.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use portable_pty::{Child, CommandBuilder, ExitStatus, PtyPair, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::cli::{MX, path};
use crate::fixture::until;
use crate::wayland::Sway;
use crate::x11::{Server, owners, said};

/// A socket whose server accepts connections, keeps them and says nothing.
struct Mute {
    directory: TempDir,
}

impl Mute {
    fn new() -> Self {
        Self::with(|stream| drop(stream.set_read_timeout(None)))
    }

    /// After it has done this with each connection.
    fn with(greet: impl Fn(&mut UnixStream) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("socket")).expect("a socket");
        thread::spawn(move || {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept() {
                greet(&mut stream);
                kept.push(stream);
            }
        });
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("socket")
    }
}

fn mx(words: &[&str], variables: &[(&str, &Path)]) -> Output {
    let mut command = Command::new("timeout");
    command.arg("60").arg(MX).args(words).env_clear().env("PATH", path());
    command.envs(variables.iter().copied()).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("mx starts");
    // It may refuse before it reads.
    let _ = child.stdin.take().expect("a pipe").write_all(b"hello");
    child.wait_with_output().expect("mx ends")
}

const EVERY: [&[&str]; 4] = [&["copy"], &["paste"], &["paste", "--types"], &["paste", "--json"]];

#[test]
fn a_server_that_accepts_and_says_nothing() {
    let mute = Mute::new();
    for (variable, way, who) in
        [("DISPLAY", "x11", "the X server"), ("WAYLAND_DISPLAY", "wayland", "the compositor")]
    {
        for words in EVERY {
            let words = [words, &["--timeout", "300ms"]].concat();
            let output = mx(&words, &[(variable, &mute.path())]);
            let text = format!("{way}: {who} has not answered for 0.3 s");
            assert!(said(&output).contains(&text), "{words:?}: {output:?}");
            assert!(said(&output).contains("hint: --timeout 10s waits longer"), "{output:?}");
            assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{words:?}");
        }
    }
    let output = mx(&["paste"], &[("DISPLAY", &mute.path())]);
    assert!(said(&output).contains("the X server has not answered for 1.5 s"), "{output:?}");
}

#[test]
fn a_server_over_the_network_that_accepts_and_says_nothing() {
    // The port of a display is 6000 and its number.
    let bound = (200..20_000_u16).find_map(|number| {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 6000 + number)).ok()?;
        Some((listener, format!("127.0.0.1:{number}")))
    });
    let (_listener, display) = bound.expect("a free port");
    for words in EVERY {
        let words = [words, &["--timeout", "300ms"]].concat();
        let output = mx(&words, &[("DISPLAY", Path::new(&display))]);
        let text = "x11: the X server has not answered for 0.3 s";
        assert!(said(&output).contains(text), "{words:?}: {output:?}");
        assert_eq!(output.status.code(), Some(3));
    }
}

#[test]
fn several_that_are_silent_share_the_time() {
    let mute = Mute::new();
    let silent: [(&str, &Path); 2] = [("DISPLAY", &mute.path()), ("WAYLAND_DISPLAY", &mute.path())];
    for words in [&["copy"], &["paste"]] {
        let output = mx(&[&words[..], &["--timeout", "800ms"]].concat(), &silent);
        for text in [
            "wayland: the compositor has not answered for 0.4 s; ",
            // What the first one left.
            "x11: the X server has not answered for 0.",
        ] {
            assert!(said(&output).contains(text), "{output:?}");
        }
    }
    // One that is silent does not keep mx from one that answers.
    let server = Server::new();
    let display = PathBuf::from(server.display());
    let both: [(&str, &Path); 2] = [("DISPLAY", &display), ("WAYLAND_DISPLAY", &mute.path())];
    let output = mx(&["copy", "--json", "--timeout", "1s"], &both);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["via"], "x11");
    let note = "wayland was passed over: the compositor has not answered for 0.5 s";
    assert_eq!(document["notes"][0], note);
    assert_eq!(mx(&["paste", "--timeout", "1s"], &both).stdout, b"hello");
}

#[test]
fn a_server_that_has_no_room_for_one_more() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("socket");
    // Nobody accepts, and one may wait.
    let family = rustix::net::AddressFamily::UNIX;
    let listener = rustix::net::socket(family, rustix::net::SocketType::STREAM, None);
    let listener = listener.expect("a socket");
    let address = rustix::net::SocketAddrUnix::new(socket.as_path()).expect("a path");
    rustix::net::bind(&listener, &address).expect("a free path");
    rustix::net::listen(&listener, 0).expect("a listener");
    let _waits = UnixStream::connect(&socket).expect("a connection");
    for variable in ["DISPLAY", "WAYLAND_DISPLAY"] {
        for words in EVERY {
            let words = [words, &["--timeout", "300ms"]].concat();
            let output = mx(&words, &[(variable, &socket)]);
            assert!(said(&output).contains(" has not answered for 0.3 s"), "{output:?}");
            assert_eq!(output.status.code(), Some(3));
        }
    }
}

/// Hands what a client says to the real server at this path, and back of its
/// answers the first one only.
fn only_the_first_answer(server: &Path) -> impl Fn(&mut UnixStream) + use<> {
    let server = server.to_owned();
    move |client| {
        let mut server = UnixStream::connect(&server).expect("the server");
        let mut to_server = server.try_clone().expect("a stream");
        let mut from_client = client.try_clone().expect("a stream");
        thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
        // Its length, in words, is at byte 6 (X11 protocol, connection setup).
        let mut answer = vec![0; 8];
        server.read_exact(&mut answer).expect("an answer");
        let words = u16::from_ne_bytes([answer[6], answer[7]]);
        answer.resize(8 + usize::from(words) * 4, 0);
        server.read_exact(&mut answer[8..]).expect("an answer");
        client.write_all(&answer).expect("the client reads");
        // The rest is swallowed.
        thread::spawn(move || std::io::copy(&mut server, &mut std::io::sink()));
    }
}

#[test]
fn an_x_server_that_falls_silent_after_the_greeting() {
    let server = Server::new();
    let number = server.display().trim_start_matches(':').to_owned();
    let socket = PathBuf::from(format!("/tmp/.X11-unix/X{number}"));
    let mute = Mute::with(only_the_first_answer(&socket));
    for words in EVERY {
        let words = [words, &["--timeout", "300ms"]].concat();
        let output = mx(&words, &[("DISPLAY", &mute.path())]);
        let text = "mx: cannot talk to the X server: it has not answered for 0.3 s";
        assert!(said(&output).starts_with(text), "{words:?}: {output:?}");
        assert_eq!(output.status.code(), Some(3));
    }
}

/// Plays a compositor that lists what it has, and no more.
fn greet_as_compositor(client: &mut UnixStream) {
    // Wire format: object, then length and opcode in one word, then arguments.
    fn event(object: u32, opcode: u32, arguments: &[u8]) -> Vec<u8> {
        let length = u32::try_from(8 + arguments.len()).expect("a short event");
        let header = [object, length << 16 | opcode].map(u32::to_ne_bytes).concat();
        [&header, arguments].concat()
    }

    fn global(name: u32, interface: &str) -> Vec<u8> {
        let mut text = interface.as_bytes().to_vec();
        text.push(0);
        let length = u32::try_from(text.len()).expect("a short name");
        text.resize(text.len().next_multiple_of(4), 0);
        let (name, length, version) =
            (name.to_ne_bytes(), length.to_ne_bytes(), 1_u32.to_ne_bytes());
        event(2, 0, &[&name[..], &length, &text, &version].concat())
    }

    // The registry is the first object of a client after the display, 1, and the
    // callback of its wl_display.sync the next.
    let mut asked = [0; 24];
    client.read_exact(&mut asked).expect("two requests");
    let globals = [global(1, "wl_seat"), global(2, "ext_data_control_manager_v1")].concat();
    let done = event(3, 0, &[0; 4]);
    client.write_all(&[globals, done].concat()).expect("the client reads");
}

#[test]
fn a_compositor_that_falls_silent_after_the_greeting() {
    let mute = Mute::with(greet_as_compositor);
    for words in EVERY {
        let words = [words, &["--timeout", "300ms"]].concat();
        let output = mx(&words, &[("WAYLAND_DISPLAY", &mute.path())]);
        let text = "wayland: the compositor has not answered for 0.3 s";
        assert!(said(&output).contains(text), "{words:?}: {output:?}");
        assert_eq!(output.status.code(), Some(3));
    }
}

#[test]
fn a_stopped_compositor_and_a_stopped_owner_on_wayland() {
    let sway = Sway::new();
    sway.copy(&[], b"hello");
    let [owner] = sway.owners()[..] else { panic!("one owner") };
    let short = ["--timeout", "300ms"];
    kill_process(owner, Signal::STOP).expect("a process");
    let output = sway.run(&[&["mx", "paste"], &short[..]].concat(), b"");
    kill_process(owner, Signal::CONT).expect("a process");
    let text = "mx: cannot read the clipboard: its owner has not answered for 0.3 s\n";
    assert!(said(&output).starts_with(text), "{output:?}");
    assert_eq!(output.status.code(), Some(3));

    let compositor = sway.pid();
    kill_process(compositor, Signal::STOP).expect("a process");
    let outputs = EVERY.map(|words| sway.run(&[&["mx"], words, &short[..]].concat(), b"other"));
    kill_process(compositor, Signal::CONT).expect("a process");
    for output in outputs {
        let text = "wayland: the compositor has not answered for 0.3 s";
        assert!(said(&output).contains(text), "{output:?}");
        assert_eq!(output.status.code(), Some(3));
    }
    assert_eq!(sway.printed(&["mx", "paste"]), b"hello", "what was given up never came");
    assert_eq!(until(|| sway.owners(), |owners| owners.len() == 1), [owner]);
}

#[test]
fn a_copy_that_is_ended_takes_its_owner_along() {
    let mute = Mute::new();
    let variable = format!("DISPLAY={}", mute.path().display());
    let mut command = Command::new(MX);
    command.args(["copy", "--timeout", "1h", "/etc/passwd"]).env_clear();
    let mut child = command.env("DISPLAY", mute.path()).spawn().expect("mx starts");
    let both = until(|| owners(&variable), |owners| owners.len() == 2);
    assert_eq!(both.len(), 2, "mx, and the owner that is to be");
    let parent = Pid::from_child(&child);
    kill_process(parent, Signal::TERM).expect("a process");
    child.wait().expect("a child");
    assert_eq!(until(|| owners(&variable), Vec::is_empty), []);
}

#[test]
fn what_fails_beside_the_compositor_is_not_its_fault() {
    let sway = Sway::new();
    sway.copy(&[], b"hello");
    let mut complaints = Vec::new();
    for files in 3..12 {
        let script = format!("ulimit -n {files}; exec mx paste");
        let output = sway.run(&["sh", "-c", &script], b"");
        if !output.status.success() {
            complaints.push(said(&output));
        }
    }
    let is_pipe = |text: &String| text.starts_with("mx: cannot make a pipe: Too many open files");
    assert!(complaints.iter().any(is_pipe), "{complaints:?}");
    for complaint in complaints.iter().filter(|text| text.contains("Too many open files")) {
        assert!(!complaint.contains("talk to the compositor"), "{complaint}");
    }
    let output = sway.run(&["sh", "-c", "mx paste >/dev/full"], b"");
    let text = "mx: cannot write the answer: No space left on device";
    assert!(said(&output).starts_with(text), "{output:?}");
}

/// A real tmux with a server of its own, which is stopped.
struct StoppedTmux {
    directory: TempDir,
    socket: PathBuf,
    server: Pid,
}

impl StoppedTmux {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let tmux = |words: &[&str]| {
            let mut command = Command::new("tmux");
            command.args(words).env_clear().env("PATH", path());
            command.env("TMUX_TMPDIR", directory.path()).output().expect("tmux runs")
        };
        let started = tmux(&["-f", "/dev/null", "new-session", "-d", "sh"]);
        assert!(started.status.success(), "{started:?}");
        let shown = tmux(&["display-message", "-p", "#{pid} #{socket_path},#{pid},0"]);
        let shown = String::from_utf8_lossy(&shown.stdout).trim().to_owned();
        let (pid, socket) = shown.split_once(' ').expect("both");
        let server = Pid::from_raw(pid.parse().expect("a number")).expect("a process");
        kill_process(server, Signal::STOP).expect("a process");
        Self { socket: socket.into(), server, directory }
    }
}

impl Drop for StoppedTmux {
    fn drop(&mut self) {
        let _ = kill_process(self.server, Signal::KILL);
        let _ = self.directory.path();
    }
}

#[test]
fn a_stopped_tmux() {
    let tmux = StoppedTmux::new();
    let variables: [(&str, &Path); 1] = [("TMUX", &tmux.socket)];
    for words in EVERY {
        for via in [&["--via", "tmux"][..], &[]] {
            let words = [words, via, &["--timeout", "300ms"]].concat();
            let output = mx(&words, &variables);
            let text = "tmux: tmux has not answered for 0.3 s";
            assert!(said(&output).contains(text), "{words:?}: {output:?}");
            assert!(said(&output).contains("hint: --timeout"), "{output:?}");
            assert_eq!(output.status.code(), Some(3));
        }
    }
    // With a desktop, tmux would be asked which is nearer.
    let server = Server::new();
    let display = PathBuf::from(server.display());
    let variables: [(&str, &Path); 2] = [("TMUX", &tmux.socket), ("DISPLAY", &display)];
    let output = mx(&["copy", "--timeout", "600ms"], &variables);
    assert_eq!(said(&output), "mx: copied 5 bytes\n");
    assert_eq!(mx(&["paste", "--timeout", "600ms"], &variables).stdout, b"hello");
}

#[test]
fn tmux_is_asked_only_where_it_matters() {
    let server = Server::new();
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    let tool = directory.path().join("tmux");
    let script = format!("#!/bin/sh\necho \"$1\" >>{}\nexit 1\n", log.display());
    fs::write(&tool, script).expect("a file");
    fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a mode");
    let asked = |words: &[&str], variables: &[(&str, &str)]| {
        let _ = fs::remove_file(&log);
        let search = format!("{}:{}", directory.path().display(), path());
        let mut command = Command::new(MX);
        command.args(words).arg("-q").env_clear().env("PATH", search).env("TMUX", "/x,1,0");
        command.envs(variables.iter().copied()).stdin(Stdio::null());
        command.output().expect("mx runs");
        fs::read_to_string(&log).unwrap_or_default()
    };
    let display = [("DISPLAY", server.display())];
    let file = "/etc/passwd";
    assert_eq!(asked(&["copy", file, "--via", "x11"], &display), "");
    assert_eq!(asked(&["paste", "--via", "x11"], &display), "");
    assert_eq!(asked(&["copy", file, "--primary"], &display), "", "tmux has none");
    assert_eq!(asked(&["copy", file, "--via", "osc52"], &display), "");
    assert_eq!(asked(&["paste"], &[]), "save-buffer\n", "there is no other way");
    assert_eq!(asked(&["copy", file], &display), "show-environment\n");
}

/// mx in a terminal of which only the first bytes are read.
struct Resting {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    // What is closed, or gone, would end mx.
    _kept: (PtyPair, Box<dyn Read + Send>, TempDir),
}

impl Resting {
    fn new(timeout: &str) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        fs::write(&file, vec![b'x'; 700_000]).expect("a file");
        let mut command = CommandBuilder::new(MX);
        command.args(["copy", "--via", "osc52", "--timeout", timeout]);
        command.arg(&file);
        command.env_clear();
        command.env("TERM", "xterm");
        let child = pair.slave.spawn_command(command).expect("mx starts");
        let mut first = [0; 5];
        let mut reader = pair.master.try_clone_reader().expect("its output");
        reader.read_exact(&mut first).expect("bytes");
        assert_eq!(&first, b"\x1b]52;", "it has begun");
        let writer = pair.master.take_writer().expect("its input");
        Self { child, writer, _kept: (pair, reader, directory) }
    }

    fn end(&mut self) -> ExitStatus {
        self.child.wait().expect("a child")
    }
}

#[test]
fn a_terminal_that_takes_nothing_is_given_up() {
    // What it says of it cannot be seen here, either.
    assert_eq!(Resting::new("300ms").end().exit_code(), 3);
}

#[test]
fn a_terminal_that_takes_nothing_and_a_person_who_gives_up() {
    let mut terminal = Resting::new("1h");
    terminal.writer.write_all(b"\x03").expect("the terminal takes it");
    assert_eq!(terminal.end().signal(), Some("Interrupt"));
    let mut terminal = Resting::new("1h");
    let pid = terminal.child.process_id().expect("a process");
    let pid = Pid::from_raw(pid.try_into().expect("a number")).expect("a process");
    kill_process(pid, Signal::TERM).expect("a process");
    assert_eq!(terminal.end().signal(), Some("Terminated"));
}
