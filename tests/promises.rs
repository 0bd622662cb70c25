//! Every sentence of the help and the README about ports, beside the tests that prove it.
//!
//! `tests/promises.txt` says how it is written. It quotes the prose whole and in
//! order, so that a sentence that is new or reads differently needs a look at its tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::{MX, transcript_files};

/// The sections of the README about ports.
const README: [&str; 6] = [
    "Commands",
    "Free it, wait for it, find one",
    "Watch them",
    "Selectors of `mx ports`",
    "Why a port is busy",
    "JSON of `mx ports`",
];
const VERBS: [&str; 4] = ["kill", "wait", "free", "watch"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Some quoted text, and the lines below it: what proves it, or what it explains.
struct Entry {
    quote: String,
    proofs: Vec<String>,
}

/// The entries of each section, under the name of what it quotes.
fn sections() -> Vec<(String, Vec<Entry>)> {
    let mut sections: Vec<(String, Vec<Entry>)> = Vec::new();
    for line in read("tests/promises.txt").lines() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix("== ") {
            sections.push((name.to_owned(), Vec::new()));
            continue;
        }
        let (_, entries) = sections.last_mut().expect("a section comes first");
        match line.strip_prefix("    ") {
            Some(proof) => entries.last_mut().expect("a quote").proofs.push(proof.to_owned()),
            None => entries.push(Entry { quote: line.to_owned(), proofs: Vec::new() }),
        }
    }
    sections
}

/// Texts with single spaces, under the names that sections have.
fn texts() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    let (about, output) = help(&[]);
    texts.push(("mx help ports".to_owned(), about));
    for verb in VERBS {
        let (about, same) = help(&[verb]);
        assert_eq!(same, output, "the options for output are the same for every command");
        texts.push((format!("mx help ports {verb}"), about));
    }
    texts.push(("Output".to_owned(), output));
    let readme = read("README.md");
    texts.extend(README.map(|name| (format!("README: {name}"), section(&readme, name))));
    texts
}

/// The prose of a help page: about the command, and about its output.
///
/// Usage, headings and examples are left out, and so is what clap writes: the
/// description of `--help`, and defaults, which it takes from those that it applies.
fn help(verb: &[&str]) -> (String, String) {
    let output = Command::new(MX).args(["help", "ports"]).args(verb).output().expect("mx runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (mut about, mut formats, mut place) = (Vec::new(), Vec::new(), Place::Prose);
    for line in text.lines().map(str::trim) {
        match line {
            "Arguments:" | "Options:" => place = Place::Prose,
            "Output:" => place = Place::Formats,
            "Commands:" | "Examples:" => place = Place::None,
            _ if line.starts_with("Usage: ") => place = Place::None,
            "Possible values:" | "-h, --help" | "Print help (see a summary with '-h')" => {}
            _ if line.starts_with("[default: ") => {}
            _ => match place {
                Place::Prose => about.extend(line.split_whitespace()),
                Place::Formats => formats.extend(line.split_whitespace()),
                Place::None => {}
            },
        }
    }
    (about.join(" "), formats.join(" "))
}

#[derive(Clone, Copy)]
enum Place {
    Prose,
    Formats,
    None,
}

/// The prose of a section: not its examples and tables.
fn section(markdown: &str, name: &str) -> String {
    let (mut words, mut inside, mut is_code) = (Vec::new(), false, false);
    for line in markdown.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code || line.starts_with('|') || line.starts_with("<!--") {
        } else if let Some(heading) = line.strip_prefix('#') {
            inside = heading.trim_start_matches('#').trim() == name;
        } else if inside {
            words.extend(line.split_whitespace());
        }
    }
    assert!(!words.is_empty(), "the README has a section '{name}'");
    words.join(" ")
}

#[test]
fn every_sentence_is_quoted() {
    let sections = sections();
    let names: Vec<&str> = sections.iter().map(|(name, _)| name.as_str()).collect();
    let texts = texts();
    let expected: Vec<&str> = texts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected, "the sections of promises.txt");
    let mut drifted = Vec::new();
    for ((name, text), (_, entries)) in texts.iter().zip(&sections) {
        let mut rest = text.as_str();
        for entry in entries {
            let Some(after) = rest.strip_prefix(entry.quote.as_str()) else { break };
            rest = after.trim_start();
        }
        let whole: Vec<&str> = entries.iter().map(|entry| entry.quote.as_str()).collect();
        if whole.join(" ") != *text {
            let start: String = rest.chars().take(200).collect();
            drifted.push(format!("{name}: promises.txt does not go on with: {start:?}"));
        }
    }
    assert!(drifted.is_empty(), "{}", drifted.join("\n"));
}

#[test]
fn every_promise_has_a_test() {
    let transcripts = transcript_files();
    let transcripts: Vec<String> =
        transcripts.iter().map(|file| fs::read_to_string(file).expect("a transcript")).collect();
    let mut missing = Vec::new();
    let (mut entries, mut explanations) = (0, 0);
    for (name, section) in sections() {
        for entry in section {
            entries += 1;
            if entry.proofs.is_empty() {
                missing.push(format!("{name}: nothing proves {:?}", entry.quote));
            }
            for proof in entry.proofs {
                let exists = if proof.starts_with("$ ") {
                    let line = proof + "\n";
                    transcripts.iter().any(|text| text.split_inclusive('\n').any(|it| it == line))
                } else if let Some(why) = proof.strip_prefix("explains: ") {
                    explanations += 1;
                    !why.is_empty()
                } else {
                    is_test(&proof)
                };
                if !exists {
                    missing.push(format!("{name}: no such test for {:?}", entry.quote));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(explanations * 10 <= entries, "{explanations} of {entries} entries promise nothing");
}

/// Whether `module::…::name`, or with `CRATE: ` before it that of a unit test,
/// is a function under `#[test]` in the file of its module.
fn is_test(path: &str) -> bool {
    let (directory, path) = match path.split_once(": ") {
        Some((name, path)) => (format!("crates/{name}/src"), path),
        None => ("tests".to_owned(), path),
    };
    let parts: Vec<&str> = path.split("::").collect();
    // The file is that of the longest path that has one; the rest are modules inside it.
    (0..parts.len()).rev().any(|length| {
        let file = root().join(&directory).join(parts[..length].join("/"));
        let files = match length {
            0 => [file.join("lib.rs"), file.join("main.rs")],
            _ => [file.with_extension("rs"), file.join("mod.rs")],
        };
        let text = files.iter().find_map(|file| fs::read_to_string(file).ok());
        text.is_some_and(|text| holds(&text, &parts[length..]))
    })
}

fn holds(source: &str, path: &[&str]) -> bool {
    let [modules @ .., name] = path else { return false };
    let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let begins = |line: &str, word: &str| line.trim_start_matches("pub(crate) ").starts_with(word);
    let function = format!("fn {name}(");
    let is_there = lines.iter().enumerate().any(|(at, line)| {
        begins(line, &function) && lines[at.saturating_sub(3)..at].contains(&"#[test]")
    });
    is_there
        && modules
            .iter()
            .all(|module| lines.iter().any(|line| begins(line, &format!("mod {module} {{"))))
}

/// A file of proofs in which nothing could be missing would prove nothing.
#[test]
fn tests_are_found_where_they_are_and_nowhere_else() {
    for path in [
        "promises::tests_are_found_where_they_are_and_nowhere_else",
        "kill_hostile::pid_reuse::before_kill_is_sent",
        "ports: watch::tests::other_owners_change_a_socket",
        "ports: tests::none_is_not_claimed_where_something_was_not_seen",
        "ports: linux::signal::tests::the_end_of_a_process_is_noticed",
    ] {
        assert!(is_test(path), "{path}");
    }
    for path in [
        "promises::is_test",
        "promises",
        "kill_hostile::users::no_such_test",
        "kill_hostile::no_such_module::before_kill_is_sent",
        "watch::tests::other_owners_change_a_socket",
        "no_such_file::every_sentence_is_quoted",
    ] {
        assert!(!is_test(path), "{path}");
    }
}
