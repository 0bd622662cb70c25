//! Live PIDs and values of limits, as bash and fish complete them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use portable_pty::CommandBuilder;
use tempfile::TempDir;

use crate::cli::path;
use crate::fixture::Fixture;
use crate::terminal::Terminal;
use crate::zsh::root;

/// A home with a profile of the user's own.
fn home() -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(home.path().join(".config/mx")).expect("a directory");
    let profiles = "[\"own $(touch ran)\"]\nnofile = 777\n";
    fs::write(home.path().join(".config/mx/limits.toml"), profiles).expect("a file");
    let start = format!("PS1='ready> '\nsource '{}'\n", root().join("shell/mx.bash").display());
    fs::write(home.path().join(".bashrc"), start).expect("a start-up file");
    home
}

#[test]
fn bash_completes_pids_and_values() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let home = home();
    let mut command = CommandBuilder::new("bash");
    command.args(["--noprofile", "--rcfile"]);
    command.arg(home.path().join(".bashrc"));
    command.arg("-i");
    command.env_clear();
    command.env("HOME", home.path());
    command.env("INPUTRC", "/dev/null");
    command.env("PATH", path());
    command.env("TERM", "xterm");
    command.env("LANG", "C.UTF-8");
    let mut terminal = Terminal::new(command, 100);
    terminal.wait_for_text("ready>");
    for (typed, completed) in [
        ("mx limits run nofile=77\t-", "mx limits run nofile=777 -".to_owned()),
        ("mx limits run nofile=512:ma\t-", "mx limits run nofile=512:max -".to_owned()),
        ("mx limits set core=unl\t-", "mx limits set core=unlimited -".to_owned()),
        ("mx limits raise mem\t64k", "mx limits raise memlock=64k".to_owned()),
        ("mx limits run own\t-", r"mx limits run own\ \$\(touch\ ran\) -".to_owned()),
        ("mx ports wait --timeout=30\t-", "mx ports wait --timeout=30s -".to_owned()),
        (
            &format!("mx limits --pid={}\t", fixture.pid()),
            format!("mx limits --pid={}", fixture.pid()),
        ),
    ] {
        terminal.type_text(&format!("\x15\x0c{typed}"));
        terminal.wait_for_text(&format!("> {completed}"));
    }
    assert!(!home.path().join("ran").exists());
}

#[test]
fn fish_offers_pids_and_values_with_their_descriptions() {
    let hostile = "x\n99999\tfake";
    let arguments = [OsStr::new(hostile)];
    let mut command = Fixture::command("tcp 127.0.0.1:0", &arguments);
    // The group of the completion itself is not offered: an interactive shell
    // gives each of its jobs another.
    command.process_group(0);
    let fixture = Fixture::with(command);
    let home = home();
    let offered = |words: &str| {
        let output = Command::new("fish")
            .args(["--no-config", "-c", "source $ROOT/completions/mx.fish; complete -C $WORDS"])
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", path())
            .env("ROOT", root())
            .env("WORDS", words)
            .env("LANG", "C.UTF-8")
            .output()
            .expect("fish runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(offered("mx limits run nofile=77"), "nofile=777\tprofile own $(touch ran)\n");
    assert!(offered("mx limits run nofile=512:m").starts_with("nofile=512:max\tthe hard limit, "));
    assert_eq!(offered("mx limits set core=m"), "core=max\tthe hard limit of the process\n");
    assert_eq!(offered("mx ports wait --timeout 30"), "30s\n");
    assert_eq!(offered("mx ports wait --timeout=30"), "--timeout=30s\n");
    for (option, before) in [("--pid ", ""), ("--pid=", "--pid=")] {
        let rows = offered(&format!("mx limits {option}{}", fixture.pid()));
        let start = format!("{before}{}\t", fixture.pid());
        let row = rows.lines().find(|row| row.starts_with(&start)).expect(&rows);
        if cfg!(target_os = "linux") {
            assert!(row.ends_with("--nocapture -- x 99999 fake"), "{rows}");
        }
        assert!(!rows.contains("\n99999"), "{rows}");
    }
    assert!(!home.path().join("ran").exists());
}
