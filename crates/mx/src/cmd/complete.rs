//! `mx __complete`: live values for the shell's completion.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ports::{Query, Report, Selector};

use crate::exit::{Exit, Outcome};
use crate::out::{self, Out};

/// How long owners are looked for; ports are printed in any case.
const BUDGET: Duration = Duration::from_millis(80);

#[derive(clap::Args)]
pub(crate) struct CompleteArgs {
    noun: Noun,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Noun {
    Ports,
}

/// Prints a line for each value: the group, a tab, then `value:description`
/// with `:` and `\` of the value escaped, as zsh's `_describe` takes it.
pub(crate) fn complete(args: &CompleteArgs, out: &Out) -> Outcome {
    let lines = match args.noun {
        Noun::Ports => {
            let deadline = Some(Instant::now() + BUDGET);
            ports_lines(&ports::list(&Query { deadline, ..Query::default() })?)
        }
    };
    out.text(&lines.concat())?;
    Ok(Exit::found(!lines.is_empty()))
}

fn ports_lines(report: &Report) -> Vec<String> {
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
        let names = if names.is_empty() { "owner not seen".to_owned() } else { names.join(", ") };
        line("ports", &port.to_string(), &names)
    });
    let by_name = ports.into_iter().filter_map(|(name, mut ports)| {
        let words = Selector::for_process(&out::printable(name))?;
        ports.dedup();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        Some(line("processes", &words, &ports.join(", ")))
    });
    by_port.chain(by_name).collect()
}

fn line(group: &str, value: &str, description: &str) -> String {
    let value = out::printable(value).replace('\\', "\\\\").replace(':', "\\:");
    format!("{group}\t{value}:{}\n", out::printable(description))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_hostile_name_stays_one_candidate() {
        let text = line("processes", "a:b\\c\nports\t99:fake\x1b[2J", "x\ny");
        assert_eq!(text, "processes\ta\\:b\\\\c ports 99\\:fake[2J:x y\n");
    }
}
