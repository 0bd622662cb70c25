//! The command line, as transcripts in `tests/cli/*.txt`.
//!
//! A transcript is commands for bash after `$ `, followed by what they print:
//! standard output as it is, lines of standard error after `! `, and the exit
//! code in brackets. A comment follows `-- `. What differs from run to run is written as a variable.
//! Runs of spaces are one gap, as alignment depends on the length of a PID.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixture::{Fixture, free_port};

/// The program under test.
pub(crate) const MX: &str = env!("CARGO_BIN_EXE_mx");

/// A search path with the program in front.
pub(crate) fn path() -> String {
    let directory = Path::new(MX).parent().expect("a directory").display();
    format!("{directory}:{}", std::env::var("PATH").unwrap_or_default())
}

/// The same, but completion may look for owners as long as it needs: a busy
/// machine is no failure. The program goes into a directory of the test.
pub(crate) fn patient_path(directory: &Path) -> String {
    let bin = directory.join("bin");
    fs::create_dir_all(&bin).expect("a directory");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = __complete ]; then shift; set -- __complete --within 1m \"$@\"; fi\n\
         exec '{MX}' \"$@\"\n"
    );
    fs::write(bin.join("mx"), script).expect("a script");
    fs::set_permissions(bin.join("mx"), fs::Permissions::from_mode(0o755)).expect("a mode");
    format!("{}:{}", bin.display(), path())
}

#[test]
fn transcripts() {
    let fixture = Fixture::new("tcp 127.0.0.1:0\nudp 127.0.0.1:0\ntcp [::]:0");
    let client = Fixture::new(&format!("connect 127.0.0.1:{}", fixture.port(0)));
    let home = tempfile::tempdir().expect("a directory");
    let exe = std::env::current_exe().expect("a path");
    let uid = rustix::process::geteuid().as_raw();
    let variables = BTreeMap::from([
        ("PORT", fixture.port(0).to_string()),
        ("UDP", fixture.port(1).to_string()),
        ("DUAL", fixture.port(2).to_string()),
        ("CLIENT", client.port(0).to_string()),
        ("FREE", free_port().to_string()),
        ("PID", fixture.pid().to_string()),
        ("CLIENT_PID", client.pid().to_string()),
        ("PROCESS", exe.file_name().expect("a name").to_string_lossy().into_owned()),
        ("EXE", exe.to_string_lossy().into_owned()),
        ("CWD", std::env::current_dir().expect("a directory").to_string_lossy().into_owned()),
        ("HOME", home.path().to_string_lossy().into_owned()),
        ("USER", sys::user::name(uid).expect("this user has a name")),
        ("VERSION", env!("CARGO_PKG_VERSION").to_owned()),
        ("MX", MX.to_owned()),
    ]);
    let mut drifted = Vec::new();
    for file in transcript_files() {
        let present = fs::read_to_string(&file).expect("a transcript");
        let actual = replay(&present, &variables);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, actual).expect("the source tree is writable");
        } else if actual != present {
            drifted.push(format!("{}:\n{}", file.display(), difference(&present, &actual)));
        }
    }
    assert!(drifted.is_empty(), "{}", drifted.join("\n"));
}

pub(crate) fn transcript_files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli");
    let entries = fs::read_dir(directory).expect("tests/cli");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

/// The transcript as it would read now. Comments and blank lines are kept.
fn replay(transcript: &str, variables: &BTreeMap<&str, String>) -> String {
    let mut text = String::new();
    // A number that a transcript does not speak of may happen to equal another in it.
    let is_used = |name: &&str| *name == "USER" || transcript.contains(&format!("${name}"));
    let used: BTreeMap<&str, String> = variables
        .iter()
        .filter(|(name, _)| is_used(name))
        .map(|(name, value)| (*name, value.clone()))
        .collect();
    for line in transcript.lines() {
        if line.is_empty() || line.starts_with("-- ") {
            text.push_str(&format!("{line}\n"));
        } else if let Some(command) = line.strip_prefix("$ ") {
            text.push_str(&format!("{line}\n{}", run(command, variables, &used)));
        }
    }
    text
}

/// What a command prints with these variables, with those in `used` for their values.
fn run(command: &str, variables: &BTreeMap<&str, String>, used: &BTreeMap<&str, String>) -> String {
    let output = Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {command}")])
        .env_clear()
        .env("PATH", path())
        .envs(variables)
        .output()
        .expect("bash");
    let mut text = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        text.push_str(&format!("{}\n", stable(line, used)));
    }
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        text.push_str(&format!("! {}\n", stable(line, used)));
    }
    let code =
        output.status.code().map_or_else(|| output.status.to_string(), |code| code.to_string());
    text.push_str(&format!("[{code}]\n"));
    text
}

/// A line with variables for their values, `AGE` for an age, and single gaps.
fn stable(line: &str, variables: &BTreeMap<&str, String>) -> String {
    let mut line = line.to_owned();
    // A hint holds examples, which a PID may happen to equal: only paths vary in it.
    let is_hint = line.starts_with("hint: ");
    // Longer values first: a path holds the name at its end.
    let mut by_length: Vec<_> = variables.iter().filter(|(name, _)| **name != "USER").collect();
    by_length.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    for (name, value) in by_length {
        if is_hint && !value.starts_with('/') {
            continue;
        }
        line = replace_whole(&line, value, &format!("${name}"));
    }
    if is_hint {
        return line;
    }
    let separator = if line.contains('\t') { "\t" } else { "  " };
    let cells =
        line.split(separator).map(str::trim).filter(|cell| separator == "\t" || !cell.is_empty());
    let cells: Vec<&str> = cells.map(|cell| stable_cell(cell, &variables["USER"])).collect();
    cells.join(separator)
}

/// Replaces a value, a number only where it is not part of a longer one.
fn replace_whole(line: &str, value: &str, name: &str) -> String {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let (mut text, mut rest) = (String::new(), line);
    while let Some(at) = rest.find(value) {
        let (before, after) = (&rest[..at], &rest[at + value.len()..]);
        let joined = is_digit(before.as_bytes().last().or(text.as_bytes().last()))
            || is_digit(after.as_bytes().first());
        text.push_str(before);
        text.push_str(if is_number && joined { value } else { name });
        rest = after;
    }
    text + rest
}

#[test]
fn a_number_inside_another_one_is_left_alone() {
    assert_eq!(replace_whole("419430 41943 141943", "41943", "$PORT"), "419430 $PORT 141943");
    assert_eq!(replace_whole("/a/b", "/a", "$HOME"), "$HOME/b");
}

fn stable_cell<'a>(cell: &'a str, user: &str) -> &'a str {
    let age = cell.strip_suffix(['s', 'm', 'h']).is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    match cell {
        _ if age => "AGE",
        _ if cell == user => "$USER",
        _ => cell,
    }
}

fn difference(expected: &str, actual: &str) -> String {
    let pairs = expected.lines().zip(actual.lines());
    let first = pairs.take_while(|(expected, actual)| expected == actual).count();
    let from = |text: &str| text.lines().skip(first).take(5).collect::<Vec<_>>().join("\n");
    format!("line {}: expected\n{}\nbut it is\n{}", first + 1, from(expected), from(actual))
}
