//! Installing the integration where something is in the way, and keeping it up to date.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::cli::{MX, path};

const ZSHRC: &str = "alias x=y\n# no newline at the end";

/// A home with a start-up file.
fn home() -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join(".zshrc"), ZSHRC).expect("a file");
    home
}

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(MX);
    command.args(arguments).env_clear().env("HOME", home);
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

fn function(home: &Path) -> PathBuf {
    home.join(".local/share/mx/zsh/shell/functions/mx")
}

#[test]
fn runs_at_the_same_time_leave_one_block_or_none() {
    let home = home();
    let zshrc = home.path().join(".zshrc");
    for _ in 0..5 {
        let arguments = [&["setup", "zsh"][..], &["setup", "zsh", "--uninstall"]];
        let running: Vec<_> = arguments
            .iter()
            .cycle()
            .take(8)
            .map(|arguments| {
                let mut command = command(home.path(), arguments);
                command.stdout(Stdio::null()).stderr(Stdio::null());
                command.spawn().expect("mx starts")
            })
            .collect();
        for mut child in running {
            assert!(child.wait().expect("it ends").success());
        }
        let text = fs::read_to_string(&zshrc).expect("a file");
        let installed = function(home.path()).exists();
        assert_eq!(text.matches("# <<< mx <<<").count(), usize::from(installed), "{text}");
        assert!(run(home.path(), &["setup", "zsh"]).status.success());
        assert!(run(home.path(), &["setup", "zsh", "--uninstall"]).status.success());
        assert_eq!(fs::read_to_string(&zshrc).expect("a file"), ZSHRC);
        assert_eq!(files(home.path()), std::slice::from_ref(&zshrc));
    }
}

/// Fills a disk, installs, and lists what is there after uninstalling.
const SCRIPT: &str = r#"
        set -e
        mount -t tmpfs -o size=1M tmpfs "$HOME"
        printf '%s' "$TEXT" >"$HOME/.zshrc"
        head -c 2M /dev/zero >"$HOME/ballast" 2>/dev/null || :
        if "$MX" setup zsh; then exit 9; fi
        cmp "$HOME/.zshrc" <(printf '%s' "$TEXT")
        # Now there is room.
        rm "$HOME/ballast"
        "$MX" setup zsh >/dev/null 2>&1
        # And none to remove it.
        head -c 2M /dev/zero >"$HOME/ballast" 2>/dev/null || :
        "$MX" setup zsh --uninstall >/dev/null
        rm "$HOME/ballast"
        find "$HOME" -type f"#;

#[test]
fn a_full_disk_leaves_the_old_file() {
    // A disk of its own takes a namespace of mounts, which root may make.
    let allowed = Command::new("unshare").args(["--mount", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new("unshare")
        .args(["--mount", "bash", "-c", SCRIPT])
        .env("HOME", directory.path())
        .env("TEXT", ZSHRC)
        .env("MX", MX)
        .output()
        .expect("unshare runs");
    let error = error(&output);
    assert!(error.starts_with("mx: cannot ") && error.contains("No space left"), "{error}");
    assert!(output.status.success(), "{error}");
    let left = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(left, format!("{}/.zshrc\n", directory.path().display()));
}

#[test]
fn a_file_that_must_not_be_written_stops_everything() {
    let home = home();
    let zshrc = home.path().join(".zshrc");
    fs::set_permissions(&zshrc, fs::Permissions::from_mode(0o444)).expect("a mode");
    let refused = run(home.path(), &["setup", "zsh"]);
    assert_eq!(refused.status.code(), Some(3));
    let error = error(&refused);
    assert!(error.contains(".zshrc: it is read-only"), "{error}");
    assert_eq!(files(home.path()), [zshrc], "nothing was written");
}

#[test]
fn a_link_into_a_repository_of_dotfiles_stays() {
    let home = home();
    let zshrc = home.path().join(".zshrc");
    fs::create_dir(home.path().join("dotfiles")).expect("a directory");
    let target = home.path().join("dotfiles/zshrc");
    fs::rename(&zshrc, &target).expect("a file");
    std::os::unix::fs::symlink("dotfiles/zshrc", &zshrc).expect("a link");
    assert!(run(home.path(), &["setup", "zsh"]).status.success());
    assert!(zshrc.is_symlink() && fs::read_to_string(&target).expect("a file").contains("mx"));
    assert!(run(home.path(), &["setup", "zsh", "--uninstall"]).status.success());
    assert!(zshrc.is_symlink());
    assert_eq!(fs::read_to_string(&target).expect("a file"), ZSHRC);
}

#[test]
fn what_was_installed_elsewhere_is_found() {
    for again in ["setup zsh", "setup zsh --uninstall"] {
        let home = home();
        let elsewhere = home.path().join("it's data");
        let mut install = command(home.path(), &["setup", "zsh"]);
        assert!(install.env("XDG_DATA_HOME", &elsewhere).output().expect("mx").status.success());
        assert!(elsewhere.join("mx/zsh/shell/functions/mx").exists());
        let arguments: Vec<&str> = again.split(' ').collect();
        assert!(run(home.path(), &arguments).status.success());
        assert!(!elsewhere.join("mx").exists(), "{again}");
        assert_eq!(function(home.path()).exists(), again == "setup zsh");
    }
}

#[test]
fn a_source_tree_that_is_loaded_is_not_removed() {
    let home = home();
    assert!(run(home.path(), &["setup", "zsh"]).status.success());
    // The user has moved the integration and made the files their own.
    let tree = home.path().join("mx/zsh");
    fs::create_dir(home.path().join("mx")).expect("a directory");
    fs::rename(home.path().join(".local/share/mx/zsh"), &tree).expect("a directory");
    let own = tree.join("shell/functions/mx");
    fs::write(&own, "local -x MX_INTEGRATION=source\n").expect("a file");
    let zshrc = home.path().join(".zshrc");
    let text = fs::read_to_string(&zshrc).expect("a file").replace(".local/share/mx", "mx");
    fs::write(&zshrc, text).expect("a file");
    assert!(run(home.path(), &["setup", "zsh", "--uninstall"]).status.success());
    assert!(own.exists());
    assert_eq!(fs::read_to_string(&zshrc).expect("a file"), ZSHRC);
}

/// Calls mx through the installed function, in a shell of its own.
fn call(home: &Path, shell: &str, words: &str) -> Output {
    let text = match shell {
        "zsh" => format!("source $HOME/.zshrc; mx {words}"),
        "bash" => format!("source $HOME/.bashrc; mx {words}"),
        _ => format!("mx {words}"),
    };
    let mut command = Command::new(shell);
    command.args(if shell == "zsh" { &["-f", "-c"][..] } else { &["-c"] }).arg(text);
    command.env_clear().env("HOME", home).env("PATH", path());
    command.output().expect("the shell runs")
}

#[test]
fn an_older_integration_is_brought_up_to_date_at_its_first_use() {
    let version = env!("CARGO_PKG_VERSION");
    for (shell, path) in [
        ("zsh", ".local/share/mx/zsh/shell/functions/mx"),
        ("bash", ".local/share/mx/bash/shell/function.bash"),
        ("fish", ".config/fish/functions/mx.fish"),
    ] {
        let home = home();
        assert!(run(home.path(), &["setup", shell]).status.success());
        let function = home.path().join(path);
        let current = fs::read_to_string(&function).expect("a file");
        let age = |version_then: &str| {
            let tag = format!("{shell}:{version}:");
            assert!(current.contains(&tag), "{current}");
            let older = current.replace(&tag, &format!("{shell}:{version_then}:"));
            fs::write(&function, older).expect("a file");
        };
        age("0.0.1");
        let called = call(home.path(), shell, "ports free");
        let note = format!(
            "mx: the {shell} integration is now that of {version}: exec {shell} loads it\n"
        );
        assert_eq!((error(&called), called.status.code()), (note, Some(0)));
        assert_eq!(fs::read_to_string(&function).expect("a file"), current);
        assert_eq!(error(&call(home.path(), shell, "ports free")), "");

        age("0.0.1");
        assert_eq!(error(&call(home.path(), shell, "ports free --json")), "");
        assert_eq!(fs::read_to_string(&function).expect("a file"), current);

        // That of a newer version stays, and so does one that cannot be written.
        age("999.0.0");
        assert_eq!(error(&call(home.path(), shell, "ports free")), "");
        assert!(fs::read_to_string(&function).expect("a file").contains(":999.0.0:"));
        age("0.0.1");
        fs::set_permissions(&function, fs::Permissions::from_mode(0o444)).expect("a mode");
        let called = call(home.path(), shell, "ports free");
        assert_eq!((error(&called), called.status.code()), (String::new(), Some(0)));
    }
}

#[test]
fn nothing_is_installed_by_a_call() {
    let home = home();
    let mut command = command(home.path(), &["ports", "free"]);
    let output = command.env("MX_INTEGRATION", "zsh:0.0.1:0").output().expect("mx runs");
    assert!(output.status.success());
    assert_eq!(files(home.path()), [home.path().join(".zshrc")]);
}

#[test]
fn nothing_waits_for_a_lock_that_is_held_elsewhere() {
    let home = home();
    let zshrc = home.path().join(".zshrc");
    assert!(run(home.path(), &["setup", "zsh"]).status.success());
    let installed = fs::read(function(home.path())).expect("a file");
    let older = String::from_utf8_lossy(&installed)
        .replace(concat!(":", env!("CARGO_PKG_VERSION"), ":"), ":0.0.1:");
    fs::write(function(home.path()), &older).expect("a file");

    let held = fs::File::open(home.path()).expect("the home directory");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("a lock");
    // An older integration stays until the next call, and no answer is late for it.
    let called = call(home.path(), "zsh", "ports free");
    assert_eq!((error(&called).as_str(), called.status.code()), ("", Some(0)));
    assert_eq!(fs::read_to_string(function(home.path())).expect("a file"), older);
    // Setup gives up in the end, with everything as it was.
    let before = fs::read(&zshrc).expect("a file");
    for arguments in [&["setup", "zsh"][..], &["setup", "zsh", "--uninstall"]] {
        let refused = run(home.path(), arguments);
        assert_eq!(refused.status.code(), Some(3));
        let expected = format!(
            "mx: cannot change files of your shells: another program keeps {} locked\n",
            home.path().display()
        );
        assert_eq!(error(&refused), expected);
        assert_eq!(fs::read(&zshrc).expect("a file"), before);
    }
    drop(held);
    assert!(error(&call(home.path(), "zsh", "ports free")).contains("integration is now that of"));
    assert!(run(home.path(), &["setup", "zsh", "--uninstall"]).status.success());
    assert_eq!(fs::read_to_string(&zshrc).expect("a file"), ZSHRC);
}

#[test]
fn shells_that_are_open_fall_back_to_the_program() {
    let version = concat!("mx ", env!("CARGO_PKG_VERSION"), "\n");
    for (shell, load) in [
        ("zsh", "source $HOME/.zshrc"),
        ("bash", "source $HOME/.bashrc"),
        ("fish", "functions -q mx"),
        ("zsh", "source $HOME/.zshrc; mx --version"),
        ("bash", "source $HOME/.bashrc; mx --version"),
        ("fish", "mx --version"),
    ] {
        let home = home();
        assert!(run(home.path(), &["setup", shell, "-q"]).status.success());
        let text = format!(
            "{load}\ncommand mx setup {shell} --uninstall -q 2>/dev/null\nmx --version\n\
             mx --version || echo failed",
        );
        let mut command = Command::new(shell);
        command.args(if shell == "zsh" { &["-f", "-c"][..] } else { &["-c"] }).arg(text);
        command.env_clear().env("HOME", home.path()).env("PATH", path());
        let output = command.output().expect("the shell runs");
        assert_eq!(error(&output), "", "{shell}: {load}");
        let times = if load.ends_with("version") { 3 } else { 2 };
        assert_eq!(String::from_utf8_lossy(&output.stdout), version.repeat(times), "{load}");
    }
}
