//! `mx __complete`: live values for the shell's completion.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ports::{Selector, Served};
use sys::processes::{self, Process};
use sys::signal::{self, Signal};

use super::limits::{self, Purpose};
use crate::exit::{Exit, Outcome};
use crate::out::{self, Out};
use crate::shell::Shell;

/// Holders that a description names.
const MOST_NAMES: usize = 3;
/// Characters of a description: no terminal shows more of a command line.
const MOST_CHARACTERS: usize = 200;
/// Lengths of time that are offered.
const TIMES: [&str; 9] = ["100ms", "500ms", "1s", "2s", "5s", "10s", "30s", "1m", "5m"];

#[derive(clap::Args)]
pub(crate) struct CompleteArgs {
    noun: Noun,
    #[arg(default_value = "zsh")]
    shell: Shell,
    /// What is typed of the word up to the cursor
    #[arg(default_value = "")]
    typed: String,
    /// How long to look for owners; ports are printed in any case
    #[arg(long, value_name = "TIME", value_parser = crate::values::duration, default_value = "25ms")]
    within: Duration,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Noun {
    Ports,
    Signals,
    Limits,
    LimitValues,
    LimitRaises,
    LimitChanges,
    Profiles,
    Pids,
    Times,
}

/// A word that can stand on the command line, or what can stand behind the last
/// `=` or `:` in it.
pub(super) struct Candidate {
    pub(super) group: &'static str,
    pub(super) word: String,
    pub(super) description: String,
}

/// Prints a line for each value, in the form that the shell's completion takes.
pub(crate) fn complete(args: &CompleteArgs, out: &Out) -> Outcome {
    let candidates = match args.noun {
        Noun::Ports => ports_candidates(&ports::served(Instant::now() + args.within)?),
        Noun::Signals => signals(),
        Noun::Limits => limits::limit_names(),
        Noun::LimitValues => limits::limit_values(Purpose::Run, &args.typed),
        Noun::LimitRaises => limits::limit_values(Purpose::Raise, &args.typed),
        Noun::LimitChanges => limits::limit_values(Purpose::Set, &args.typed),
        Noun::Profiles => limits::profile_names(),
        Noun::Pids => {
            let mut candidates = pids(processes::list()?);
            // zsh looks for a name itself, and fish cannot offer anything else for a word.
            if args.shell == Shell::Bash && args.typed.bytes().any(|byte| !byte.is_ascii_digit()) {
                let name = args.typed.to_lowercase();
                candidates.retain(|found| found.description.to_lowercase().contains(&name));
            }
            candidates
        }
        Noun::Times => TIMES.map(|time| Candidate::new("times", time, "")).into(),
    };
    let before = match args.noun {
        Noun::LimitValues | Noun::LimitRaises | Noun::LimitChanges => behind_sign(&args.typed),
        _ => "",
    };
    let line = |candidate: &Candidate| candidate.line(args.shell, before);
    let lines: String = candidates.iter().map(line).collect();
    out.text(&lines)?;
    Ok(Exit::found(!candidates.is_empty()))
}

fn ports_candidates(served: &[Served]) -> Vec<Candidate> {
    let mut ports: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
    let mut candidates = Vec::new();
    for Served { port, holders } in served {
        let mut names: Vec<String> =
            holders.iter().take(MOST_NAMES).map(|(name, pid)| format!("{name} ({pid})")).collect();
        if holders.len() > MOST_NAMES {
            names.push("…".to_owned());
        }
        let description =
            if names.is_empty() { "owner not seen".to_owned() } else { names.join(", ") };
        candidates.push(Candidate::new("ports", port.to_string(), description));
        for (name, _) in holders {
            ports.entry(name).or_default().push(*port);
        }
    }
    candidates.extend(ports.into_iter().filter_map(|(name, mut ports)| {
        let word = Selector::for_process(&out::printable(name))?;
        ports.dedup();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        Some(Candidate::new("processes", word, ports.join(", ")))
    }));
    candidates
}

fn signals() -> Vec<Candidate> {
    let candidate = |signal: Signal| {
        Candidate::new("signals", signal::name(signal), (signal as i32).to_string())
    };
    Signal::iterator().map(candidate).collect()
}

/// The processes: this user's own first, and the youngest first.
fn pids(mut processes: Vec<Process>) -> Vec<Candidate> {
    let this = std::process::id();
    let own = processes.iter().find(|process| process.pid == this).cloned();
    if let Some(own) = &own {
        // What the shell started for this completion is gone when it is shown.
        processes.retain(|process| process.group != own.group || process.pid == own.group);
        processes.retain(|process| process.pid != this);
    }
    let user = own.map(|own| own.uid);
    processes.sort_by_key(|process| {
        (Some(process.uid) != user, Reverse((process.started, process.pid)))
    });
    let candidate = |process: Process| {
        Candidate::new("processes", process.pid.to_string(), command_line(&process))
    };
    processes.into_iter().map(candidate).collect()
}

/// The command line, with the name of the program in place of its path.
fn command_line(process: &Process) -> String {
    let Some((program, rest)) = process.command.split_first() else {
        return process.name.clone();
    };
    // A program that wrote something else there may have written any text.
    let name = match program.rsplit_once('/') {
        Some((_, name)) if program.starts_with('/') && !program.contains(' ') => name,
        _ => program,
    };
    let words: Vec<&str> = std::iter::once(name).chain(rest.iter().map(String::as_str)).collect();
    words.join(" ").chars().take(MOST_CHARACTERS).collect()
}

/// The part of a word that stays when a value is completed: `nofile=1024:`.
fn behind_sign(typed: &str) -> &str {
    match (typed.contains('='), typed.rfind(['=', ':'])) {
        (true, Some(at)) => &typed[..=at],
        _ => "",
    }
}

impl Candidate {
    pub(super) fn new(
        group: &'static str,
        word: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Self { group, word: word.into(), description: description.into() }
    }

    /// A line as the completion of the shell takes it; `before` is what stays of
    /// the word that is typed.
    fn line(&self, shell: Shell, before: &str) -> String {
        let word = out::printable(&self.word);
        let description = out::printable(&self.description);
        match shell {
            // As `_describe` takes it, with its group in front.
            Shell::Zsh => {
                let word = word.replace('\\', "\\\\").replace(':', "\\:");
                let colon = if description.is_empty() { "" } else { ":" };
                format!("{}\t{word}{colon}{description}\n", self.group)
            }
            // The completion quotes it: this is the word itself.
            Shell::Bash => format!("{before}{word}\n"),
            Shell::Fish => format!("{before}{word}\t{description}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_candidate() {
        let candidate = Candidate::new("processes", "a:b\\c\nports\t99:fake\x1b[2J", "x\ny");
        for (shell, line) in [
            (Shell::Zsh, "processes\ta\\:b\\\\c ports 99\\:fake[2J:x y\n"),
            (Shell::Bash, "a:b\\c ports 99:fake[2J\n"),
            (Shell::Fish, "a:b\\c ports 99:fake[2J\tx y\n"),
        ] {
            assert_eq!(candidate.line(shell, ""), line);
        }
    }

    fn process(pid: u32, group: u32, uid: u32, started: u64, command: &[&str]) -> Process {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Process { pid, group, uid, name: "name".to_owned(), command, started }
    }

    #[test]
    fn own_and_young_processes_come_first() {
        let this = std::process::id();
        let processes = vec![
            process(1, 1, 0, 1, &["/sbin/init"]),
            process(20, 20, 1000, 20, &["zsh"]),
            // The subshell of the completion, and this program.
            process(90, 20, 1000, 90, &["zsh"]),
            process(this, 20, 1000, 91, &["mx", "__complete"]),
            process(30, 30, 1000, 30, &["/usr/bin/python3", "train it.py", "--lr"]),
            process(40, 40, 33, 40, &["sshd: ana@pts/0"]),
            process(50, 50, 1000, 10, &[]),
            process(60, 60, 1000, 5, &["/opt/a b/c", "x\n9:y"]),
        ];
        let lines: Vec<String> =
            pids(processes).iter().map(|candidate| candidate.line(Shell::Fish, "")).collect();
        let expected = [
            "30\tpython3 train it.py --lr\n",
            "20\tzsh\n",
            "50\tname\n",
            "60\t/opt/a b/c x 9:y\n",
            "40\tsshd: ana@pts/0\n",
            "1\tinit\n",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_is_typed_before_a_value_stays() {
        let value = Candidate::new("values", "4096", "");
        for (typed, line) in [
            ("nofile=", "nofile=4096\n"),
            ("nofile=40", "nofile=4096\n"),
            ("nofile=1024:", "nofile=1024:4096\n"),
            ("localhost:80", "4096\n"),
            ("", "4096\n"),
        ] {
            assert_eq!(value.line(Shell::Bash, behind_sign(typed)), line, "{typed}");
        }
        assert_eq!(value.line(Shell::Zsh, "nofile="), "values\t4096\n");
    }
}
