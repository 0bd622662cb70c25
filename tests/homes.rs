//! Setup in homes as people have them: what is in the way, and what is left over.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cli::{MX, path};

/// The user and the group that own nothing.
const NOBODY: u32 = 65534;

fn home(file: &str, text: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join(file), text).expect("a file");
    home
}

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(MX);
    command.args(arguments).env_clear().env("HOME", home).env("PATH", path());
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    command(home, arguments).output().expect("mx runs")
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// The file that holds the start-up lines of a shell.
fn startup(shell: &str) -> &'static str {
    if shell == "zsh" { ".zshrc" } else { ".bashrc" }
}

#[test]
fn a_last_line_that_a_backslash_continues_keeps_its_meaning() {
    for (shell, text) in [
        ("zsh", "export FOO=bar\\"),
        ("zsh", "export FOO=bar\\\n"),
        ("bash", "export FOO=bar\\"),
        ("bash", "export FOO=bar\\\n"),
        ("bash", "# FOO\nexport FOO=bar # it's\\\\\\"),
    ] {
        let home = home(startup(shell), text);
        let file = home.path().join(startup(shell));
        let call = |line: &str| {
            let mut command = Command::new(shell);
            command.args(if shell == "zsh" { &["-f", "-c"][..] } else { &["-c"] });
            command.arg(format!("source \"$HOME/{}\"; {line}", startup(shell)));
            command.env_clear().env("HOME", home.path()).env("PATH", path());
            String::from_utf8_lossy(&command.output().expect("the shell runs").stdout).into_owned()
        };
        let before = call("echo \"<$FOO>\"");
        assert!(run(home.path(), &["setup", shell]).status.success());
        // bash takes a backslash that ends a file for itself, which no other line can follow.
        let before = if shell == "bash" { before.replace("bar\\", "bar") } else { before };
        assert_eq!(call("echo \"<$FOO>\""), before, "{shell}: {text}");
        assert!(call("type mx").contains("function"), "{shell}: {text}");
        assert!(run(home.path(), &["setup", shell, "--uninstall"]).status.success());
        assert_eq!(fs::read_to_string(file).expect("a file"), text);
    }
}

#[test]
fn a_file_that_ends_within_something_is_not_added_to() {
    for (shell, text) in [
        ("zsh", "FOO='open\n"),
        ("zsh", "if true; then\n"),
        ("zsh", "f() {\n"),
        ("bash", "FOO=\"open\n"),
        ("bash", "x=$(echo\n"),
        ("bash", "case $x in\n"),
    ] {
        let home = home(startup(shell), text);
        let file = home.path().join(startup(shell));
        let refused = run(home.path(), &["setup", shell]);
        assert_eq!(refused.status.code(), Some(3), "{shell}: {text}");
        let error = error(&refused);
        let expected =
            format!("mx: cannot add to {}: {shell} finds an error in it: ", file.display());
        assert!(error.starts_with(&expected), "{shell}: {text}: {error}");
        assert!(error.ends_with("hint: mend the file, then try again\n"), "{error}");
        assert_eq!(files(home.path()), [file], "nothing was written");
    }
}

#[test]
fn a_zdotdir_that_is_not_exported_is_found() {
    let home = home(".zshenv", "ZDOTDIR=$HOME/my\\ zsh\nprint noise\n");
    fs::create_dir(home.path().join("my zsh")).expect("a directory");
    let zshrc = home.path().join("my zsh/.zshrc");
    fs::write(&zshrc, "# mine\n").expect("a file");
    assert!(run(home.path(), &["setup", "zsh"]).status.success());
    assert!(fs::read_to_string(&zshrc).expect("a file").contains("# >>> mx >>>"));
    assert!(!home.path().join(".zshrc").exists());
    assert!(run(home.path(), &["limits", "persist", "core=0"]).status.success());
    assert!(fs::read_to_string(&zshrc).expect("a file").contains("_mx_raise"));
    assert!(run(home.path(), &["setup", "zsh", "--uninstall"]).status.success());
    assert_eq!(fs::read_to_string(&zshrc).expect("a file"), "# mine\n");
    // A file that never ends is not waited for.
    fs::write(home.path().join(".zshenv"), "while :; do :; done\n").expect("a file");
    let start = Instant::now();
    assert!(run(home.path(), &["setup", "zsh"]).status.success());
    assert!(start.elapsed() < Duration::from_secs(60));
    assert!(home.path().join(".zshrc").exists());
}

#[test]
fn what_a_killed_run_has_left_is_removed() {
    let home = home(".zshrc", "# mine\n");
    let functions = home.path().join(".local/share/mx/zsh/shell/functions");
    fs::create_dir_all(&functions).expect("a directory");
    for name in [".mx-aB3xY9", ".mx-notours", ".mx-own"] {
        fs::write(home.path().join(name), "").expect("a file");
    }
    fs::write(functions.join(".mx-123456"), "").expect("a file");
    assert!(run(home.path(), &["setup", "zsh"]).status.success());
    assert!(run(home.path(), &["setup", "zsh", "--uninstall"]).status.success());
    let mut left = files(home.path());
    left.sort();
    assert_eq!(left, [".mx-notours", ".mx-own", ".zshrc"].map(|name| home.path().join(name)));
}

#[test]
fn two_hundred_killed_runs_leave_the_file_whole() {
    let text = "alias x=y\n# no newline at the end";
    let home = home(".zshrc", text);
    let zshrc = home.path().join(".zshrc");
    assert!(run(home.path(), &["setup", "zsh"]).status.success());
    let with = fs::read_to_string(&zshrc).expect("a file");
    let start = Instant::now();
    assert!(run(home.path(), &["setup", "zsh", "--uninstall"]).status.success());
    let length = start.elapsed();
    for round in 0..20_u32 {
        let mut running: Vec<_> = (0..10_u32)
            .map(|index| {
                let arguments = [&["setup", "zsh"][..], &["setup", "zsh", "--uninstall"]];
                let mut command = command(home.path(), arguments[(index % 2) as usize]);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                command.spawn().expect("mx starts")
            })
            .collect();
        for (index, child) in running.iter_mut().enumerate() {
            // At any moment of a run, another one in each round.
            let share = (round * 7 + u32::try_from(index).expect("a small number") * 13) % 20;
            std::thread::sleep(length * share / 100);
            child.kill().expect("a child");
            child.wait().expect("a child");
            let now = fs::read_to_string(&zshrc).expect("a file");
            assert!(now == text || now == with, "{now}");
        }
    }
    assert!(run(home.path(), &["setup", "zsh"]).status.success());
    assert_eq!(fs::read_to_string(&zshrc).expect("a file"), with);
    assert!(run(home.path(), &["setup", "zsh", "--uninstall"]).status.success());
    assert_eq!(fs::read_to_string(&zshrc).expect("a file"), text);
    assert_eq!(files(home.path()), [zshrc]);
}

/// Only root can give files away and mount.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn a_file_that_could_not_keep_its_owner_is_not_replaced() {
    if !cfg!(target_os = "linux") || !is_root() {
        return;
    }
    for (owner, group) in [(NOBODY, 0), (0, NOBODY)] {
        let home = home(".zshrc", "# mine\n");
        let zshrc = home.path().join(".zshrc");
        fs::set_permissions(&zshrc, fs::Permissions::from_mode(0o666)).expect("a mode");
        chown(&zshrc, Some(owner), Some(group)).expect("an owner");
        chown(home.path(), Some(NOBODY), Some(NOBODY)).expect("an owner");
        // A copy, as nobody may not see this one.
        let program = tempfile::tempdir().expect("a directory");
        fs::copy(MX, program.path().join("mx")).expect("a copy");
        fs::set_permissions(program.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let refused = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program.path().join("mx"))
            .args(["setup", "zsh"])
            .env_clear()
            .env("HOME", home.path())
            .output()
            .expect("setpriv runs");
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        let file = zshrc.display();
        let expected = format!(
            "mx: cannot write {file}: its owner or its group is not yours, and would be lost\n\
             hint: add this line to {file}: eval \"$(mx init zsh)\"\n"
        );
        assert_eq!(error(&refused), expected);
        assert_eq!(files(home.path()), [zshrc], "nothing was written");
    }
}

#[test]
fn root_does_not_write_into_the_home_of_a_user() {
    if !is_root() {
        return;
    }
    for shell in ["zsh", "bash", "fish"] {
        let home = home(".zshrc", "# mine\n");
        chown(home.path(), Some(NOBODY), None).expect("an owner");
        let refused = run(home.path(), &["setup", shell]);
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        let error = error(&refused);
        let expected =
            format!("mx: cannot write to {}: it belongs to nobody", home.path().display());
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains(&format!("hint: run mx setup {shell} as nobody")), "{error}");
        assert_eq!(files(home.path()), [home.path().join(".zshrc")], "nothing was written");
    }
}

#[test]
fn a_file_that_is_mounted_is_not_replaced() {
    const SCRIPT: &str = r#"set -e
        mount --bind "$HOME/other" "$HOME/.zshrc"
        if "$MX" setup zsh; then exit 9; fi
        find "$HOME" -type f"#;

    let allowed = Command::new("unshare").args(["--mount", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return; // It takes a namespace of mounts, which root may make.
    }
    let parent = tempfile::tempdir().expect("a directory");
    // A name with a blank is written otherwise in the list of mounts.
    let home = parent.path().join("a home");
    fs::create_dir(&home).expect("a directory");
    for name in ["other", ".zshrc"] {
        fs::write(home.join(name), "# mine\n").expect("a file");
    }
    let output = Command::new("unshare")
        .args(["--mount", "bash", "-c", SCRIPT])
        .env("HOME", &home)
        .env("MX", MX)
        .output()
        .expect("unshare runs");
    assert!(output.status.success(), "{output:?}");
    let file = home.join(".zshrc");
    let expected = format!(
        "mx: cannot write {file}: it is mounted from elsewhere, and cannot be replaced\n\
         hint: add this line to {file}: eval \"$(mx init zsh)\"\n",
        file = file.display()
    );
    assert_eq!(error(&output), expected);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2, "{output:?}");
}

#[test]
fn a_block_that_no_shell_gets_to_is_reported() {
    for (shell, text, reached) in [
        ("zsh", "return\n", false),
        ("zsh", "exec true\n", false),
        ("zsh", "[[ -n $NONE ]] || exit 0\n", false),
        ("zsh", "autoload -Uz compinit; compinit -u -D\n", true),
        ("bash", "return\n", false),
        ("bash", "exec cat\n", false),
        ("bash", "case $- in *i*) ;; *) return ;; esac\n", true),
    ] {
        let home = home(startup(shell), text);
        let file = home.path().join(startup(shell));
        let output = run(home.path(), &["setup", shell]);
        assert!(output.status.success(), "{output:?}");
        let error = error(&output);
        let message = format!("mx: a new {shell} does not get to the block in {}", file.display());
        assert_eq!(error.starts_with(&message), !reached, "{shell}: {text}: {error}");
        assert!(!error.contains("compinit"), "{error}");
        let hint = format!("hint: open a new shell, or run: exec {shell}\n");
        assert!(error.ends_with(&hint), "{error}");
    }
}

#[test]
fn what_a_new_user_has_to_do_is_said() {
    let home = home(".zshrc", "# mine\n");
    let error_of = |path_before: &str| {
        let mut setup = command(home.path(), &["setup", "zsh"]);
        let output = setup.env("PATH", format!("{path_before}:{}", path())).output().expect("mx");
        assert!(run(home.path(), &["setup", "zsh", "--uninstall"]).status.success());
        error(&output)
    };
    let shown = home.path().display();
    let first = error_of("/nowhere");
    for line in [
        format!(
            "mx: zsh completes nothing until {shown}/.zshrc has this line: \
             autoload -Uz compinit; compinit\n"
        ),
        format!("mx: man mx finds its pages after: export MANPATH={shown}/.local/share/man:\n"),
        format!("mx: with sudo, type the whole path: sudo {MX}\n"),
    ] {
        assert!(first.contains(&line), "{line}: {first}");
    }
    // man looks beside the directories of PATH.
    let second = error_of(&format!("{shown}/.local/bin"));
    assert!(!second.contains("MANPATH"), "{second}");
}
