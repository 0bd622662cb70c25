//! Shells that were open when the integration was removed: a key must not meet what is
//! gone, and each word completes as if mx had never been set up.

use std::fs;
use std::path::Path;
use std::process::Command;

use portable_pty::CommandBuilder;
use tempfile::TempDir;

use crate::cli::{MX, path};
use crate::terminal::Terminal;

const PROMPT: &str = "ready>";

/// A home with a start-up file for each shell, and a file whose name can be completed.
fn home() -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    let fish = home.path().join(".config/fish");
    fs::create_dir_all(&fish).expect("a directory");
    for (file, text) in [
        (".zshrc", "PS1='ready> '; unset RPS1; autoload -Uz compinit; compinit -u -D\n"),
        (".bashrc", "PS1='ready> '\n"),
        (
            ".config/fish/config.fish",
            "function fish_prompt; echo 'ready> '; end\nset fish_greeting\n",
        ),
        ("a-file-of-mine", ""),
    ] {
        fs::write(home.path().join(file), text).expect("a file");
    }
    home
}

fn setup(home: &Path, arguments: &[&str]) {
    let mut command = Command::new(MX);
    command.arg("setup").args(arguments).env_clear().env("HOME", home);
    assert!(command.output().expect("mx runs").status.success());
}

/// An interactive shell at its first prompt.
fn open(shell: &str, home: &Path) -> Terminal {
    let mut command = CommandBuilder::new(shell);
    match shell {
        // -d leaves out the start-up files of the system.
        "zsh" => command.args(["-d", "-i"]),
        "bash" => command.args(["--noprofile", "-i"]),
        _ => command.arg("-i"),
    }
    command.env_clear();
    command.env("HOME", home);
    command.env("INPUTRC", "/dev/null");
    command.env("PATH", path());
    command.env("TERM", "xterm");
    command.env("LANG", "C.UTF-8");
    command.cwd(home);
    let mut terminal = Terminal::new(command, 100);
    terminal.wait_for_text(PROMPT);
    terminal
}

#[test]
fn a_tab_completes_files_after_the_removal() {
    for shell in ["zsh", "bash", "fish"] {
        let home = home();
        setup(home.path(), &[shell]);
        let mut terminal = open(shell, home.path());
        setup(home.path(), &[shell, "--uninstall"]);
        terminal.type_text("mx a-fi\t");
        terminal.wait_for_text("mx a-file-of-mine");
        terminal.type_text("\x15mx copy a-fi\t");
        let screen = terminal.wait_for_text("mx copy a-file-of-mine");
        assert!(!screen.contains("not found") && !screen.contains("No such"), "{shell}: {screen}");
        terminal.type_text("\x15mx --version\r");
        terminal.wait_for_text(concat!("\nmx ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn what_was_loaded_before_the_removal_goes_on() {
    for shell in ["zsh", "bash", "fish"] {
        let home = home();
        setup(home.path(), &[shell]);
        let mut terminal = open(shell, home.path());
        terminal.type_text("mx po\t");
        terminal.wait_for_text("> mx ports");
        setup(home.path(), &[shell, "--uninstall"]);
        for _ in 0..2 {
            terminal.type_text("\x15mx setup --unin\t");
            let screen = terminal.wait_for_text("mx setup --uninstall");
            assert!(!screen.contains("not found"), "{shell}: {screen}");
            terminal.type_text("\x15clear\r");
        }
    }
}

#[test]
fn a_shell_without_the_program_completes_files() {
    for (shell, load) in [("zsh", "eval \"$(mx init zsh)\""), ("bash", "eval \"$(mx init bash)\"")]
    {
        let home = home();
        let file = home.path().join(if shell == "zsh" { ".zshrc" } else { ".bashrc" });
        let text = fs::read_to_string(&file).expect("a file");
        fs::write(&file, format!("{text}{load}\nPATH=/usr/bin:/bin\n")).expect("a file");
        let mut terminal = open(shell, home.path());
        terminal.type_text("mx a-fi\t");
        terminal.wait_for_text("mx a-file-of-mine");
    }
}

#[test]
fn fish_without_the_program_is_silent() {
    for load in [
        "source $ROOT/completions/mx.fish",
        "$MX init fish | source",
        "$MX init fish --whole | source",
    ] {
        for words in ["mx ports ", "mx limits --pid ", "mx ", "mx limits raise nofi"] {
            let text = format!("{load}; set PATH /nonexistent; complete -C '{words}'");
            let output = Command::new("fish")
                .args(["--no-config", "-c", &text])
                .env_clear()
                .env("PATH", path())
                .env("MX", MX)
                .env("ROOT", crate::zsh::root())
                .output()
                .expect("fish runs");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{load}: {words}");
        }
    }
}

#[test]
fn a_widget_says_that_it_is_gone_and_the_line_stays() {
    for widget in ["mx-paste", "mx-copy-line"] {
        let home = home();
        let zshrc = home.path().join(".zshrc");
        let text = fs::read_to_string(&zshrc).expect("a file");
        fs::write(&zshrc, format!("{text}bindkey '^Xp' {widget}\n")).expect("a file");
        setup(home.path(), &["zsh"]);
        let mut terminal = open("zsh", home.path());
        setup(home.path(), &["zsh", "--uninstall"]);
        for _ in 0..2 {
            terminal.type_text("echo mine\x18p");
            let screen = terminal.wait_for_text("mx: the integration was removed");
            assert!(screen.contains("> echo mine"), "{widget}: {screen}");
            assert!(!screen.contains("not found"), "{widget}: {screen}");
            terminal.type_text("\x15clear\r");
            terminal.wait_for("an empty screen", |text| !text.contains("removed"));
        }
    }
}

#[test]
fn unloading_after_the_removal_says_why_it_cannot() {
    let home = home();
    setup(home.path(), &["zsh"]);
    let mut terminal = open("zsh", home.path());
    setup(home.path(), &["zsh", "--uninstall"]);
    terminal.type_text("mx_plugin_unload; print status $?\r");
    let screen = terminal.wait_for_text("\nstatus 1\n");
    assert!(screen.contains("mx: cannot unload: the integration was removed"), "{screen}");
}
