//! `mx copy` and `mx paste` against a real compositor, beside wl-copy and wl-paste.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::chown;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, geteuid};
use tempfile::TempDir;

use crate::cli::path;
use crate::fixture::until;
use crate::x11::{binary, owners, said};

/// sway without a screen. It does not run as root, who has all rights to what
/// another user runs.
pub(crate) struct Sway {
    child: Child,
    directory: TempDir,
    display: String,
}

/// A user that owns nothing else.
const NOBODY: u32 = 65534;

impl Sway {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path();
        let ready = place.join("ready");
        let fifo = Command::new("mkfifo").arg(&ready).status().expect("mkfifo runs");
        assert!(fifo.success());
        let tell = format!("exec sh -c 'echo $WAYLAND_DISPLAY >{}'", ready.display());
        fs::write(place.join("config"), format!("xwayland disable\n{tell}\n")).expect("a file");
        let mut words = vec!["sway".to_owned(), "-c".to_owned()];
        words.push(place.join("config").to_string_lossy().into_owned());
        if geteuid().is_root() {
            for path in [place, &ready] {
                chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
            }
            let user = format!("--reuid={NOBODY}");
            let group = format!("--regid={NOBODY}");
            words.splice(0..0, ["setpriv".to_owned(), user, group, "--clear-groups".to_owned()]);
        }
        let child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .env("PATH", path())
            .env("HOME", place)
            .env("XDG_RUNTIME_DIR", place)
            .env("WLR_BACKENDS", "headless")
            .env("WLR_LIBINPUT_NO_DEVICES", "1")
            .env("WLR_RENDERER", "pixman")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sway starts");
        let display = Command::new("timeout").arg("30").arg("cat").arg(&ready).output();
        let display = String::from_utf8_lossy(&display.expect("cat runs").stdout).trim().to_owned();
        assert!(!display.is_empty(), "sway never got ready");
        Self { child, directory, display }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.arg("60").args(words).env_clear().env("PATH", path());
        command.env("XDG_RUNTIME_DIR", self.directory.path());
        command.env("WAYLAND_DISPLAY", &self.display);
        command
    }

    pub(crate) fn run(&self, words: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input).expect("the program reads");
        drop(stdin);
        child.wait_with_output().expect("the program ends")
    }

    #[track_caller]
    pub(crate) fn copy(&self, options: &[&str], text: &[u8]) {
        let output = self.run(&[&["mx", "copy"], options].concat(), text);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }

    /// What a program prints that is to read the clipboard.
    #[track_caller]
    pub(crate) fn printed(&self, words: &[&str]) -> Vec<u8> {
        let output = self.run(words, b"");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output.stdout
    }

    /// A paste that rests, as nobody reads what it prints.
    fn begin(&self) -> (Child, impl Read, Vec<u8>) {
        let mut command = self.command(&["mx", "paste"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("mx starts");
        let mut stdout = child.stdout.take().expect("a pipe");
        let mut pasted = vec![0; 1000];
        stdout.read_exact(&mut pasted).expect("bytes");
        (child, stdout, pasted)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn owners(&self) -> Vec<Pid> {
        owners(&format!("XDG_RUNTIME_DIR={}", self.directory.path().display()))
    }
}

impl Drop for Sway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // They notice that the compositor is gone.
        assert!(until(|| self.owners(), Vec::is_empty).is_empty() || std::thread::panicking());
    }
}

#[test]
fn text_goes_both_ways_between_mx_and_wl_clipboard() {
    let sway = Sway::new();
    let text = "héllo\0\n日本\tx".as_bytes();
    for (mx, wl) in [(&[][..], &[][..]), (&["--primary"], &["--primary"])] {
        sway.copy(mx, text);
        assert_eq!(sway.printed(&[&["wl-paste", "--no-newline"], wl].concat()), text);
        assert_eq!(sway.printed(&[&["mx", "paste"], mx].concat()), text);
        let shell = format!("printf other | wl-copy {} >/dev/null 2>&1", wl.join(" "));
        sway.printed(&["sh", "-c", &shell]);
        let pasted = || sway.run(&[&["mx", "paste"], mx].concat(), b"").stdout;
        assert_eq!(until(pasted, |text| text == b"other"), b"other");
    }
}

#[test]
fn long_content_arrives_whole() {
    let sway = Sway::new();
    for length in [65_536, 1 << 20, 100_000_000] {
        let bytes = binary(length);
        sway.copy(&[], &bytes);
        assert!(sway.printed(&["mx", "paste"]) == bytes, "{length} bytes, mx to mx");
        let pasted = sway.printed(&["wl-paste", "--no-newline"]);
        assert!(pasted == bytes, "{length} bytes, mx to wl-paste");
    }
    let file = sway.directory.path().join("file");
    let bytes = vec![b'x'; 30_000_000];
    fs::write(&file, &bytes).expect("a file");
    let shell = format!("wl-copy <{} >/dev/null 2>&1", file.display());
    sway.printed(&["sh", "-c", &shell]);
    let pasted = || sway.run(&["mx", "paste"], b"").stdout;
    assert!(until(pasted, |pasted| *pasted == bytes) == bytes, "wl-copy to mx");
}

#[test]
fn types_and_documents() {
    let sway = Sway::new();
    let output = sway.run(&["mx", "paste"], b"");
    assert_eq!(said(&output), "mx: cannot paste: nothing is on the clipboard\n");
    assert_eq!(output.status.code(), Some(1));
    let document = sway.run(&["mx", "copy", "--secret", "--json"], b"hello").stdout;
    let document: serde_json::Value = serde_json::from_slice(&document).expect("a document");
    let types = ["text/plain;charset=utf-8", "text/plain", "UTF8_STRING", "STRING", "TEXT"];
    let types = [&types[..], &["x-kde-passwordManagerHint"]].concat();
    assert_eq!(
        document,
        serde_json::json!({"schema": "mx.clipboard/1", "via": "wayland", "verified": true,
            "bytes": 5, "types": types, "notes": []})
    );
    let listed = String::from_utf8(sway.printed(&["mx", "paste", "--types"])).expect("UTF-8");
    assert_eq!(listed.lines().collect::<Vec<_>>(), types);
    let hint = ["wl-paste", "--no-newline", "--type", "x-kde-passwordManagerHint"];
    assert_eq!(sway.printed(&hint), b"secret");
    let shell = "printf x | wl-copy --type image/png >/dev/null 2>&1";
    sway.printed(&["sh", "-c", shell]);
    let output = until(|| sway.run(&["mx", "paste"], b""), |output| !output.status.success());
    assert_eq!(said(&output), "mx: cannot paste: the clipboard holds no text, but image/png\n");
}

#[test]
fn a_paste_that_rests_keeps_nobody_waiting() {
    let sway = Sway::new();
    let bytes = binary(30_000_000);
    sway.copy(&[], &bytes);
    let (mut resting, mut rest, mut pasted) = sway.begin();
    let (mut killed, output, _) = sway.begin();
    killed.kill().expect("a child");
    killed.wait().expect("a child");
    drop(output);
    assert!(sway.printed(&["mx", "paste"]) == bytes, "others are served");
    sway.copy(&[], b"something else");
    assert_eq!(sway.printed(&["mx", "paste"]), b"something else");
    rest.read_to_end(&mut pasted).expect("the rest");
    assert!(pasted == bytes && resting.wait().expect("a child").success());
    let left = until(|| sway.owners(), |owners| owners.len() == 1);
    assert_eq!(left.len(), 1, "the old owner has ended");
}

#[test]
fn a_substitution_does_not_wait_for_the_owner() {
    let sway = Sway::new();
    let script = "x=$(echo hi | mx copy --json 2>&1 | tail -c 4); echo \"$x\"";
    assert_eq!(sway.printed(&["bash", "-c", script]), b"[]}\n");
    assert_eq!(sway.printed(&["mx", "paste"]), b"hi\n");
}

#[test]
fn without_a_compositor_the_x_server_beside_it_is_asked() {
    let output = Command::new(crate::cli::MX)
        .arg("paste")
        .env_clear()
        .env("WAYLAND_DISPLAY", "/nowhere/wayland-0")
        .env("DISPLAY", ":9999")
        .output()
        .expect("mx runs");
    let said = said(&output);
    let start = "mx: cannot paste: no clipboard is reachable: wayland: cannot connect: ";
    assert!(said.starts_with(start) && said.contains("; x11: cannot connect: "), "{said}");
    assert_eq!(output.status.code(), Some(3));
}
