//! `mx limits persist`: new shells have the limits, and lose none.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::cli::MX;
use crate::zsh::started_processes;

fn mx(home: &TempDir, arguments: &[&str]) -> Output {
    let output = Command::new(MX)
        .args(["limits", "run", "nofile=200:400", "core=0:1M", "--", MX])
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .output();
    output.expect("mx runs")
}

#[track_caller]
fn done(home: &TempDir, arguments: &[&str]) -> String {
    let output = mx(home, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A home directory in which each shell is set up. `mx setup zsh` is the real
/// one; for the others stands what it leaves behind as far as this is about it.
fn home() -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    };
    write(".zshrc", "alias x=y");
    write(".bashrc", "# >>> mx >>>\nalias a=b\n# <<< mx <<<\nalias x=y\n");
    write(".profile", "# not touched: there is no block\n");
    write(".config/fish/functions/mx.fish", "function mx\nend\n");
    done(&home, &["setup", "zsh"]);
    home
}

const SHELLS: [(&str, &[&str]); 3] =
    [("zsh", &["-d", "-i", "-c"]), ("bash", &["-i", "-c"]), ("fish", &["-c"])];

/// What a new shell prints that is started under these limits.
fn shell(home: &TempDir, limits: &[&str], shell: (&str, &[&str]), text: &str) -> String {
    let output = Command::new(MX)
        .args(["limits", "run"])
        .args(limits)
        .args(["--", shell.0])
        .args(shell.1)
        .arg(text)
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("the shell runs");
    // An interactive bash without a terminal complains; nothing else may.
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!error.contains("limit"), "{}: {error}", shell.0);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn files(home: &Path) -> Vec<(String, Vec<u8>)> {
    [".zshrc", ".bashrc", ".profile", ".config/fish/conf.d/mx-limits.fish"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), fs::read(home.join(name)).ok()?)))
        .collect()
}

#[test]
fn new_shells_have_the_limit_and_higher_ones_stay() {
    let home = home();
    let before = files(home.path());
    done(&home, &["limits", "persist", "nofile=300", "core=64k"]);
    for one in SHELLS {
        for (limits, expected) in [
            (["nofile=200:400", "core=0:1M"], "300\n65536 "),
            // Higher already, or the hard limit is in the way.
            (["nofile=350:400", "core=1M:1M"], "350\n1048576 "),
            (["nofile=100:250", "core=0:8k"], "250\n8192 "),
        ] {
            if !cfg!(target_os = "linux") {
                let text = shell(&home, &limits, one, "ulimit -Sn");
                assert_eq!(text.lines().next(), expected.lines().next(), "{}", one.0);
                continue;
            }
            // The size of a core dump in bytes, whatever the unit of the shell.
            let text = shell(
                &home,
                &limits,
                one,
                "ulimit -Sn; sh -c 'sed -n \"s/^Max core file size *//p\" /proc/self/limits'",
            );
            assert!(text.starts_with(expected), "{}: {text}", one.0);
        }
        let leftover = shell(&home, &["nofile=200:400"], one, "echo \"[$_mx_limit$_mx_limits]\"");
        assert_eq!(leftover, "[]\n", "{}", one.0);
    }
    done(&home, &["limits", "persist", "--undo"]);
    assert_eq!(files(home.path()), before, "--undo gives the same bytes back");
    for one in SHELLS {
        assert_eq!(shell(&home, &["nofile=200:400"], one, "ulimit -Sn"), "200\n", "{}", one.0);
    }
}

/// Makes the lines in the start-up files of bash and zsh read no file of Linux,
/// as elsewhere.
fn without_proc(home: &TempDir) {
    for name in [".zshrc", ".bashrc"] {
        let path = home.path().join(name);
        let text = fs::read_to_string(&path).expect("a file");
        assert!(text.contains("/proc/self/limits"), "{text}");
        fs::write(&path, text.replace("/proc/self/limits", "/none")).expect("a file");
    }
}

#[test]
fn where_ulimit_has_to_be_asked_the_limit_is_raised_too() {
    let home = home();
    done(&home, &["limits", "persist", "nofile=300", "stack=4M"]);
    without_proc(&home);
    for one in SHELLS {
        for (limits, expected) in [
            (["nofile=200:400", "stack=1M:8M"], "300\n4096\n"),
            (["nofile=350:400", "stack=8M:8M"], "350\n8192\n"),
            (["nofile=100:250", "stack=unlimited"], "250\nunlimited\n"),
        ] {
            let text = shell(&home, &limits, one, "ulimit -Sn; ulimit -Ss");
            assert_eq!(text, expected, "{}: {limits:?}", one.0);
        }
    }
}

#[test]
fn what_is_kept_costs_a_new_shell_no_process() {
    let home = home();
    let start = |(name, arguments): (&str, &[&str])| {
        let home = format!("HOME={}", home.path().display());
        let limits = ["limits", "run", "nofile=200:400", "core=0:1M", "--"];
        let call = ["env", &home, MX].into_iter().chain(limits);
        let call: Vec<&str> =
            call.chain([name]).chain(arguments.iter().copied()).chain([":"]).collect();
        started_processes(&call)
    };
    let without = SHELLS.map(start);
    done(&home, &["limits", "persist", "nofile=300", "core=64k"]);
    assert_eq!(SHELLS.map(start), without);
    if without[0].is_some() {
        without_proc(&home);
        let asked = SHELLS.map(start);
        assert!(asked[0] > without[0] && asked[1] > without[1], "a fork is noticed: {asked:?}");
    }
}

#[test]
fn options_and_functions_of_the_user_stay_as_they_are() {
    let home = home();
    done(&home, &["limits", "persist", "nofile=300", "core=64k"]);
    let cases: [(&str, &str, &str, &[&str]); 2] = [
        (
            "zsh",
            ".zshrc",
            "typeset -m '_mx*'; functions -m '_mx*'",
            &[
                "setopt err_exit no_unset ksh_arrays sh_word_split glob_subst",
                "setopt sh_glob extended_glob",
            ],
        ),
        (
            "bash",
            ".bashrc",
            "declare -F; compgen -v _mx",
            &["set -euo pipefail", "set -o posix", "IFS=0"],
        ),
    ];
    for (name, file, listing, options) in cases {
        let path = home.path().join(file);
        let kept = fs::read_to_string(&path).expect("a file");
        let (_, kept) = kept.split_once("# Limits, kept").expect("limits");
        for options in options {
            let text = format!("{options}\n#{kept}\nulimit -Sn\n{listing}\n");
            let text = shell(&home, &["nofile=200:400", "core=0:1M"], (name, &["-c"]), &text);
            let rest = text.strip_prefix("300\n").expect(&text);
            assert_eq!(rest, "", "{options}");
        }
    }
}

#[test]
fn uninstalling_takes_the_limits_along() {
    let home = tempfile::tempdir().expect("a directory");
    let path = |name: &str| home.path().join(name);
    fs::write(path(".zshrc"), "alias x=y").expect("a file");
    fs::write(path(".bashrc"), "alias a=b\n").expect("a file");
    fs::write(path(".profile"), ". ~/.bashrc\n").expect("a file");
    let before = files(home.path());
    for shell in ["zsh", "bash", "fish"] {
        done(&home, &["setup", shell]);
    }
    done(&home, &["limits", "persist", "nofile=300"]);
    assert_eq!(files(home.path()).len(), before.len() + 1);
    for shell in ["zsh", "bash", "fish"] {
        let text = done(&home, &["setup", shell, "--uninstall"]);
        assert_eq!(text.contains("conf.d/mx-limits.fish"), shell == "fish", "{text}");
    }
    assert_eq!(files(home.path()), before);

    // What an older mx left behind there is still found, and a file of the user is not touched.
    let limits = path(".config/fish/conf.d/mx-limits.fish");
    fs::write(&limits, "# Written by `mx limits persist`; --undo removes it.\n").expect("a file");
    done(&home, &["limits", "persist", "--undo"]);
    assert!(!limits.exists());
    fs::write(&limits, "mine\n").expect("a file");
    done(&home, &["setup", "fish"]);
    done(&home, &["setup", "fish", "--uninstall"]);
    assert_eq!(fs::read(&limits).expect("a file"), b"mine\n");
}

#[test]
fn what_was_kept_is_replaced_and_survives_another_setup() {
    let home = home();
    done(&home, &["limits", "persist", "nofile=300"]);
    let text = done(&home, &["limits", "persist", "core=max"]);
    assert_eq!(text.lines().count(), 3, "{text}");
    let kept = fs::read_to_string(home.path().join(".zshrc")).expect("a file");
    assert!(kept.contains("_mx_raise c ") && !kept.contains("_mx_raise n "), "{kept}");
    done(&home, &["setup", "zsh"]);
    assert_eq!(fs::read_to_string(home.path().join(".zshrc")).expect("a file"), kept);
    let output = mx(&home, &["limits", "persist", "core=1M"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "mx: already set up\n", "{output:?}");
    done(&home, &["setup", "zsh", "--uninstall"]);
    assert_eq!(fs::read(home.path().join(".zshrc")).expect("a file"), b"alias x=y");
}

#[test]
fn a_dry_run_a_refusal_and_a_shell_that_is_not_set_up_change_nothing() {
    let home = home();
    let before = files(home.path());
    let text = done(&home, &["limits", "persist", "nofile=300", "--dry-run", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["applied"], false);
    assert_eq!(document["changes"].as_array().map(Vec::len), Some(3));
    for (words, code) in [("nofile=401", 3), ("nofil=1", 2), ("nofile=-1", 2), ("nofile=1:2", 2)] {
        assert_eq!(mx(&home, &["limits", "persist", words]).status.code(), Some(code), "{words}");
    }
    assert_eq!(mx(&home, &["limits", "persist", "--undo", "nofile"]).status.code(), Some(2));
    assert_eq!(files(home.path()), before);

    let empty = tempfile::tempdir().expect("a directory");
    let output = mx(&empty, &["limits", "persist"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let message = "mx: cannot keep limits: no start-up file has the block of mx setup\n";
    assert!(String::from_utf8_lossy(&output.stderr).starts_with(message), "{output:?}");
    assert_eq!(fs::read_dir(empty.path()).expect("a directory").count(), 0);
}

#[test]
fn a_file_of_the_user_is_never_written_over() {
    let home = home();
    let path = home.path().join(".config/fish/conf.d/mx-limits.fish");
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::write(&path, "mine\n").expect("a file");
    let before = files(home.path());
    for arguments in [&["limits", "persist"][..], &["limits", "persist", "--undo"]] {
        assert_eq!(mx(&home, arguments).status.code(), Some(3));
        assert_eq!(files(home.path()), before);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn bash_in_posix_mode_has_the_same_sizes() {
    let home = home();
    done(&home, &["limits", "persist", "core=64k", "fsize=2M", "stack=1M"]);
    let show = "exec grep -E 'core file|file size|stack' /proc/self/limits";
    for (start, mode) in [("", ""), ("", "set -o posix; "), ("--posix ", ""), ("-o posix ", "")] {
        let script = format!("exec bash {start}-c '{mode}. ~/.bashrc; {show}'").replace(
            "grep -E 'core file|file size|stack'",
            "grep -e core.file -e Max.file.size -e stack",
        );
        let limits = ["core=0:1M", "fsize=1M:4M", "stack=512k:8M"];
        let text = shell(&home, &limits, ("sh", &["-c"]), &script);
        let soft = |title: &str| {
            let line = text.lines().find(|line| line.starts_with(title)).expect(title);
            line[title.len()..].split_whitespace().next().map(str::to_owned)
        };
        for (title, bytes) in [
            ("Max core file size", "65536"),
            ("Max file size", "2097152"),
            ("Max stack size", "1048576"),
        ] {
            assert_eq!(soft(title).as_deref(), Some(bytes), "{start}{mode}: {text}");
        }
    }
}

#[test]
fn what_is_no_longer_kept_is_listed() {
    let home = home();
    let said = |words: &[&str]| {
        let output = mx(&home, &[&["limits", "persist"], words].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(!said(&["nofile=300", "core=64k"]).contains("no longer"));
    assert!(!said(&["nofile=350", "core=64k"]).contains("no longer"), "changed is not dropped");
    let text = "mx: no longer kept: core=64k; to keep all: mx limits persist core=64k nofile=300\n";
    assert!(said(&["nofile=300", "--dry-run"]).starts_with(text));
    assert!(said(&["nofile=300"]).starts_with(text));
    assert!(!said(&["nofile=300", "stack=unlimited"]).contains("no longer"));
    let document = done(&home, &["limits", "persist", "core=1k", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["dropped"], serde_json::json!(["nofile=300", "stack=unlimited"]));
    assert!(!said(&["--undo"]).contains("no longer"), "that is what it is for");
}
