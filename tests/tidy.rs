//! Rules of the source tree that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::{MX, transcript_files};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn crates() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates")).expect("crates");
    entries
        .map(|entry| entry.expect("a crate").file_name().to_string_lossy().into_owned())
        .collect()
}

/// The names in `[dependencies]` and its variants per system.
fn dependencies(name: &str) -> Vec<String> {
    let manifest = root().join("crates").join(name).join("Cargo.toml");
    let text = fs::read_to_string(manifest).expect("a manifest");
    let mut names = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.ends_with("dependencies]") && !section.contains("dev-dependencies");
        } else if let Some((name, _)) = line.split_once(['.', ' ', '=']).filter(|_| inside) {
            // Packages of this workspace are named mx-…, and imported as the rest.
            names.push(name.trim_start_matches("mx-").to_owned());
        }
    }
    names
}

#[test]
fn the_binary_does_not_depend_on_the_system() {
    for file in rust_files(&root().join("crates/mx/src")) {
        let text = fs::read_to_string(&file).expect("a source file");
        assert!(!text.contains("target_os"), "{}", file.display());
    }
}

#[test]
fn leaves_depend_on_foundations_only() {
    const FOUNDATIONS: [&str; 2] = ["sys", "term"];
    const BINARY_ONLY: [&str; 4] = ["clap", "serde_json", "anstream", "anyhow"];
    /// The engines of containers answer in JSON.
    const EXCEPT: [(&str, &str); 1] = [("ports", "serde_json")];
    let crates = crates();
    assert!(crates.contains(&"mx".to_owned()) && crates.contains(&"ports".to_owned()));
    for name in crates.iter().filter(|name| *name != "mx") {
        for dependency in dependencies(name) {
            let own = crates.contains(&dependency);
            // One of them stands on the other.
            let allowed = dependency == "sys" && name != "sys"
                || dependency == "term" && !FOUNDATIONS.contains(&name.as_str());
            assert!(!own || allowed, "{name} depends on {dependency}");
            let binary_only = BINARY_ONLY.contains(&dependency.as_str())
                && !EXCEPT.contains(&(name.as_str(), dependency.as_str()));
            assert!(!binary_only, "{name} depends on {dependency}");
        }
    }
    assert!(dependencies("mx").contains(&"clap".to_owned()));
}

#[test]
fn each_file_says_what_it_is_for() {
    for directory in ["crates", "tests"] {
        for file in rust_files(&root().join(directory)) {
            let text = fs::read_to_string(&file).expect("a source file");
            assert!(text.starts_with("//! "), "{}", file.display());
        }
    }
}

#[test]
fn each_command_has_a_transcript() {
    let help = Command::new(MX).arg("--help").output().expect("mx runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let (_, commands) = help.split_once("\nCommands:\n").expect("a list of commands");
    let listed = commands.lines().take_while(|line| !line.is_empty());
    let names: Vec<&str> = listed
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.contains(&"ports"), "{names:?}");
    for name in names {
        let transcript = root().join(format!("tests/cli/{name}.txt"));
        assert!(
            transcript_files().iter().any(|file| file.ends_with(format!("{name}.txt"))),
            "{}",
            transcript.display()
        );
        let text = fs::read_to_string(&transcript).expect("a transcript");
        assert!(text.contains("--json") && text.contains("--table"), "{name}: all three formats");
    }
}
