//! `mx copy` and `mx paste` through terminals: a pseudo-terminal, real tmux, real screen.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use portable_pty::CommandBuilder;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{MX, path};
use crate::terminal::Terminal;

/// "hello" in base64.
const HELLO: &str = "aGVsbG8=";

/// A program in a terminal that the environment of the tests does not reach.
fn terminal(words: &[&str], variables: &[(&str, &str)]) -> Terminal {
    let mut command = CommandBuilder::new(words[0]);
    command.args(&words[1..]);
    command.env_clear();
    command.env("PATH", path());
    command.env("TERM", "xterm-256color");
    command.env("PS1", "$ ");
    for (name, value) in variables {
        command.env(name, value);
    }
    Terminal::new(command, 100)
}

const SSH: (&str, &str) = ("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");

/// A real tmux with a server of its own.
struct Tmux {
    directory: TempDir,
}

impl Tmux {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory }
    }

    /// Attached, with a shell in its pane.
    fn attach(&self, variables: &[(&str, &str)]) -> Terminal {
        let directory = self.directory.path().to_string_lossy().into_owned();
        let words =
            ["tmux", "-f", "/dev/null", "new-session", "-A", "-s", "test", "env PS1='$ ' sh"];
        terminal(&words, &[variables, &[("TMUX_TMPDIR", &directory)]].concat())
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        command.args(arguments).env_remove("TMUX").env("TMUX_TMPDIR", self.directory.path());
        command.output().expect("tmux runs")
    }

    /// Outside of it, as a pane sees it.
    fn mx(&self, arguments: &[&str], input: &[u8]) -> Output {
        let socket = self.command(&["display-message", "-p", "#{socket_path},#{pid},0"]);
        let tmux = String::from_utf8_lossy(&socket.stdout).trim().to_owned();
        // A Mac has a clipboard of its own, too.
        mx(&[arguments, &["--via", "tmux"]].concat(), &[("TMUX", &tmux)], input)
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.command(&["kill-server"]);
    }
}

fn mx(arguments: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Output {
    let mut child = Command::new(MX)
        .args(arguments)
        .env_clear()
        .env("PATH", path())
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mx runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It may refuse before it reads.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("mx runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn over_ssh_the_terminal_gets_it() {
    let script = "printf hello | mx copy; echo status $?; x=$(printf hi | mx copy --primary -q)";
    let mut terminal = terminal(&["sh", "-c", script], &[SSH]);
    let (screen, _) = terminal.finish();
    assert!(screen.contains("mx: sent 5 bytes to the terminal, which does not say"), "{screen}");
    assert!(screen.contains("status 0"), "{screen}");
    assert_eq!(terminal.clipboard(), [format!("c;{HELLO}"), "p;aGk=".to_owned()]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_text_that_the_terminal_would_drop_is_refused() {
    // One byte less goes through.
    let script = "head -c 786433 /dev/zero | mx copy; echo status $?
                  head -c 786432 /dev/zero | mx copy -q; echo status $?";
    let mut terminal = terminal(&["sh", "-c", script], &[SSH]);
    let (screen, _) = terminal.finish();
    let refused = "mx: cannot copy: no clipboard is reachable: osc52: cannot send 786433 bytes to \
                   the terminal: the";
    assert!(screen.contains(refused), "{screen}");
    let statuses: Vec<&str> = screen.lines().filter(|line| line.starts_with("status")).collect();
    assert_eq!(statuses, ["status 3", "status 0"], "{screen}");
    let [sent] = terminal.clipboard() else { panic!("one text is sent") };
    assert_eq!(sent.len(), 2 + 786_432 / 3 * 4);
}

#[test]
fn what_is_typed_is_copied_up_to_the_end_of_the_input() {
    let mut terminal = terminal(&["mx", "copy", "-n"], &[SSH]);
    terminal.wait_for_text("mx: copies what is typed, up to ^D");
    terminal.type_text("hello\n\x04");
    assert_eq!(terminal.finish().1, 0);
    assert_eq!(terminal.clipboard(), [format!("c;{HELLO}")]);
}

#[test]
#[cfg(target_os = "linux")]
fn each_way_that_leads_nowhere_says_why() {
    const DESKTOP: &str = "wayland: WAYLAND_DISPLAY is not set; x11: DISPLAY is not set; ";

    let vte = ("VTE_VERSION", "7006");
    let apple = ("TERM_PROGRAM", "Apple_Terminal");
    let xterm = ("TERM", "xterm-256color");
    let text = b"hello".to_vec();
    for (variables, text, why) in [
        (&[][..], &text, "osc52: TERM is not set"),
        (&[("TERM", "dumb")], &text, "osc52: a terminal with TERM=dumb takes no escape sequences"),
        (&[("TERM", "linux")], &text, "osc52: the Linux console (TERM=linux) has no clipboard"),
        (&[xterm, vte], &text, "osc52: terminals with VTE_VERSION, as GNOME's, let no program"),
        (&[xterm, apple], &text, "osc52: Terminal.app lets no program set the clipboard"),
        (
            &[xterm],
            &vec![b'x'; 800_000],
            "osc52: cannot send 800000 bytes to the terminal: the terminal may drop more than",
        ),
        (&[("TMUX", "/nowhere/default,1,0")], &text, "tmux: cannot ask tmux for its terminal: "),
    ] {
        let output = mx(&["copy"], variables, text);
        let expected = format!("mx: cannot copy: no clipboard is reachable: {DESKTOP}{why}");
        assert!(said(&output).starts_with(&expected), "{}", said(&output));
        assert_eq!((code(&output), output.stdout.len()), (Some(3), 0));
    }
    for (variables, why) in [
        (&[][..], "tmux: TMUX is not set\n"),
        (&[xterm, SSH], "tmux: TMUX is not set; wayland: WAYLAND_DISPLAY is not set"),
        (&[("DISPLAY", "nonsense")], "wayland: WAYLAND_DISPLAY is not set; x11: cannot connect: "),
    ] {
        assert!(
            said(&mx(&["paste", "--via", "x11"], &[], b"")).contains(": x11: DISPLAY is not set\n")
        );
        for words in [&["paste"][..], &["paste", "--types"], &["paste", "--json"]] {
            let output = mx(words, variables, b"");
            assert!(said(&output).contains(why), "{}", said(&output));
            assert!(said(&output).contains("no clipboard is reachable: "), "{}", said(&output));
            assert_eq!((code(&output), output.stdout.len()), (Some(3), 0));
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_terminal_there_is_nothing_to_send_to() {
    for kind in ["", "dumb", "linux"] {
        let script = "printf hello | mx copy; echo status $?";
        let mut terminal = terminal(&["sh", "-c", script], &[("TERM", kind)]);
        let (screen, _) = terminal.finish();
        assert!(screen.contains("mx: cannot copy: no clipboard is reachable"), "{screen}");
        assert!(screen.contains("status 3") && terminal.clipboard().is_empty(), "{screen}");
    }
    // A session without a terminal, as of a daemon.
    let output = Command::new("setsid")
        .args([MX, "copy", "--via", "osc52", "/etc/passwd"])
        .env_clear()
        .output()
        .expect("setsid runs");
    let said = said(&output);
    assert!(
        said.contains("no clipboard is reachable: osc52: cannot write to the terminal"),
        "{said}"
    );
    assert_eq!(code(&output), Some(3));
}

#[test]
fn tmux_keeps_it_and_hands_it_on() {
    let tmux = Tmux::new();
    let mut terminal = tmux.attach(&[SSH]);
    terminal.wait_for_text("$");
    terminal.type_text("printf hello | mx copy; echo \"<$(mx paste)>\"\n");
    let screen = terminal.wait_for_text("\n<hello>");
    assert!(screen.contains("mx: sent 5 bytes to the terminal"), "{screen}");
    // tmux leaves the place to the terminal.
    assert_eq!(terminal.clipboard(), [format!(";{HELLO}")]);

    let bytes: Vec<u8> = (0..=255).cycle().take(500_000).collect();
    let output = tmux.mx(&["copy", "--json"], &bytes);
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(
        document,
        serde_json::json!({"schema": "mx.clipboard/1", "via": "tmux", "verified": false,
            "bytes": 500_000, "types": ["text/plain"], "notes": []})
    );
    assert!(tmux.mx(&["paste"], b"").stdout == bytes, "every byte, in order");
    let large = tmux.mx(&["copy"], &vec![b'x'; 1_000_000]);
    assert_eq!(code(&large), Some(3), "{}", said(&large));
    assert!(tmux.mx(&["paste"], b"").stdout == bytes, "a refusal changes nothing");
}

#[test]
fn a_secret_leaves_nothing_in_tmux() {
    let tmux = Tmux::new();
    let mut terminal = tmux.attach(&[SSH]);
    terminal.wait_for_text("$");
    terminal.type_text("printf hello | mx copy --secret; mx paste; echo status $?\n");
    let screen = terminal.wait_for_text("status 1");
    assert!(screen.contains("mx: cannot paste: nothing is on the clipboard"), "{screen}");
    assert_eq!(terminal.clipboard(), [format!(";{HELLO}")]);
    assert_eq!(String::from_utf8_lossy(&tmux.command(&["list-buffers"]).stdout), "");
}

#[test]
fn tmux_without_a_terminal_keeps_it() {
    let tmux = Tmux::new();
    let started = tmux.command(&["-f", "/dev/null", "new-session", "-d", "sh"]);
    assert!(started.status.success(), "{}", said(&started));
    let output = tmux.mx(&["copy"], b"hello");
    assert_eq!(
        said(&output),
        "mx: copied 5 bytes to tmux\nmx: tmux has it; no terminal shows its session\n"
    );
    assert_eq!(tmux.mx(&["paste"], b"").stdout, b"hello");
    let output = tmux.mx(&["copy", "--secret"], b"secret");
    assert!(said(&output).contains("no terminal shows the session of tmux"), "{}", said(&output));
    assert_eq!((code(&output), tmux.mx(&["paste"], b"").stdout), (Some(3), b"hello".to_vec()));
    let output = tmux.mx(&["copy", "--primary"], b"hello");
    assert_eq!(code(&output), Some(3), "{}", said(&output));
}

#[test]
fn a_tmux_that_is_gone_is_said() {
    let output = mx(&["paste", "--via", "tmux"], &[("TMUX", "/nowhere/default,1,0")], b"");
    let text =
        "mx: cannot paste: no clipboard is reachable: tmux: cannot read the buffer of tmux: ";
    assert!(said(&output).starts_with(text), "{}", said(&output));
    assert_eq!(code(&output), Some(3));
}

#[test]
fn screen_hands_it_on_to_its_terminal() {
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path().join("sockets");
    fs::create_dir(&home).expect("a directory");
    fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("a mode");
    let home = home.to_string_lossy();
    let variables = [("SCREENDIR", &*home), SSH];
    let mut terminal = terminal(&["screen", "-c", "/dev/null", "sh"], &variables);
    terminal.wait_for_text("$");
    terminal.type_text("printf hello | mx copy\n");
    terminal.wait_for_text("mx: sent 5 bytes to the terminal");
    assert_eq!(terminal.clipboard(), [format!("c;{HELLO}")]);
    // Many pieces.
    terminal.type_text("head -c 30000 /dev/zero | mx copy -q; echo done:$?\n");
    terminal.wait_for_text("done:0");
    assert_eq!(terminal.clipboard()[1], format!("c;{}", "A".repeat(40_000)));
    terminal.type_text("exit\n");
    terminal.finish();
}

#[test]
fn a_terminal_is_shown_nothing_that_it_would_obey() {
    let tmux = Tmux::new();
    let started = tmux.command(&["-f", "/dev/null", "new-session", "-d", "sh"]);
    assert!(started.status.success(), "{}", said(&started));
    tmux.mx(&["copy"], b"one\ttwo\n\x1b[2J\x1b]52;c;aGVsbG8=\x07three");
    let socket = tmux.command(&["display-message", "-p", "#{socket_path},#{pid},0"]);
    let socket = String::from_utf8_lossy(&socket.stdout).trim().to_owned();
    let mut terminal = terminal(&["mx", "paste", "--via", "tmux"], &[("TMUX", &socket)]);
    let (screen, status) = terminal.finish();
    assert!(screen.contains("one     two\n[2J]52;c;aGVsbG8=three"), "{screen}");
    assert!(screen.contains("mx: control characters are left out here"), "{screen}");
    assert!(status == 0 && terminal.clipboard().is_empty());
}

#[test]
fn files_are_copied_one_after_the_other_or_not_at_all() {
    let tmux = Tmux::new();
    let started = tmux.command(&["-f", "/dev/null", "new-session", "-d", "sh"]);
    assert!(started.status.success(), "{}", said(&started));
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a file");
        path.to_string_lossy().into_owned()
    };
    let (one, two) = (file("one", "1\n"), file("two", "2\n"));
    assert_eq!(code(&tmux.mx(&["copy", "-n", &one, "-", &two], b"stdin\n")), Some(0));
    assert_eq!(tmux.mx(&["paste"], b"").stdout, b"1\nstdin\n2");
    let output = tmux
        .mx(&["copy", &one, Path::new(&one).with_file_name("three").to_str().expect("UTF-8")], b"");
    assert!(said(&output).contains("three': No such file"), "{}", said(&output));
    assert_eq!(
        (code(&output), tmux.mx(&["paste"], b"").stdout),
        (Some(3), b"1\nstdin\n2".to_vec())
    );
}
