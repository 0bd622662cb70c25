//! `mx copy` and `mx paste` against a real X server, beside xclip and xsel.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ConnectionExt, CreateWindowAux, EventMask, PropMode, SELECTION_NOTIFY_EVENT,
    SelectionNotifyEvent, SelectionRequestEvent, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use crate::cli::{MX, path};
use crate::fixture::until;

/// An X server of its own.
pub(crate) struct Server {
    child: Child,
    display: String,
    /// xsel runs nowhere without one.
    home: tempfile::TempDir,
}

impl Server {
    pub(crate) fn new() -> Self {
        let mut child = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts");
        let mut number = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut number).expect("the number of the display");
        let home = tempfile::tempdir().expect("a directory");
        Self { child, display: format!(":{}", number.trim()), home }
    }

    pub(crate) fn display(&self) -> &str {
        &self.display
    }

    fn command(&self, words: &[&str]) -> Command {
        // A copy that hangs on a pipe must not hang the tests.
        let mut command = Command::new("timeout");
        command.arg("60").args(words).env_clear().env("PATH", path()).env("DISPLAY", &self.display);
        command.env("HOME", self.home.path());
        command
    }

    fn run(&self, words: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input).expect("the program reads");
        drop(stdin);
        child.wait_with_output().expect("the program ends")
    }

    #[track_caller]
    fn copy(&self, options: &[&str], text: &[u8]) {
        let output = self.run(&[&["mx", "copy"], options].concat(), text);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }

    /// What a program prints that is to read the clipboard.
    #[track_caller]
    fn printed(&self, words: &[&str]) -> Vec<u8> {
        let output = self.run(words, b"");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output.stdout
    }

    fn owners(&self) -> Vec<Pid> {
        owners(&format!("DISPLAY={}", self.display))
    }

    fn connect(&self) -> Client {
        Client::new(&self.display)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // They notice that the server is gone.
        assert!(until(|| self.owners(), Vec::is_empty).is_empty() || std::thread::panicking());
    }
}

/// The processes of mx that have this variable: those that own a clipboard, once
/// the others have ended.
pub(crate) fn owners(variable: &str) -> Vec<Pid> {
    let mx = fs::metadata(MX).expect("mx");
    let entries = fs::read_dir("/proc").expect("processes");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let is_mx = fs::metadata(format!("/proc/{pid}/exe"))
            .is_ok_and(|exe| (exe.dev(), exe.ino()) == (mx.dev(), mx.ino()));
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        is_mx && environment.split(|&byte| byte == 0).any(|one| one == variable.as_bytes())
    })
    .filter_map(Pid::from_raw)
    .collect()
}

/// A client that asks what xclip and xsel do not.
struct Client {
    connection: RustConnection,
    window: u32,
}

impl Client {
    fn new(display: &str) -> Self {
        let (connection, screen) = x11rb::connect(Some(display)).expect("a connection");
        let window = connection.generate_id().expect("a number");
        let root = connection.setup().roots[screen].root;
        let (class, values) = (WindowClass::INPUT_ONLY, CreateWindowAux::new());
        connection.create_window(0, window, root, 0, 0, 1, 1, 0, class, 0, &values).expect("sent");
        Self { connection, window }
    }

    fn atom(&self, name: &str) -> Atom {
        let cookie = self.connection.intern_atom(false, name.as_bytes()).expect("sent");
        cookie.reply().expect("an atom").atom
    }

    /// Asks for a target; the property of the answer.
    fn convert(&self, target: &str, property: Atom) -> Atom {
        let (selection, target) = (self.atom("CLIPBOARD"), self.atom(target));
        self.connection
            .convert_selection(self.window, selection, target, property, x11rb::CURRENT_TIME)
            .expect("sent");
        self.connection.flush().expect("sent");
        loop {
            if let Event::SelectionNotify(event) = self.connection.wait_for_event().expect("one") {
                return event.property;
            }
        }
    }

    /// Answers with the list of what is offered, and refuses the rest.
    fn answer(&self, request: &SelectionRequestEvent, targets: Atom, offered: &[Atom]) {
        let SelectionRequestEvent { requestor, selection, target, time, .. } = *request;
        let is_list = target == targets;
        let property = if is_list { request.property } else { x11rb::NONE };
        if is_list {
            let (mode, kind) = (PropMode::REPLACE, AtomEnum::ATOM);
            self.connection
                .change_property32(mode, requestor, property, kind, offered)
                .expect("sent");
        }
        let response_type = SELECTION_NOTIFY_EVENT;
        let answer = SelectionNotifyEvent {
            response_type,
            sequence: 0,
            time,
            requestor,
            selection,
            target,
            property,
        };
        self.connection.send_event(false, requestor, EventMask::NO_EVENT, answer).expect("sent");
        self.connection.flush().expect("sent");
    }

    fn value32(&self, property: Atom) -> Vec<u32> {
        let cookie =
            self.connection.get_property(true, self.window, property, AtomEnum::ANY, 0, 99);
        let reply = cookie.expect("sent").reply().expect("a property");
        reply.value32().expect("numbers").collect()
    }

    fn value8(&self, property: Atom) -> Vec<u8> {
        let cookie =
            self.connection.get_property(true, self.window, property, AtomEnum::ANY, 0, 99);
        cookie.expect("sent").reply().expect("a property").value
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Bytes that no text has, in an order that no mistake keeps.
pub(crate) fn binary(length: u32) -> Vec<u8> {
    (0..length).map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

#[test]
fn text_goes_both_ways_between_mx_xclip_and_xsel() {
    let server = Server::new();
    let text = "héllo\n日本\tx".as_bytes();
    for (selection, mx, xclip, xsel) in [
        ("the clipboard", &[][..], "clipboard", "-b"),
        ("primary", &["--primary"], "primary", "-p"),
    ] {
        let paste = [&["mx", "paste"], mx].concat();
        server.copy(mx, text);
        assert_eq!(server.printed(&["xclip", "-o", "-selection", xclip]), text, "{selection}");
        assert_eq!(server.printed(&["xsel", "-o", xsel]), text, "{selection}");
        assert_eq!(server.printed(&paste), text, "{selection}");

        let shell = format!("printf xclip | xclip -selection {xclip} >/dev/null 2>&1");
        server.printed(&["sh", "-c", &shell]);
        // It takes the selection a moment after it seems to have ended, as xsel does.
        let pasted = || server.run(&paste, b"").stdout;
        assert_eq!(until(pasted, |text| text == b"xclip"), b"xclip", "{selection}");
        let shell = format!("printf xsel | xsel -i {xsel} >/dev/null 2>&1");
        server.printed(&["sh", "-c", &shell]);
        assert_eq!(until(pasted, |text| text == b"xsel"), b"xsel", "{selection}");
    }
}

#[test]
fn long_and_binary_content_arrives_whole() {
    let server = Server::new();
    // Around what fits into one request, and far beyond what can.
    for length in [65_535 * 4 - 64, 65_535 * 4 - 63, (1 << 20) + 1, 17_000_000, 100_000_000] {
        let bytes = binary(length);
        server.copy(&[], &bytes);
        assert!(server.printed(&["mx", "paste"]) == bytes, "{length} bytes, mx to mx");
        assert!(
            server.printed(&["xclip", "-o", "-selection", "clipboard"]) == bytes,
            "{length} bytes, mx to xclip"
        );
    }
    let (text, other) = (vec![b'x'; 3_000_000], vec![b'y'; 3_000_000]);
    server.copy(&[], &text);
    assert!(server.printed(&["xsel", "-o", "-b"]) == text, "mx to xsel");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    for (name, words, bytes) in [
        ("xclip", &["xclip", "-selection", "clipboard"][..], binary(20_000_000)),
        ("xsel", &["xsel", "-i", "-b"], other),
    ] {
        fs::write(&file, &bytes).expect("a file");
        let shell = format!("{} <{} >/dev/null 2>&1", words.join(" "), file.display());
        server.printed(&["sh", "-c", &shell]);
        let pasted = || server.run(&["mx", "paste"], b"").stdout;
        assert!(until(pasted, |pasted| *pasted == bytes) == bytes, "{name} to mx");
    }
}

#[test]
fn every_target_is_answered() {
    let server = Server::new();
    server.copy(&[], "naïve".as_bytes());
    let types = |options: &[&str]| {
        let printed = server.printed(&[&["mx", "paste", "--types"], options].concat());
        String::from_utf8(printed).expect("UTF-8")
    };
    assert_eq!(types(&[]), "UTF8_STRING\ntext/plain;charset=utf-8\nSTRING\n");
    let xclip = |target| server.printed(&["xclip", "-o", "-selection", "clipboard", "-t", target]);
    assert_eq!(xclip("text/plain;charset=utf-8"), "naïve".as_bytes());
    assert_eq!(xclip("STRING"), b"na\xefve", "in Latin-1");

    let client = server.connect();
    let atoms = ["ONE", "TWO", "THREE", "PAIRS"].map(|name| client.atom(name));
    let [one, two, three, pairs] = atoms;
    assert_eq!(client.convert("image/png", one), x11rb::NONE, "refused");
    assert_eq!(client.convert("TIMESTAMP", one), one);
    let time = client.value32(one);
    assert!(time.len() == 1 && time[0] != 0, "{time:?}");
    assert_eq!(
        client.convert("UTF8_STRING", x11rb::NONE),
        client.atom("UTF8_STRING"),
        "as before ICCCM"
    );
    let [text, image, stamp] =
        ["UTF8_STRING", "image/png", "TIMESTAMP"].map(|name| client.atom(name));
    let list = [text, one, image, two, stamp, three];
    let kind = client.atom("ATOM_PAIR");
    client
        .connection
        .change_property32(PropMode::REPLACE, client.window, pairs, kind, &list)
        .expect("sent");
    assert_eq!(client.convert("MULTIPLE", pairs), pairs);
    assert_eq!(client.value32(pairs), [text, one, x11rb::NONE, two, stamp, three]);
    assert_eq!((client.value8(one), client.value32(three)), ("naïve".as_bytes().to_vec(), time));

    server.copy(&["--secret"], "日本".as_bytes());
    let with_hint = "UTF8_STRING\ntext/plain;charset=utf-8\nx-kde-passwordManagerHint\n";
    assert_eq!(types(&[]), with_hint, "no Latin-1");
    assert_eq!(xclip("x-kde-passwordManagerHint"), b"secret");
    let [owner] = server.owners()[..] else { panic!("one owner") };
    let limits = fs::read_to_string(format!("/proc/{}/limits", owner.as_raw_nonzero()));
    let core =
        limits.expect("limits").lines().find(|line| line.contains("core")).map(str::to_owned);
    assert!(core.is_some_and(|line| line.contains(" 0 ")), "no core dump of a secret");
}

#[test]
fn documents_say_what_was_copied_and_pasted() {
    let server = Server::new();
    let json = |words: &[&str], input: &[u8]| -> serde_json::Value {
        serde_json::from_slice(&server.run(words, input).stdout).expect("a document")
    };
    let types = ["UTF8_STRING", "text/plain;charset=utf-8", "STRING"];
    assert_eq!(
        json(&["mx", "copy", "--json"], b"hello"),
        serde_json::json!({"schema": "mx.clipboard/1", "via": "x11", "verified": true, "bytes": 5,
            "types": types, "notes": []})
    );
    assert_eq!(
        json(&["mx", "paste", "--json"], b""),
        serde_json::json!({"schema": "mx.clipboard/1", "via": "x11", "verified": true, "bytes": 5,
            "types": types, "text": "hello"})
    );
    server.copy(&[], b"\xff\x00");
    assert_eq!(json(&["mx", "paste", "--json"], b"")["text"], serde_json::Value::Null);
    assert_eq!(json(&["mx", "paste", "--json", "--types"], b"")["bytes"], serde_json::Value::Null);
}

#[test]
fn nothing_on_the_clipboard_is_told_apart_from_no_text() {
    let server = Server::new();
    let output = server.run(&["mx", "paste"], b"");
    assert_eq!(said(&output), "mx: cannot paste: nothing is on the clipboard\n");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(server.run(&["mx", "paste", "--types"], b"").status.code(), Some(1));
    let client = server.connect();
    let (selection, targets) = (client.atom("CLIPBOARD"), client.atom("TARGETS"));
    let offered = [targets, client.atom("image/png")];
    client
        .connection
        .set_selection_owner(client.window, selection, x11rb::CURRENT_TIME)
        .expect("sent");
    client.connection.flush().expect("sent");
    // It ends with the server.
    std::thread::spawn(move || {
        while let Ok(event) = client.connection.wait_for_event() {
            let Event::SelectionRequest(request) = event else { continue };
            client.answer(&request, targets, &offered);
        }
    });
    let output = server.run(&["mx", "paste"], b"");
    assert_eq!(said(&output), "mx: cannot paste: the clipboard holds no text, but image/png\n");
    assert_eq!(output.status.code(), Some(1));
    // Nothing to copy leaves what is there.
    assert_eq!(server.run(&["mx", "copy"], b"").status.code(), Some(1));
    assert_eq!(server.printed(&["mx", "paste", "--types"]), b"image/png\n");
}

#[test]
fn a_server_that_is_not_there() {
    let mx = |words: &[&str]| {
        let mut command = Command::new(MX);
        command.args(words).env_clear().env("DISPLAY", ":9999").stdin(Stdio::null());
        command.output().expect("mx runs")
    };
    for (words, doing) in [(&["copy", "/etc/passwd"][..], "copy"), (&["paste"], "paste")] {
        let output = mx(words);
        let text = format!(
            "mx: cannot {doing}: no clipboard is reachable: wayland: WAYLAND_DISPLAY is not set; \
             x11: cannot connect: "
        );
        assert!(said(&output).starts_with(&text), "{output:?}");
        assert_eq!(output.status.code(), Some(3));
    }
}

#[test]
fn the_owner_keeps_nothing_of_its_caller() {
    let server = Server::new();
    let directory = tempfile::tempdir().expect("a directory");
    let lock = directory.path().join("lock").to_string_lossy().into_owned();
    // A substitution that waits for its output, a lock that is inherited, a pipe as error output.
    let script = "x=$(echo hi | mx copy --json 2>&1 | tail -c 4); echo \"$x\"
        exec 9>\"$0\"; flock 9; echo locked | mx copy -q; exec 9>&-
        flock --nonblock \"$0\" echo free";
    let printed = server.printed(&["bash", "-c", script, &lock]);
    assert_eq!(String::from_utf8_lossy(&printed), "[]}\nfree\n");
    assert_eq!(server.printed(&["mx", "paste"]), b"locked\n");
    let [owner] = server.owners()[..] else { panic!("one owner") };
    let process = format!("/proc/{}", owner.as_raw_nonzero());
    let link = |name: &str| {
        fs::read_link(format!("{process}/{name}")).expect("a link").to_string_lossy().into_owned()
    };
    assert_eq!(link("cwd"), "/");
    assert_eq!(["fd/0", "fd/1", "fd/2"].map(link), ["/dev/null"; 3]);
    let open = fs::read_dir(format!("{process}/fd")).expect("descriptors");
    let open: Vec<String> =
        open.map(|entry| entry.expect("one").file_name().to_string_lossy().into_owned()).collect();
    let others: Vec<String> = open
        .iter()
        .filter(|name| name.parse::<u32>().is_ok_and(|number| number > 2))
        .map(|name| link(&format!("fd/{name}")))
        .collect();
    assert!(matches!(&others[..], [one] if one.starts_with("socket:")), "{others:?}");
    let stat = fs::read_to_string(format!("{process}/stat")).expect("its state");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    assert_eq!(fields[3], owner.as_raw_nonzero().to_string(), "a session of its own");
    assert_eq!(fields[4], "0", "no terminal");
}

#[test]
fn the_owner_ends_when_something_else_is_copied() {
    let server = Server::new();
    server.copy(&[], b"one");
    let first = server.owners();
    server.copy(&["--primary"], b"two");
    assert_eq!(server.owners().len(), 2, "one for each selection");
    server.copy(&[], b"three");
    let left = until(|| server.owners(), |owners| owners.len() == 2);
    assert!(left.len() == 2 && !left.contains(&first[0]), "{left:?}, not {first:?}");
    assert_eq!(server.printed(&["mx", "paste"]), b"three");
    assert_eq!(server.printed(&["mx", "paste", "--primary"]), b"two");
}

#[test]
fn a_paste_that_has_begun_ends_with_what_it_began() {
    let server = Server::new();
    let bytes = binary(30_000_000);
    server.copy(&[], &bytes);
    // It rests as soon as nobody reads what it prints.
    let mut command = server.command(&["mx", "paste"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("mx starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut pasted = vec![0; 1000];
    stdout.read_exact(&mut pasted).expect("bytes");
    server.copy(&[], b"something else");
    assert_eq!(server.owners().len(), 3, "the old owner, the paste, and the new owner");
    stdout.read_to_end(&mut pasted).expect("the rest");
    assert!(pasted == bytes && child.wait().expect("a child").success());
    let left = until(|| server.owners(), |owners| owners.len() == 1);
    assert_eq!(left.len(), 1, "the old owner has ended");
    assert_eq!(server.printed(&["mx", "paste"]), b"something else");
}

#[test]
fn a_paste_that_is_killed_leaves_the_owner_as_it_was() {
    let server = Server::new();
    let bytes = binary(30_000_000);
    server.copy(&[], &bytes);
    let owner = server.owners();
    for _ in 0..3 {
        let mut command = Command::new(MX);
        command.arg("paste").env_clear().env("DISPLAY", &server.display);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("mx starts");
        let mut first = [0];
        child.stdout.take().expect("a pipe").read_exact(&mut first).expect("a byte");
        child.kill().expect("a child");
        child.wait().expect("a child");
    }
    assert!(server.printed(&["mx", "paste"]) == bytes, "it still answers");
    assert_eq!(server.owners(), owner);
    server.copy(&[], b"next");
    let left = until(|| server.owners(), |owners| owners.len() == 1);
    assert!(left.len() == 1 && left != owner, "no transfer keeps it: {left:?}");
}

#[test]
fn an_owner_that_does_not_answer_is_not_waited_for() {
    let server = Server::new();
    server.copy(&[], b"hello");
    let [owner] = server.owners()[..] else { panic!("one owner") };
    kill_process(owner, Signal::STOP).expect("a process");
    let start = Instant::now();
    let output = server.run(&["mx", "paste"], b"");
    let waited = start.elapsed();
    let document = server.run(&["mx", "paste", "--json", "--timeout", "300ms"], b"");
    let types = server.run(&["mx", "paste", "--types", "--timeout", "300ms"], b"");
    kill_process(owner, Signal::CONT).expect("a process");
    assert_eq!(
        said(&output),
        "mx: cannot read the clipboard: its owner has not answered for 1.5 s\n\
         hint: --timeout 10s waits longer\n"
    );
    assert_eq!(output.status.code(), Some(3));
    assert!(waited >= Duration::from_millis(1500), "{waited:?}");
    for output in [document, types] {
        let text = "mx: cannot read the clipboard: its owner has not answered for 0.3 s\n";
        assert!(said(&output).starts_with(text), "{output:?}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
    }
    assert_eq!(server.printed(&["mx", "paste"]), b"hello");
}

#[test]
fn an_owner_that_rests_in_the_middle_of_its_answer() {
    let server = Server::new();
    server.copy(&[], &binary(60_000_000));
    let [owner] = server.owners()[..] else { panic!("one owner") };
    let mut command = server.command(&["mx", "paste", "--timeout", "300ms"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("mx starts");
    let mut first = vec![0; 1000];
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut first).expect("bytes");
    kill_process(owner, Signal::STOP).expect("a process");
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).expect("what came");
    let output = child.wait_with_output().expect("mx ends");
    kill_process(owner, Signal::CONT).expect("a process");
    assert!(rest.len() < 59_000_000, "it was stopped in time");
    let text = "mx: cannot read the clipboard: its owner has not answered for 0.3 s\n";
    assert!(said(&output).starts_with(text), "{output:?}");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn an_image_is_no_text_whatever_its_owner_answers() {
    let server = Server::new();
    // xclip gives what it has under any name that it is asked for.
    let shell = "printf PNG | xclip -selection clipboard -t image/png >/dev/null 2>&1";
    server.printed(&["sh", "-c", shell]);
    let types = || server.run(&["mx", "paste", "--types"], b"").stdout;
    assert_eq!(until(types, |types| types == b"image/png\n"), b"image/png\n");
    for options in [&[][..], &["--json"]] {
        let output = server.run(&[&["mx", "paste"], options].concat(), b"");
        assert_eq!(said(&output), "mx: cannot paste: the clipboard holds no text, but image/png\n");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    }
    // Text of another kind is text.
    for kind in ["text/html", "text/uri-list", "COMPOUND_TEXT"] {
        let shell = format!("printf {kind} | xclip -selection clipboard -t {kind} >/dev/null 2>&1");
        server.printed(&["sh", "-c", &shell]);
        let pasted = || server.run(&["mx", "paste"], b"").stdout;
        assert_eq!(until(pasted, |text| text == kind.as_bytes()), kind.as_bytes());
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let server = Server::new();
    server.copy(&[], &binary(3_000_000));
    let script = "set -o pipefail; mx paste | head -c 3 | wc -c";
    assert_eq!(server.printed(&["bash", "-c", script]).trim_ascii(), b"3");
}
