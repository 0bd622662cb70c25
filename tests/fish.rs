//! The fish integration in a real fish: typed into a pseudo-terminal, read from the screen.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use portable_pty::CommandBuilder;
use tempfile::TempDir;

use crate::cli::{MX, patient_path};
use crate::fixture::Fixture;
use crate::terminal::Terminal;
use crate::zsh::{root, started_processes};

const PROMPT: &str = "ready>";

/// A home whose start-up file has these lines.
fn home(lines: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    let directory = home.path().join(".config/fish");
    fs::create_dir_all(&directory).expect("a directory");
    let text = format!("function fish_prompt; echo '{PROMPT} '; end\nset fish_greeting\n{lines}\n");
    fs::write(directory.join("config.fish"), text).expect("a file");
    home
}

fn fish(home: &TempDir) -> Terminal {
    let mut command = CommandBuilder::new("fish");
    command.arg("-i");
    command.env_clear();
    command.env("HOME", home.path());
    command.env("PATH", patient_path(home.path()));
    command.env("TERM", "xterm");
    command.env("LANG", "C.UTF-8");
    let mut terminal = Terminal::new(command, 100);
    terminal.wait_for_text(PROMPT);
    terminal
}

fn setup(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(MX);
    command.args(["setup", "fish"]).args(arguments).env_clear().env("HOME", home);
    command.output().expect("mx runs")
}

/// What fish offers for these words.
fn offered(words: &str) -> String {
    let text = format!("source \"$ROOT/completions/mx.fish\"; complete -C '{words}'");
    let output = script(&text);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn script(text: &str) -> Output {
    let home = tempfile::tempdir().expect("a directory");
    Command::new("fish")
        .args(["--no-config", "-c", text])
        .env_clear()
        .env("PATH", patient_path(home.path()))
        .env("ROOT", root())
        .env("LANG", "C.UTF-8")
        .output()
        .expect("fish runs")
}

#[test]
fn tab_completes_commands_and_ports() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let port = fixture.port(0).to_string();
    for installed in [true, false] {
        let home = home(if installed { "" } else { "mx init fish | source" });
        if installed {
            assert!(setup(home.path(), &[]).status.success());
        }
        let mut terminal = fish(&home);
        terminal.type_text("mx po\t");
        terminal.wait_for_text("> mx ports");
        terminal.type_text(&format!("{port}\t--js\t"));
        terminal.wait_for_text(&format!("mx ports {port} --json"));
        terminal.type_text("\r");
        terminal.wait_for_text("\"schema\": \"mx.ports/1\"");
        terminal.type_text("type mx\r");
        terminal.wait_for_text("mx is a function");
    }
}

#[test]
fn what_can_stand_at_a_place_is_offered_with_its_description() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let port = fixture.port(0).to_string();
    let commands = offered("mx ");
    assert!(commands.contains("ports\tShow what is bound") && !commands.contains("__complete"));
    assert!(!commands.contains("Cargo"), "{commands}");
    let ports = offered("mx p ");
    let row = ports.lines().find(|line| line.starts_with(&format!("{port}\t"))).expect("the port");
    assert!(row.contains(&format!("({})", fixture.pid())), "{row}");
    assert!(ports.contains("kill\tFree ports"), "{ports}");
    let behind = offered(&format!("mx ports {port} "));
    assert!(behind.contains(&format!("{port}\t")) && !behind.contains("kill\t"), "{behind}");
    let address = offered("mx ports localhost:");
    assert!(address.lines().all(|line| line.starts_with("localhost:")), "{address}");
    assert!(address.contains(&format!("localhost:{port}\t")), "{address}");
    assert_eq!(offered("mx --color=al"), "--color=always\tAlways\n");
    assert_eq!(offered("mx --color always p k"), offered("mx p k"));
    assert!(offered("mx ports 1 --ud").starts_with("--udp\t"));
    assert!(offered("mx p kill --signal HU").starts_with("HUP\t"));
    assert_eq!(offered("mx ports free --count "), "");
    assert!(offered("mx help ports ki").starts_with("kill\t"));
    assert_eq!(offered("mx help ports --js"), "");
}

#[test]
fn options_that_are_given_are_not_offered_again() {
    let is_offered = |words: &str, option: &str| {
        offered(words).lines().any(|line| line.split('\t').next() == Some(option))
    };
    for (words, option, expected) in [
        ("mx ports --", "--json", true),
        ("mx ports --json --", "--json", false),
        ("mx --json ports --", "--json", false),
        // What conflicts with it, and its other name.
        ("mx ports --json --", "--table", false),
        ("mx ports kill -y --", "--yes", false),
        ("mx ports kill -qy --", "--quiet", false),
        ("mx ports kill -y --", "--dry-run", true),
        ("mx ports kill -y --", "--force", true),
        ("mx ports --user=root --", "--user", false),
        ("mx ports --user root --", "--user", false),
        ("mx ports --user root --", "--tcp", true),
        ("mx ports --help --", "--tcp", false),
        ("mx ports --user --help --", "--tcp", true),
        ("mx ports -- --", "--tcp", false),
    ] {
        assert_eq!(is_offered(words, option), expected, "{words}: {option}");
    }
    assert_eq!(offered("mx --help po"), "");
    assert_eq!(offered("mx setup --help z"), "");
    // The value of an option that is given.
    assert!(offered("mx ports kill --signal HU").starts_with("HUP\t"));
    assert_eq!(offered("mx ports --color al"), "always\tAlways\n");
}

#[test]
fn arguments_behind_two_dashes_are_completed() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let port = format!("{}\t", fixture.port(0));
    for words in ["mx ports -- ", "mx ports kill -- 1 ", "mx ports watch --tcp -- "] {
        let ports = offered(words);
        assert!(ports.contains(&port), "{words}: {ports}");
        assert!(!ports.contains("kill\t"), "{words}: {ports}");
    }
    assert_eq!(offered("mx setup -- zs"), "zsh\tThe Z shell\n");
    assert_eq!(offered("mx setup -- zsh ba"), "");
    for words in ["mx limits run -- nofil", "mx ports wait 3000 -- nofil"] {
        assert_eq!(offered(words), offered("nofil"), "{words}: a program follows");
    }
}

#[test]
fn a_quoted_word_with_a_blank_is_no_subcommand() {
    for words in ["\"ports kill\"", "ports\\ kill", "\"limits run\"", "'ports watch'"] {
        let all = offered(&format!("mx {} --", words.replace('\'', "\\'")));
        for option in ["--grace", "--signal", "--interval", "--tcp", "--pid"] {
            assert!(!all.contains(option), "{words}: {all}");
        }
        assert!(all.contains("--json"), "{words}: {all}");
    }
    assert!(offered("mx \"ports\" kill --gr").starts_with("--grace\t"));
    assert!(offered("mx ports kill \"a b\" --gr").starts_with("--grace\t"));
    assert_eq!(offered("mx limits \"run nofile\" -- nofil"), offered("mx limits x -- nofil"));
}

#[test]
fn quotes_in_the_words_of_another_program_are_kept() {
    // How many words the completion of another program sees, and the last one.
    for (words, seen) in [
        ("own a b ", "3 b"),
        (r#"own "a b" "#, "2 a b"),
        (r"own a\ b ", "2 a b"),
        (r#"own "it is -- x" y "#, "3 y"),
    ] {
        let text = format!(
            "source \"$ROOT/completions/mx.fish\"\n\
             function seen; set -l w (commandline -opc); echo (count $w) $w[-1]; end\n\
             complete -c own -f -a '(seen)'\n\
             complete -C 'mx limits run nofile=64 -- {words}'"
        );
        let output = script(&text);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(printed.replace('\\', "").trim_end(), seen, "{words}: {output:?}");
    }
}

#[test]
fn a_hostile_process_name_stays_inert() {
    if !cfg!(target_os = "linux") {
        return; // Only Linux lets a test rename a process.
    }
    let name = crate::fixture::hex(b"mxf `$(x);'");
    let fixture = Fixture::new(&format!("tcp 127.0.0.1:0\nname {name}"));
    let home = home("");
    assert!(setup(home.path(), &[]).status.success());
    let mut terminal = fish(&home);
    terminal.type_text("mx ports --table mxf\t");
    terminal.wait_for_text(r"mx ports --table mxf");
    terminal.type_text("\r");
    let screen =
        terminal.wait_for("the row of the port", |text| text.contains(&fixture.pid().to_string()));
    assert!(screen.contains("mxf"), "{screen}");
}

#[test]
fn starting_is_silent_and_starts_no_process() {
    let home = home("");
    let start = |home: &Path| {
        let home = format!("HOME={}", home.display());
        started_processes(&["env", &home, "fish", "-c", "true"])
    };
    let without = start(home.path());
    assert!(setup(home.path(), &[]).status.success());
    assert_eq!(start(home.path()), without);
    let output = script(
        "source \"$ROOT/shell/mx.fish\"; source \"$ROOT/completions/mx.fish\"; mx --version",
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let version = concat!("mx ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), version);
}

#[test]
fn without_the_program_the_function_says_so() {
    let output = script(
        "source \"$ROOT/shell/mx.fish\"; set PATH /nonexistent; mx ports; echo status $status",
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "status 127\n");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.starts_with("mx: cannot run: the program mx is not on PATH\nhint: "), "{error}");
}

#[test]
fn files_of_the_user_are_neither_replaced_nor_removed() {
    let home = home("");
    let own = home.path().join(".config/fish/completions/mx.fish");
    fs::create_dir_all(own.parent().expect("a directory")).expect("a directory");
    fs::write(&own, "complete -c mx -a mine\n").expect("a file");
    let refused = setup(home.path(), &[]);
    assert_eq!(refused.status.code(), Some(3));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("completions/mx.fish: it is there already"), "{error}");
    assert!(!home.path().join(".config/fish/functions").exists(), "nothing else was written");

    fs::remove_file(&own).expect("a file");
    assert!(setup(home.path(), &[]).status.success());
    assert!(own.exists());
    assert!(setup(home.path(), &["--uninstall"]).status.success());
    assert!(!own.exists() && !home.path().join(".config/fish/functions/mx.fish").exists());
    assert!(home.path().join(".config/fish/config.fish").exists());
}
