//! The bash integration in a real bash: typed into a pseudo-terminal, read from the screen.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use portable_pty::CommandBuilder;
use tempfile::TempDir;

use crate::cli::{MX, path, patient_path};
use crate::fixture::Fixture;
use crate::terminal::Terminal;
use crate::zsh::{root, started_processes};

const PROMPT: &str = "ready>";

/// The ways to load the integration.
const LOADED: [&str; 2] = ["source \"$ROOT/shell/mx.bas\"h", "eval \"$(mx init bash)\""];

/// A home with a start-up file of these lines.
fn home(lines: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join(".bashrc"), format!("PS1='{PROMPT} '\n{lines}\n")).expect("a file");
    home
}

fn bash(home: &TempDir) -> Terminal {
    let mut command = CommandBuilder::new("bash");
    command.arg("--noprofile");
    command.arg("--rcfile");
    command.arg(home.path().join(".bashrc"));
    command.arg("-i");
    command.env_clear();
    command.env("HOME", home.path());
    command.env("INPUTRC", "/dev/null");
    command.env("PATH", patient_path(home.path()));
    command.env("ROOT", root());
    command.env("TERM", "xterm");
    command.env("LANG", "C.UTF-8");
    let mut terminal = Terminal::new(command, 100);
    terminal.wait_for_text(PROMPT);
    terminal
}

/// A script in a bash that reads no start-up file.
fn script(text: &str) -> Output {
    Command::new("bash")
        .args(["--noprofile", "--norc", "-c", text])
        .env_clear()
        .env("PATH", path())
        .env("ROOT", root())
        .env("MX", MX)
        .output()
        .expect("bash runs")
}

#[test]
fn tab_completes_commands_ports_and_options() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let port = fixture.port(0).to_string();
    for lines in LOADED {
        let mut terminal = bash(&home(lines));
        terminal.type_text("mx po\t");
        terminal.wait_for_text("> mx ports");
        terminal.type_text("k\t");
        terminal.wait_for_text("> mx ports kill");
        terminal.type_text(&format!("\x15mx ports localhost:{port}\t--js\t"));
        terminal.wait_for_text(&format!("mx ports localhost:{port} --json"));
        terminal.type_text("\r");
        terminal.wait_for_text("\"schema\": \"mx.ports/1\"");
    }
}

#[test]
fn tab_completes_values_and_never_a_hidden_command_or_a_file() {
    let mut terminal = bash(&home(LOADED[0]));
    terminal.type_text("mx --color=al\t");
    terminal.wait_for_text("mx --color=always");
    terminal.type_text("\x15mx --color nev\t");
    terminal.wait_for_text("mx --color never");
    terminal.type_text("\x15mx p kill --signal HU\t");
    terminal.wait_for_text("mx p kill --signal HUP");
    terminal.type_text("\x15mx \t\t");
    let screen = terminal.wait_for("every command", |text| {
        ["ports", "setup", "init", "help"].iter().all(|command| text.contains(command))
    });
    assert!(!screen.contains("__complete"), "{screen}");
    terminal.type_text("\x15mx setup zsh .bash\t\t; echo none\r");
    terminal.wait_for_text("setup zsh .bash; echo none");
}

/// What bash offers for these words, each between blanks.
fn offered(words: &str) -> String {
    let output = script(&format!(
        "source \"$ROOT/completions/mx.bash\"; COMP_LINE='{words}' COMP_WORDS=({words}) COMP_POINT={length}\n\
         [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')\n\
         COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); _mx; echo \" ${{COMPREPLY[*]-}} \"",
        length = words.len(),
    ));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn options_that_are_given_are_not_offered_again() {
    for (words, option, expected) in [
        ("mx ports --", "--json", true),
        ("mx ports --json --", "--json", false),
        ("mx --json ports --", "--json", false),
        // What conflicts with it, and its other name.
        ("mx ports --json --", "--table", false),
        ("mx ports kill -y --", "--yes", false),
        ("mx ports kill --yes -", "-y", false),
        ("mx ports kill -qy --", "--quiet", false),
        ("mx ports kill -y --", "--dry-run", true),
        ("mx ports kill --dry-run --", "--yes", true),
        ("mx ports kill -y --", "--force", true),
        ("mx ports --user root --", "--user", false),
        ("mx ports --user root --", "--tcp", true),
        ("mx ports --help --", "--tcp", false),
        ("mx ports --user --help --", "--tcp", true),
        ("mx ports -- --", "--tcp", false),
    ] {
        let offered = offered(words);
        assert_eq!(offered.contains(&format!(" {option} ")), expected, "{words}: {offered}");
    }
    assert_eq!(offered("mx --help po"), "  \n");
    assert_eq!(offered("mx setup --help z"), "  \n");
    // The value of an option that is given, and where it ends.
    assert_eq!(offered("mx ports kill --signal HU"), " HUP \n");
    assert_eq!(offered("mx ports --color al"), " always \n");
    // bash splits the word at the sign.
    let mut terminal = bash(&home(LOADED[0]));
    terminal.type_text("mx ports --user=root --us\t --ud\t");
    terminal.wait_for_text("mx ports --user=root --us --udp");
}

#[test]
fn arguments_behind_two_dashes_are_completed() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let port = format!(" {} ", fixture.port(0));
    for words in ["mx ports -- ", "mx ports kill -- 1 ", "mx ports watch --tcp -- "] {
        let ports = offered(words);
        assert!(ports.contains(&port), "{words}: {ports}");
        assert!(!ports.contains(" kill "), "{words}: {ports}");
    }
    assert_eq!(offered("mx setup -- zs"), " zsh \n");
    assert_eq!(offered("mx setup -- zsh ba"), "  \n");
    assert_eq!(offered("mx limits run -- mx-no-such-prog"), "  \n", "a program stands there");
    assert!(offered("mx limits run -- env").contains(" env "));
    // Here, too, and an argument of it is none of this program.
    assert_eq!(offered("mx ports wait 3000 -- mx-no-such-prog"), "  \n");
    assert!(offered("mx ports wait --free 3000 -- env").contains(" env "));
}

#[test]
fn words_of_another_program_are_completed_by_its_own_completion() {
    assert_eq!(offered("mx limits run -- mx ports --ud"), " --udp \n");
    assert_eq!(offered("mx limits run nofile=64 -- mx --color ne"), " never \n");
    let output = script(
        "source \"$ROOT/completions/mx.bash\"\n\
         _own() { COMPREPLY=(\"$COMP_CWORD,$1,$2,$3,$COMP_LINE,$COMP_POINT\"); }; complete -F _own own\n\
         COMP_LINE='mx limits run -- own a --op' COMP_WORDS=(mx limits run -- own a --op)\n\
         COMP_CWORD=6 COMP_POINT=27; _mx; echo \"$COMPREPLY\"; echo \"$COMP_CWORD $COMP_LINE\"",
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let expected = "2,own,--op,a,own a --op,10\n6 mx limits run -- own a --op\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    // One without a completion takes files.
    assert_eq!(offered("mx limits run -- mx-none --op"), "  \n");
}

#[test]
fn names_that_the_user_made_readonly_do_no_harm() {
    let names = "word words line rest i j n path option options names name entry help last literal \
        hidden commands arguments conflicts pair prefix values typed list program spec offset kept \
        cur prev cword current previous aliases home handler others pattern address breaks";
    for load in LOADED {
        let readonly = format!("{load}\nfor each in {names}; do readonly $each=mine; done");
        let mut terminal = bash(&home(&readonly));
        for (typed, completed) in [
            ("mx po\t", "mx ports"),
            ("mx p kill -y --dr\t", "mx p kill -y --dry-run"),
            ("mx --color=al\t", "mx --color=always"),
            ("mx p kill --signal HU\t", "mx p kill --signal HUP"),
            ("mx limits raise nofil\t", "mx limits raise nofile="),
            ("mx limits run -- mx ports --ud\t", "mx limits run -- mx ports --udp"),
        ] {
            terminal.type_text(&format!("\x15{typed}"));
            let screen = terminal.wait_for_text(&format!("> {completed}"));
            assert!(!screen.contains("readonly variable"), "{load}: {screen}");
        }
    }
}

#[test]
fn a_name_leads_to_the_pids_of_that_name() {
    // What runs in the group of a completion is left out.
    let fixture = || {
        let mut command = Fixture::command("", &["mx-name-of-a-process".as_ref()]);
        command.process_group(0);
        Fixture::with(command)
    };
    let first = fixture();
    for words in ["mx limits --pid MX-name-of", "mx limits set --pid mx-name-of-a-process"] {
        assert_eq!(offered(words), format!(" {} \n", first.pid()), "{words}");
    }
    let second = fixture();
    let both = offered("mx limits --pid mx-name-of");
    assert!(both.contains(&first.pid().to_string()), "{both}");
    assert!(both.contains(&second.pid().to_string()), "{both}");
    assert_eq!(offered("mx limits --pid mx-no-such-name"), "  \n");
}

#[test]
fn a_hostile_process_name_stays_inert() {
    if !cfg!(target_os = "linux") {
        return; // Only Linux lets a test rename a process.
    }
    let name = crate::fixture::hex(b"mxh `$(x);'");
    let fixture = Fixture::new(&format!("tcp 127.0.0.1:0\nname {name}"));
    let mut terminal = bash(&home(LOADED[0]));
    terminal.type_text("mx ports mxh\t");
    terminal.wait_for_text(r"mx ports mxh\ \`\$\(x\)\;\'");
    terminal.type_text("--table\r");
    terminal.wait_for("the row of the port", |text| text.contains(&fixture.pid().to_string()));
}

#[test]
fn sourcing_is_silent_and_starts_no_process() {
    for options in [
        "",
        "set -euo pipefail",
        "set -o posix",
        "shopt -s expand_aliases\nalias mx=false function=false local=false case=false",
    ] {
        for load in ["source \"$ROOT/shell/mx.bas\"h", "eval \"$($MX init bash)\""] {
            let output = script(&format!("{options}\n{load}\n\\mx --version"));
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{options}: {load}");
            let version = concat!("mx ", env!("CARGO_PKG_VERSION"), "\n");
            assert_eq!(String::from_utf8_lossy(&output.stdout), version, "{options}: {load}");
        }
    }
    let bash = |text: &str| started_processes(&["bash", "--norc", "--noprofile", "-c", text]);
    if let (Some(without), Some(with)) = (bash(":"), bash(LOADED[0])) {
        assert_eq!(with, without);
        assert!(bash("x=$(:)") > Some(without), "a fork is noticed");
    }
}

#[test]
fn sourcing_leaves_the_shell_as_it_was() {
    let output = script(
        "shopt -s expand_aliases; IFS=x; before=\"$(shopt; set -o; alias)\"\n\
         source \"$ROOT/shell/mx.bas\"h\n\
         [[ \"$(shopt; set -o; alias)\" == \"$before\" ]] && echo same; compgen -v _mx; compgen -A function",
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "same\n_mx_home\n_mx\nmx\n");
}

#[test]
fn the_function_is_read_at_its_first_use() {
    // What it leaves is what it would have left at once, wherever the shell is by then.
    let output = script(
        "shopt -s expand_aliases; alias mx=false local=false; IFS=x; before=\"$(shopt; set -o; alias)\"\n\
         cd \"$ROOT/shell\" && source ./mx.bash; cd /\n\
         (\\mx --version); \\mx ports '' 2>&1; echo \"status $?\"\n\
         [[ \"$(shopt; set -o; alias)\" == \"$before\" ]] && echo same\n\
         compgen -v _mx; compgen -A function; declare -f mx | grep -c MX_INTEGRATION",
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = concat!("mx ", env!("CARGO_PKG_VERSION"), "\n");
    assert!(text.starts_with(&format!("{version}mx: cannot use '' as a selector: ")), "{text}");
    assert!(text.ends_with("status 2\nsame\n_mx_home\n_mx\nmx\n1\n"), "{text}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_shell_outlives_the_files() {
    let version = concat!("mx ", env!("CARGO_PKG_VERSION"), "\n");
    let copy = "home=$(mktemp -d); mkdir $home/shell; cp \"$ROOT\"/shell/*.bash $home/shell\n\
                source $home/shell/mx.bash";
    for damage in ["rm -r $home", ": >$home/shell/function.bash; trap 'rm -r $home' EXIT"] {
        for options in ["", "set -euo pipefail", "set -o posix"] {
            let text = format!("{options}\n{copy}\n{damage}\nmx --version; mx --version");
            let output = script(&text);
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{text}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), version.repeat(2), "{text}");
        }
    }
}

#[test]
fn without_the_program_the_function_says_so() {
    let output =
        script("source \"$ROOT/shell/mx.bash\"; PATH=/nonexistent; mx ports; echo \"status $?\"");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "status 127\n");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.starts_with("mx: cannot run: the program mx is not on PATH\nhint: "), "{error}");
}

#[test]
fn setup_makes_the_next_shell_complete() {
    let home = home("");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(MX);
        command.args(arguments).env_clear().env("HOME", home.path());
        assert!(command.output().expect("mx runs").status.success());
    };
    let before = fs::read(home.path().join(".bashrc")).expect("a start-up file");
    run(&["setup", "bash"]);
    let mut terminal = bash(&home);
    terminal.type_text("mx po\t");
    terminal.wait_for_text("> mx ports");
    drop(terminal);
    // A login shell that reads only .profile has the function, and sh is not disturbed by it.
    let login = Command::new("bash")
        .args(["-l", "-c", "type -t mx"])
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", path())
        .output()
        .expect("bash runs");
    assert!(String::from_utf8_lossy(&login.stdout).ends_with("function\n"), "{login:?}");
    let sh = Command::new("sh")
        .arg("-euc")
        .arg(". \"$HOME/.profile\"; echo fine")
        .env("HOME", home.path())
        .output();
    assert_eq!(sh.expect("sh runs").stdout, b"fine\n");
    run(&["setup", "bash", "--uninstall"]);
    assert_eq!(fs::read(home.path().join(".bashrc")).expect("a start-up file"), before);
    assert!(!home.path().join(".profile").exists());
}
