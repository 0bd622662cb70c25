//! Completion of options, PIDs and values of limits, typed into a real zsh.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::session::Session;
use crate::cli::MX;
use crate::fixture::{Fixture, until};

/// Headings, and TAB that completes and does not expand.
const START: &str = "
    zstyle ':completion:*' group-name ''
    zstyle ':completion:*' format '<%d>'
    bindkey -e; bindkey '^I' complete-word
    LISTMAX=1000
    source $plugin; compinit
    ";

/// Lists what can stand here, also where it is one word only.
const LIST: &str = "\x04";
/// Clears the line and the screen.
const CLEAR: &str = "\x15\x0c";

/// A home with a profile of the user's own, whose names try to do harm.
fn home() -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(home.path().join(".config/mx")).expect("a directory");
    let profiles = "[\"own\\n9:x $(touch ran)\"]\ndescription = \"`touch ran`\\u001b[2J%F{red}\"\nnofile = 777\n";
    fs::write(home.path().join(".config/mx/limits.toml"), profiles).expect("a file");
    home
}

fn session(lines: &str) -> Session {
    Session::with_home(home(), &format!("{lines}\nulimit -Hn 4000; ulimit -Sn 512\n{START}"))
}

/// Types words and lists what can stand at their end, until the rows below a
/// heading are these.
#[track_caller]
fn listed(
    session: &mut Session,
    words: &str,
    heading: &str,
    these: impl Fn(&[&str]) -> bool,
) -> String {
    session.press(&format!("{CLEAR}{words}{LIST}"));
    session.terminal.wait_for(heading, |text| {
        text.starts_with(&format!("ready> {}", words.trim_end())) && these(&rows(text, heading))
    })
}

/// The rows below a heading, up to the next one.
fn rows<'a>(screen: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = screen.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| !line.starts_with('<') && !line.is_empty()).collect()
}

/// A process that is called so, and waits for the end of its input. On Linux only.
fn called(name: &str) -> Child {
    let mut command = Command::new("cat");
    let child = command.arg0(name).stdin(Stdio::piped()).spawn().expect("it starts");
    // The kernel lets this process go on before the new name can be read.
    let path = format!("/proc/{}/cmdline", child.id());
    until(|| fs::read(&path).unwrap_or_default(), |bytes| bytes.starts_with(name.as_bytes()));
    child
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().expect("a child");
}

#[test]
fn a_pid_is_described_by_its_command_line() {
    let hostile = "x\n99999:fake\x1b[2J%F{red}`touch ran`";
    let arguments = [OsStr::new(hostile)];
    let fixture = Fixture::with(Fixture::command("tcp 127.0.0.1:0", &arguments));
    let mut session = session("");
    let pid = fixture.pid().to_string();
    let told = "--exact fixture::execute --nocapture -- x 99999:fake[2J%F{red}`touch ran`";
    let is_told = |row: &&str| row.ends_with(told) || !cfg!(target_os = "linux");
    let screen = listed(&mut session, &format!("mx limits --pid {pid}"), "<processes>", |rows| {
        rows.iter().any(|row| row.starts_with(&pid) && is_told(row))
    });
    assert!(!screen.contains("\n99999"), "{screen}");
    session.press("\t");
    assert_eq!(session.buffer(), format!("$'mx limits --pid {} '", fixture.pid()));
    assert!(!session.path("ran").exists());
}

#[test]
fn a_name_becomes_the_pid_of_its_process() {
    if !cfg!(target_os = "linux") {
        return; // Only Linux tells the arguments, by which the test knows its own.
    }
    let name = format!("mx-test-{}", std::process::id());
    let first = called(&name);
    let mut session = session("");
    for option in ["limits --pid ", "limits --pid=", "limits set --json --pid="] {
        session.press(&format!("mx {option}MX-test-{}\t", std::process::id()));
        assert_eq!(session.buffer(), format!("$'mx {option}{} '", first.id()));
        session.press(CLEAR);
    }
    // Of several one is chosen: the youngest comes first.
    let second = called(&name);
    // What was listed is known for two seconds.
    session.press("_mx=()\r");
    session.press(&format!("mx limits --pid {name}\t"));
    let expected = [second.id().to_string(), first.id().to_string()];
    session.terminal.wait_for("both", |text| {
        let rows = rows(text, "<processes>");
        rows.iter().filter_map(|row| row.split(' ').next()).eq(&expected)
    });
    assert_eq!(session.buffer(), format!("$'mx limits --pid {}'", second.id()));
    session.press("\t");
    assert_eq!(session.buffer(), format!("$'mx limits --pid {}'", first.id()));
    end(first);
    end(second);
}

#[test]
fn values_of_a_limit_come_with_what_speaks_for_them() {
    let mut session = session("");
    let expected = [
        "max  -- the hard limit, 4000",
        "777  -- profile own 9:x $(touch ran)",
        "1024",
        "4000 -- as high as is wise",
    ];
    listed(&mut session, "mx limits raise nofile=", "<values>", |rows| rows == expected);
    session.press("7\t");
    assert_eq!(session.buffer(), "$'mx limits raise nofile=777 '");
    // Behind the colon stands the hard limit.
    session.press("\x15mx limits run nofile=512:ma\t");
    assert_eq!(session.buffer(), "$'mx limits run nofile=512:max '");
    session.press("\x15mx limits set --pid 1 core=unl\t");
    assert_eq!(session.buffer(), "$'mx limits set --pid 1 core=unlimited '");
    assert!(!session.path("ran").exists());
}

#[test]
fn the_sign_goes_away_where_no_value_follows() {
    let mut session = session("");
    session.press("mx limits raise nof\t");
    assert_eq!(session.buffer(), "$'mx limits raise nofile='");
    session.press(" cor\t1G\x1bb\x1bb\x02\x02");
    assert_eq!(session.buffer(), "$'mx limits raise nofile core=1G'");
    // In the middle of a line, too.
    session.press("\x15mx limits raise nof core=0\x02\x02\x02\x02\x02\x02\x02\t4k");
    assert_eq!(session.buffer(), "$'mx limits raise nofile=4k core=0'");
}

#[test]
fn names_of_profiles_are_offered_where_they_are_taken_and_stay_inert() {
    let mut session = session("");
    listed(&mut session, "mx limits raise ", "<profiles>", |rows| {
        rows.contains(&"own 9:x $(touch ran) -- `touch ran`[2J%F{red}")
    });
    session.press("own\t");
    assert_eq!(
        session.buffer(),
        "$'mx limits raise own\\\\ 9:x\\\\ \\\\$\\\\(touch\\\\ ran\\\\) '"
    );
    let screen = listed(&mut session, "mx limits set --pid 1 ", "<limits>", |rows| {
        rows.last().is_some_and(|row| row.ends_with("without a pause"))
    });
    assert!(!screen.contains("<profiles>"), "{screen}");
    // What is typed is no code, either.
    session.press(&format!("{CLEAR}mx limits run $(touch ran)=\t$(touch ran)=1:\t"));
    session.probe();
    assert!(!session.path("ran").exists());
}

#[test]
fn times_and_signals_are_offered() {
    let mut session = session("zstyle ':completion:*' matcher-list '' 'm:{a-z}={A-Z}'");
    session.press("mx ports kill --grace=50\t--signal=te\t");
    assert_eq!(session.buffer(), "$'mx ports kill --grace=500ms --signal=TERM '");
    session.press("\x15mx ports wait --timeout 3\t");
    assert_eq!(session.buffer(), "$'mx ports wait --timeout 30s '");
}

#[test]
fn styles_of_the_user_are_kept_to() {
    let mut session = session(
        "zstyle ':completion:*' menu select
         zstyle ':completion:*:values' list-separator '#'
         zstyle ':completion:*:values' list-colors '=(#b)(max)*=0=31'
         zstyle ':completion:*:profiles' verbose no
         zstyle ':completion:*:mx-run:*' tag-order '! profiles'",
    );
    session.press("mx limits raise nofile=\t");
    let screen = session.terminal.wait_for_text("max  # the hard limit, 4000");
    let row = screen.lines().position(|line| line.starts_with("max")).expect("a row");
    let cell = session.terminal.screen().cell(u16::try_from(row).expect("a row"), 0);
    assert_eq!(cell.expect("a cell").fgcolor(), vt100::Color::Idx(1), "{screen}");
    // Into the menu, one down, and taken.
    session.press("\t\x1b[B\r");
    assert_eq!(session.buffer(), "$'mx limits raise nofile=777 '");
    listed(&mut session, "mx limits raise d", "<profiles>", |rows| rows == ["db"]);
    let screen = listed(&mut session, "mx limits run d", "<limits>", |rows| {
        rows[..] == ["data       -- heap and data of a process"]
    });
    assert!(!screen.contains("profiles"), "{screen}");
}

#[test]
fn help_leads_to_every_command() {
    let mut session = session("");
    session.press("mx help limits ra\t");
    assert_eq!(session.buffer(), "$'mx help limits raise '");
    session.press("\x15mx ports help ki\t");
    assert_eq!(session.buffer(), "$'mx ports help kill '");
    session.press(&format!("{CLEAR}mx help ports kill {LIST}"));
    session.probe();
    session.press("x\t");
    assert_eq!(session.buffer(), "$'mx help ports kill x'");
}

/// The long options that the help of a command lists.
fn options(command: &str) -> BTreeSet<String> {
    let mut program = Command::new(MX);
    let output = program.args(command.split_whitespace()).arg("--help").output().expect("mx runs");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, listed) = help.split_once("\nOptions:\n").expect("options");
    let spelled = listed.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let long =
        spelled.filter_map(|line| line.split([' ', '=', ',']).find(|word| word.starts_with("--")));
    long.map(str::to_owned).collect()
}

#[test]
fn every_option_of_every_command_is_listed_and_no_other() {
    let mut session = session("");
    for command in [
        "",
        "ports",
        "ports kill",
        "ports wait",
        "ports free",
        "ports watch",
        "limits",
        "limits raise",
        "limits run",
        "limits set",
        "limits explain",
        "limits check",
        "limits persist",
        "setup",
        "init",
    ] {
        let expected = options(command);
        assert!(expected.len() > 4 && expected.contains("--json"), "{command}: {expected:?}");
        session.press(&format!("{CLEAR}mx {command} --{LIST}"));
        let wanted = |screen: &str| -> BTreeSet<String> {
            let words = screen.lines().filter_map(|line| line.split(' ').next());
            words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
        };
        session.terminal.wait_for(&format!("{command}: {expected:?}"), |screen| {
            screen.starts_with(&format!("ready> mx {command} --")) && wanted(screen) == expected
        });
    }
}
