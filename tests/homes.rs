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

/// The end of a hint: the line that loads the integration.
fn by_hand(shell: &str, file: &Path) -> String {
    let line = match shell {
        "fish" => "mx init fish | source".to_owned(),
        shell => format!("eval \"$(mx init {shell})\""),
    };
    format!("add this line to {}: {line}\n", file.display())
}

#[test]
fn every_refusal_has_the_line_to_add_by_hand() {
    let (zshrc, bashrc, config) = (".zshrc", ".bashrc", ".config/fish/config.fish");
    // A mark without its other half, a directory in the place of a file, a file of the user
    // in the place of one that is installed, a directory that cannot be made.
    for (shell, loaded, file, text) in [
        ("zsh", zshrc, zshrc, Some("# <<< mx <<<\n")),
        ("bash", bashrc, bashrc, Some("# >>> mx >>>\n")),
        ("bash", ".profile", ".profile", None),
        ("zsh", zshrc, zshrc, None),
        ("fish", config, ".config/fish/functions/mx.fish", Some("# mine\n")),
        ("zsh", zshrc, ".local/share/man/man1/mx.1", Some("mine\n")),
        ("zsh", zshrc, ".local/share", Some("mine\n")),
        ("fish", config, ".config/fish/completions", Some("mine\n")),
    ] {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        match text {
            Some(text) => fs::write(&path, text).expect("a file"),
            None => fs::create_dir(&path).expect("a directory"),
        }
        let refused = run(home.path(), &["setup", shell]);
        assert_eq!(refused.status.code(), Some(3), "{shell}: {file}");
        let error = error(&refused);
        let by_hand = by_hand(shell, &home.path().join(loaded));
        assert!(error.ends_with(&by_hand), "{shell}: {file}: {error}");
        assert_eq!(error.matches("\nhint: ").count(), 1, "{error}");
        if file != ".config/fish/completions" {
            let left = if text.is_some() { vec![path] } else { Vec::new() };
            assert_eq!(files(home.path()), left, "nothing was written");
        }
    }
}

#[test]
fn a_removal_that_is_refused_says_what_to_remove_by_hand() {
    for shell in ["zsh", "bash"] {
        let home = home(startup(shell), "# mine\n");
        let file = home.path().join(startup(shell));
        assert!(run(home.path(), &["setup", shell]).status.success());
        let installed = files(home.path()).len();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).expect("a mode");
        let refused = run(home.path(), &["setup", shell, "--uninstall"]);
        let file = file.display();
        let expected = format!(
            "mx: cannot write {file}: it is read-only\nhint: remove the lines of mx from {file} \
             by hand: from '# >>> mx' to '# <<< mx <<<'\n"
        );
        assert_eq!((error(&refused), refused.status.code()), (expected, Some(3)));
        assert_eq!(files(home.path()).len(), installed, "nothing was removed");
    }
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
        let hint = format!("\nhint: mend the file, then try again; or {}", by_hand(shell, &file));
        assert!(error.ends_with(&hint), "{error}");
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

/// Ten runs at once on a disk that gets full at another place in each round, all
/// killed at some moment. Prints what is left in the end.
const KILLED_ON_A_FULL_DISK: &str = r#"
mount -t tmpfs -o size=2m none "$HOME" || exit 9
printf %s "$TEXT" >"$HOME/.zshrc"
"$MX" setup zsh -q && with=$(<"$HOME/.zshrc") && "$MX" setup zsh --uninstall -q || exit 1
for round in {1..12}; do
  cat /dev/zero >"$HOME/fill" 2>/dev/null
  truncate -s "-$((round * 12))K" "$HOME/fill"
  pids=
  for index in {1..5}; do
    "$MX" setup zsh -q >/dev/null 2>&1 & pids+=" $!"
    "$MX" setup zsh --uninstall -q >/dev/null 2>&1 & pids+=" $!"
  done
  for pid in $pids; do
    sleep "0.00$((RANDOM % 10))"
    kill -KILL "$pid" 2>/dev/null
  done
  wait
  now=$(<"$HOME/.zshrc")
  [[ $now == "$TEXT" || $now == "$with" ]] || { printf 'round %s:\n%s\n' "$round" "$now" >&2; exit 2; }
done
rm "$HOME/fill"
"$MX" setup zsh -q && "$MX" setup zsh --uninstall -q || exit 3
[[ $(<"$HOME/.zshrc") == "$TEXT" ]] || exit 4
find "$HOME" -type f
"#;

#[test]
fn killed_runs_on_a_full_disk_leave_the_file_whole() {
    // A disk of its own takes a namespace of mounts, which root may make.
    let allowed = Command::new("unshare").args(["--mount", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new("unshare")
        .args(["--mount", "bash", "-c", KILLED_ON_A_FULL_DISK])
        .env("HOME", directory.path())
        .env("TEXT", "alias x=y\n# the last line")
        .env("MX", MX)
        .env_remove("ZDOTDIR")
        .env_remove("XDG_DATA_HOME")
        .output()
        .expect("unshare runs");
    assert!(output.status.success(), "{output:?}");
    let left = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(left, format!("{}/.zshrc\n", directory.path().display()));
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
        let file = home.path().join(match shell {
            "fish" => ".config/fish/config.fish",
            shell => startup(shell),
        });
        let by_hand = by_hand(shell, &file);
        let hint = format!("\nhint: run mx setup {shell} as nobody, without sudo; or {by_hand}");
        assert!(error.ends_with(&hint), "{error}");
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
fn what_a_start_up_file_leaves_in_the_background_does_not_outlive_the_trial() {
    for (shell, text, reached) in [
        ("zsh", "sleep 1000 & print $! >>$HOME/pids; disown\n", true),
        ("bash", "sleep 1000 & echo $! >>$HOME/pids\n", true),
        ("bash", "sleep 1000 & echo $! >>$HOME/pids; wait\n", false),
    ] {
        let home = home(startup(shell), text);
        let output = run(home.path(), &["setup", shell]);
        assert!(output.status.success(), "{output:?}");
        // What keeps the output open is not waited for.
        let late = error(&output).contains("did not get to the block");
        assert_eq!(late, !reached, "{shell}: {text}: {}", error(&output));
        let pids = fs::read_to_string(home.path().join("pids")).expect("a file");
        let start = Instant::now();
        let is_running = |pid: &str| {
            let pid: u32 = pid.parse().expect("a PID");
            let list = sys::processes::list().expect("processes");
            list.iter().any(|process| process.pid == pid && process.name == "sleep")
        };
        for pid in pids.lines() {
            while is_running(pid) {
                assert!(start.elapsed() < Duration::from_secs(60), "{shell}: {pid} goes on");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
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
