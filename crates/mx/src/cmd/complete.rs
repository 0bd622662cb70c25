//! `mx __complete`: live values for the shell's completion.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ports::{Query, Report, Selector};
use sys::signal::{self, Signal};

use crate::exit::{Exit, Outcome};
use crate::out::{self, Out};
use crate::shell::Shell;

/// How long owners are looked for; ports are printed in any case.
const BUDGET: Duration = Duration::from_millis(80);

#[derive(clap::Args)]
pub(crate) struct CompleteArgs {
    noun: Noun,
    #[arg(default_value = "zsh")]
    shell: Shell,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Noun {
    Ports,
    Signals,
}

/// A word that can stand on the command line.
struct Candidate {
    group: &'static str,
    word: String,
    description: String,
}

/// Prints a line for each value, in the form that the shell's completion takes.
pub(crate) fn complete(args: &CompleteArgs, out: &Out) -> Outcome {
    let candidates = match args.noun {
        Noun::Ports => {
            let deadline = Some(Instant::now() + BUDGET);
            ports_candidates(&ports::list(&Query { deadline, ..Query::default() })?)
        }
        Noun::Signals => signals(),
    };
    let lines: String = candidates.iter().map(|candidate| candidate.line(args.shell)).collect();
    out.text(&lines)?;
    Ok(Exit::found(!candidates.is_empty()))
}

fn ports_candidates(report: &Report) -> Vec<Candidate> {
    let mut holders: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    let mut ports: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
    for socket in &report.sockets {
        let names = holders.entry(socket.port).or_default();
        for owner in &socket.owners {
            names.push(format!("{} ({})", owner.name, owner.pid));
            ports.entry(&owner.name).or_default().push(socket.port);
        }
    }
    let by_port = holders.into_iter().map(|(port, mut names)| {
        names.sort();
        names.dedup();
        let description =
            if names.is_empty() { "owner not seen".to_owned() } else { names.join(", ") };
        Candidate { group: "ports", word: port.to_string(), description }
    });
    let by_name = ports.into_iter().filter_map(|(name, mut ports)| {
        let word = Selector::for_process(&out::printable(name))?;
        ports.dedup();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        Some(Candidate { group: "processes", word, description: ports.join(", ") })
    });
    by_port.chain(by_name).collect()
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
