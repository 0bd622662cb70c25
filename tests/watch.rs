//! `mx ports watch`: the events of real sockets, and the screen in a real pseudo-terminal.

#[cfg(target_os = "linux")]
use std::io::Read;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::{MX, path};
use crate::fixture::{Fixture, free_port};
use crate::signals::Bystanders;
use crate::terminal::Terminal;

/// A watch that prints lines.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(MX);
        command.args(["ports", "watch", "--interval", "20ms"]).args(arguments);
        Self::with(command)
    }

    fn with(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mx runs");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(30)).expect("another line")
    }

    #[track_caller]
    fn event(&self) -> Value {
        let line = self.line();
        let event: Value = serde_json::from_str(&line).expect("a document on one line");
        assert_eq!(event["schema"], "mx.ports-watch/1");
        event
    }

    /// Ends it, and gives back what it said on standard error.
    #[cfg(target_os = "linux")]
    fn end(mut self) -> String {
        let mut said = String::new();
        end(self.child.id(), Signal::TERM);
        let mut stderr = self.child.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut said).expect("UTF-8");
        said
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn end(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a PID");
    kill_process(pid, signal).expect("a process of this test");
}

/// What happened, whether it was so from the start, the port, and the PIDs.
fn told(event: &Value) -> (&str, bool, u64, Vec<u64>) {
    let owners = event["socket"]["owners"].as_array().expect("owners");
    (
        event["event"].as_str().expect("an event"),
        event["initial"].as_bool().expect("whether it is initial"),
        event["socket"]["port"].as_u64().expect("a port"),
        owners.iter().map(|owner| owner["pid"].as_u64().expect("a PID")).collect(),
    )
}

#[test]
fn sockets_are_told_of_as_they_come_and_go() {
    let udp = free_port();
    let first = Fixture::new("tcp 127.0.0.1:0");
    let (port, pid) = (u64::from(first.port(0)), u64::from(first.pid()));
    let watch = Watch::new(&["--json", &port.to_string(), &udp.to_string()]);
    assert_eq!(told(&watch.event()), ("opened", true, port, vec![pid]));

    let other = Fixture::new(&format!("udp 127.0.0.1:{udp}"));
    let event = watch.event();
    assert_eq!(told(&event), ("opened", false, udp.into(), vec![other.pid().into()]));
    assert_eq!(event["socket"]["protocol"], "udp");
    let time = event["time"].as_str().expect("a time");
    assert!(time.ends_with('Z') && time.as_bytes()[10] == b'T', "RFC 3339, UTC: {time}");

    drop(other);
    assert_eq!(told(&watch.event()).0, "closed");
    drop(first);
    assert_eq!(told(&watch.event()), ("closed", false, port, vec![pid]));
    let second = Fixture::new(&format!("tcp 127.0.0.1:{port}"));
    assert_eq!(told(&watch.event()), ("opened", false, port, vec![second.pid().into()]));
}

#[test]
fn a_socket_that_other_processes_hold_than_before_has_changed() {
    let fixture = Fixture::new("tcp 127.0.0.1:0\nchildren 1");
    let port = u64::from(fixture.port(0));
    let watch = Watch::new(&["--json", &port.to_string()]);
    let mut both = vec![u64::from(fixture.pid()), u64::from(fixture.numbers[1])];
    both.sort_unstable();
    assert_eq!(told(&watch.event()), ("opened", true, port, both));
    end(fixture.numbers[1], Signal::KILL);
    assert_eq!(told(&watch.event()), ("changed", false, port, vec![fixture.pid().into()]));
}

#[test]
fn a_pipe_gets_a_line_for_each_event_and_owner() {
    let fixture = Fixture::new("tcp 127.0.0.1:0\nchildren 1");
    let port = fixture.port(0).to_string();
    let watch = Watch::new(&[&port]);
    let mut pids = Vec::new();
    for _ in 0..2 {
        let line = watch.line();
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells[1..5], ["opened", "tcp", "127.0.0.1", &port], "{line}");
        assert!(cells.len() >= 10, "every column: {line}");
        pids.push(cells[5].parse::<u32>().expect("a PID"));
    }
    let mut expected = [fixture.pid(), fixture.numbers[1]];
    expected.sort_unstable();
    assert_eq!(pids, expected);
    drop(fixture);
    assert_eq!(watch.line().split('\t').nth(1), Some("closed"));
}

#[test]
fn it_ends_once_nobody_reads_although_nothing_happens() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    for format in ["--json", "--plain"] {
        let mut child = Command::new(MX)
            .args(["ports", "watch", format, &fixture.port(0).to_string(), "--interval", "1h"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mx runs");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the first event");
        assert!(line.contains("opened"), "{line}");
        drop(output);
        let output = child.wait_with_output().expect("a child");
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_hidden_is_said_once_for_each_change() {
    use std::os::unix::process::CommandExt;

    if !sys::user::is_root() {
        return crate::hostile::skipped("needs root to become another user");
    }
    let (_directory, copy) = crate::hostile::public_copy();
    let foreign = Fixture::new("tcp 127.0.0.1:0");
    let later = free_port();
    let mut command = Command::new(copy);
    command.args(["ports", "watch", "--json", "--interval", "20ms"]).uid(65534).gid(65534);
    command.args([foreign.port(0), later].map(|port| port.to_string()));
    let watch = Watch::with(command);
    assert_eq!(told(&watch.event()), ("opened", true, foreign.port(0).into(), Vec::new()));
    for _ in 0..2 {
        let another = Fixture::new(&format!("tcp 127.0.0.1:{later}"));
        assert_eq!(told(&watch.event()), ("opened", false, later.into(), Vec::new()));
        drop(another);
        assert_eq!(told(&watch.event()), ("closed", false, later.into(), Vec::new()));
    }
    let said = watch.end();
    let sockets: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("mx: the owner of "))
        .filter_map(|line| line.split_once(" cannot be seen: sudo /"))
        .filter_map(|(sockets, call)| call.ends_with(" may show it").then_some(sockets))
        .collect();
    // It may have ended before it said the last.
    assert_eq!(sockets[..4], ["1 socket", "2 sockets", "1 socket", "2 sockets"], "{said}");
    assert!(sockets.len() == said.lines().count() && sockets.len() <= 5, "{said}");
}

// On a terminal.

/// A command under a shell, which tells how it leaves the terminal.
pub(crate) fn terminal(command: &str, rows: u16, variables: &[(&str, &str)]) -> Terminal {
    let script = format!(
        "ulimit -c 0; trap : INT; echo before; modes=$(stty -g); {command}; code=$?; \
         [ \"$(stty -g)\" = \"$modes\" ] && echo \"code $code, modes as before\"; read -r _"
    );
    let mut shell = CommandBuilder::new("sh");
    shell.args(["-c", &script]);
    shell.env_clear();
    let path = path();
    let usual = [("PATH", path.as_str()), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")];
    for (name, value) in usual.iter().chain(variables) {
        shell.env(name, value);
    }
    Terminal::with_size(shell, 100, rows)
}

/// The ordinary screen is there again, with what stood on it.
#[track_caller]
pub(crate) fn assert_restored(terminal: &mut Terminal, code: i32) {
    let text = terminal.wait_for_text(&format!("code {code}, modes as before"));
    assert!(text.starts_with("before\n"), "{text}");
    let screen = terminal.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor());
}

/// The port of the row with the cursor.
#[cfg(target_os = "linux")]
pub(crate) fn on_cursor(text: &str) -> Option<&str> {
    let mut rows = text.lines().filter(|line| line.get(1..2) == Some(">"));
    let row = rows.next().filter(|_| rows.next().is_none())?;
    row[2..].split_whitespace().nth(2)
}

/// The row of a port, and the colour of its first cell.
fn row(terminal: &Terminal, port: u16) -> Option<(String, vt100::Color)> {
    let text = terminal.screen().contents();
    let at = text.lines().position(|line| line.contains(&format!(" {port} ")))?;
    let cell = terminal.screen().cell(u16::try_from(at).ok()?, 0)?;
    Some((text.lines().nth(at)?.to_owned(), cell.fgcolor()))
}

#[test]
fn the_screen_marks_what_comes_and_goes_and_is_given_back() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let (old, new) = (fixture.port(0), free_port());
    for (variables, green) in
        [(&[][..], vt100::Color::Idx(2)), (&[("NO_COLOR", "1")][..], vt100::Color::Default)]
    {
        let mut terminal =
            terminal(&format!("mx ports watch {old} {new} --interval 50ms"), 10, variables);
        let text = terminal.wait_for_text("1 socket ");
        assert!(terminal.screen().alternate_screen() && terminal.screen().hide_cursor());
        assert!(text.lines().next().is_some_and(|line| line.starts_with("   PROTO  ADDRESS")));
        assert!(row(&terminal, old).is_some_and(|(row, _)| row.starts_with("   tcp    127.0.0.1")));

        let comes = Fixture::new(&format!("udp 127.0.0.1:{new}"));
        let text = terminal.wait_for_text("2 sockets ");
        assert_eq!(
            row(&terminal, new).map(|(row, color)| (row[..4].to_owned(), color)),
            Some(("+  u".to_owned(), green)),
            "{text}"
        );
        drop(comes);
        terminal.wait_for_text("1 socket ");
        let (gone, _) = row(&terminal, new).expect("still shown");
        assert!(gone.starts_with("-  udp"), "{gone}");
        terminal.wait_for("it leave", |text| !text.contains(&format!(" {new} ")));
        assert!(row(&terminal, old).is_some_and(|(row, _)| row.starts_with("   tcp")));
        terminal.type_text("q");
        assert_restored(&mut terminal, 0);
    }
}

#[test]
fn a_resize_and_a_key_show_at_once() {
    let fixture = Fixture::new("tcp 127.0.0.1:0\n".repeat(20).trim_end());
    let mut ports: Vec<u32> = fixture.numbers.clone();
    ports.sort_unstable();
    let list: Vec<String> = ports.iter().map(ToString::to_string).collect();
    // No look will come in time.
    let mut terminal =
        terminal(&format!("mx ports watch {} --interval 1h", list.join(" ")), 12, &[]);
    let shown = |text: &str| -> Vec<u32> {
        let rows = text.lines().filter(|line| line[..line.len().min(8)].contains("tcp"));
        let words = |row: &str| {
            let mut words = row.split_whitespace().skip_while(|word| *word != "tcp").skip(2);
            words.next().expect("a port").parse().expect("a port")
        };
        rows.map(words).collect()
    };
    let text = terminal.wait_for_text("20 sockets  10 below");
    assert_eq!(shown(&text), ports[..10]);
    // The cursor moves, and the screen follows it.
    for (key, status, first, cursor) in [
        ("j", "20 sockets  10 below", 0, 0),
        ("\x1b[B", "20 sockets  10 below", 0, 1),
        ("\x1b[6~", "2 above, 8 below", 2, 11),
        ("G", "10 above  every", 10, 19),
        ("k", "10 above  every", 10, 18),
        ("\x1b[5~", "8 above, 2 below", 8, 8),
        ("g", "20 sockets  10 below", 0, 0),
    ] {
        terminal.type_text(key);
        let is_there = |text: &str| {
            let row = text.lines().find(|line| line.starts_with(" >"));
            text.contains(status) && row.is_some_and(|row| shown(row) == [ports[cursor]])
        };
        let text = terminal.wait_for(key, is_there);
        assert_eq!(shown(&text), ports[first..first + 10], "{key:?}");
    }
    terminal.resize(100, 30);
    let text = terminal.wait_for_text("20 sockets  every 1h");
    assert_eq!(shown(&text), ports);
    terminal.resize(40, 5);
    let text = terminal
        .wait_for("a narrow screen", |text| text.lines().count() == 5 && text.ends_with('…'));
    assert_eq!(shown(&text), ports[..3]);
    assert!(!text.contains("COMMAND"), "{text}");
    terminal.type_text("\x1b");
    assert_restored(&mut terminal, 0);
}

#[test]
fn a_row_is_ended_after_a_question() {
    let mut servers = [Fixture::new("tcp 127.0.0.1:0"), Fixture::new("tcp 127.0.0.1:0")];
    servers.sort_by_key(|server| server.port(0));
    let [first, mut second] = servers;
    let list = format!("{} {}", first.port(0), second.port(0));
    let mut terminal = terminal(&format!("mx ports watch {list} --interval 1h"), 12, &[]);
    terminal.wait_for_text("2 sockets");
    terminal.type_text("x");
    terminal.wait_for_text("choose a row first");
    terminal.type_text("jj");
    let at_second = |text: &str| {
        let row = text.lines().find(|line| line.starts_with(" >"));
        row.is_some_and(|row| row.contains(&second.port(0).to_string()))
    };
    terminal.wait_for("the cursor", at_second);
    let question = format!("(PID {}), bound to {}? [y/N]", second.pid(), second.port(0));
    // Every key but y is no, and neither quits.
    for no in ["n", "q", "j"] {
        terminal.type_text("x");
        terminal.wait_for_text(&question);
        terminal.type_text(no);
        terminal.wait_for_text("nothing was signalled");
    }
    assert!(second.is_running());
    terminal.type_text("xy");
    let text = terminal.wait_for("the end", |text| text.contains("ended ") && text.contains("\n-"));
    assert!(text.contains(&format!("(PID {})", second.pid())), "{text}");
    assert!(!second.is_running());
    terminal.type_text("q");
    assert_restored(&mut terminal, 0);
    Bystanders::default().and(first).assert_unharmed();
}

/// What `mx ports kill` refuses is refused here, too: this server is above mx.
#[test]
fn a_row_of_an_ancestor_is_refused() {
    let script = "import socket, subprocess\n\
        s = socket.create_server(('127.0.0.1', 0))\n\
        subprocess.run(['mx', 'ports', 'watch', str(s.getsockname()[1])])";
    let mut terminal = terminal(&format!("python3 -c \"{script}\""), 12, &[]);
    terminal.wait_for_text("1 socket ");
    terminal.type_text("jx");
    terminal.wait_for_text("holds it, an ancestor of this program");
    terminal.type_text("q");
    assert_restored(&mut terminal, 0);
}

#[test]
fn signals_give_the_terminal_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("pid");
    let inner =
        format!("echo $$ >{}; exec mx ports watch {} --interval 1h", file.display(), free_port());
    for (signal, code) in
        [(Signal::INT, 0), (Signal::TERM, 143), (Signal::HUP, 129), (Signal::QUIT, 131)]
    {
        let mut terminal = terminal(&format!("sh -c '{inner}'"), 10, &[]);
        terminal.wait_for_text("0 sockets");
        let text = std::fs::read_to_string(&file).expect("a PID");
        end(text.trim().parse().expect("a PID"), signal);
        assert_restored(&mut terminal, code);
    }
    let mut terminal = terminal(&format!("mx ports watch {} --interval 1h", free_port()), 10, &[]);
    terminal.wait_for_text("0 sockets");
    terminal.type_text("\x03");
    assert_restored(&mut terminal, 0);
}

#[test]
fn a_shell_can_suspend_and_continue_it() {
    let mut command = CommandBuilder::new("bash");
    command.args(["--norc", "--noprofile", "-i"]);
    command.env_clear();
    command.env("PATH", path());
    command.env("TERM", "xterm-256color");
    command.env("PS1", "prompt: ");
    let mut terminal = Terminal::with_size(command, 100, 10);
    terminal.wait_for_text("prompt:");
    terminal.type_text(&format!("mx ports watch {} --interval 1h\r", free_port()));
    for _ in 0..2 {
        terminal.wait_for_text("0 sockets");
        assert!(terminal.screen().alternate_screen());
        terminal.type_text("\x1a");
        terminal.wait_for_text("Stopped");
        assert!(!terminal.screen().alternate_screen() && !terminal.screen().hide_cursor());
        terminal.type_text("clear; fg\r");
    }
    terminal.wait_for_text("0 sockets");
    terminal.type_text("q");
    terminal.wait_for("the prompt", |text| text.trim_end().ends_with("prompt:"));
    terminal.type_text("clear; echo code $?\r");
    terminal.wait_for("the code", |text| text.starts_with("code "));
}

#[test]
fn keys_come_from_the_terminal_also_where_standard_input_does_not() {
    let command = format!("mx ports watch {} --interval 1h </dev/null", free_port());
    let mut terminal = terminal(&command, 10, &[]);
    let text = terminal.wait_for_text("0 sockets");
    assert!(text.starts_with("nothing is bound\n"), "{text}");
    terminal.type_text("q");
    assert_restored(&mut terminal, 0);
}

#[test]
fn where_there_is_no_screen_it_says_so() {
    let mut terminal =
        terminal(&format!("mx ports watch {}", free_port()), 10, &[("TERM", "dumb")]);
    let text = terminal.wait_for_text("code 3, modes as before");
    assert!(text.contains("mx: cannot use the terminal as a screen: "), "{text}");
    assert!(text.contains("hint: --plain prints a line for each change"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_hostile_process_name_is_only_text() {
    let name = b"\x1b[2J\x1b[?1049lX\n";
    let fixture = Fixture::new(&format!("tcp 127.0.0.1:0\nname {}", crate::fixture::hex(name)));
    let command = format!("mx ports watch {} --interval 1h", fixture.port(0));
    let mut terminal = terminal(&command, 10, &[]);
    let text = terminal.wait_for_text("1 socket ");
    assert!(text.contains("  [2J[?1049lX   "), "{text}");
    assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 3, "{text}");
    assert!(terminal.screen().alternate_screen());
    terminal.type_text("q");
    assert_restored(&mut terminal, 0);
}
