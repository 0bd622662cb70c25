//! `mx __complete`: live values for the shell's completion.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ports::{Selector, Served};
use sys::signal::{self, Signal};

use super::limits;
use crate::exit::{Exit, Outcome};
use crate::out::{self, Out};
use crate::shell::Shell;

/// Holders that a description names.
const MOST_NAMES: usize = 3;

#[derive(clap::Args)]
pub(crate) struct CompleteArgs {
    noun: Noun,
    #[arg(default_value = "zsh")]
    shell: Shell,
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
    Profiles,
}

/// A word that can stand on the command line.
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
        Noun::LimitValues => limits::limit_values(),
        Noun::Profiles => limits::profile_names(),
    };
    let lines: String = candidates.iter().map(|candidate| candidate.line(args.shell)).collect();
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
        candidates.push(Candidate { group: "ports", word: port.to_string(), description });
        for (name, _) in holders {
            ports.entry(name).or_default().push(*port);
        }
    }
    candidates.extend(ports.into_iter().filter_map(|(name, mut ports)| {
        let word = Selector::for_process(&out::printable(name))?;
        ports.dedup();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        Some(Candidate { group: "processes", word, description: ports.join(", ") })
    }));
    candidates
}

fn signals() -> Vec<Candidate> {
    let candidate = |signal: Signal| Candidate {
        group: "signals",
        word: signal::name(signal).to_owned(),
        description: (signal as i32).to_string(),
    };
    Signal::iterator().map(candidate).collect()
}

impl Candidate {
    fn line(&self, shell: Shell) -> String {
        let word = out::printable(&self.word);
        let description = out::printable(&self.description);
        match shell {
            // As `_describe` takes it, with its group in front.
            Shell::Zsh => {
                let word = word.replace('\\', "\\\\").replace(':', "\\:");
                format!("{}\t{word}:{description}\n", self.group)
            }
            // The completion quotes it: this is the word itself.
            Shell::Bash => format!("{word}\n"),
            Shell::Fish => format!("{word}\t{description}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_candidate() {
        let candidate = Candidate {
            group: "processes",
            word: "a:b\\c\nports\t99:fake\x1b[2J".to_owned(),
            description: "x\ny".to_owned(),
        };
        for (shell, line) in [
            (Shell::Zsh, "processes\ta\\:b\\\\c ports 99\\:fake[2J:x y\n"),
            (Shell::Bash, "a:b\\c ports 99:fake[2J\n"),
            (Shell::Fish, "a:b\\c ports 99:fake[2J\tx y\n"),
        ] {
            assert_eq!(candidate.line(shell), line);
        }
    }
}
