//! `mx __complete`: live values for the shell's completion.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ports::{Selector, Served};

use crate::exit::{Exit, Outcome};
use crate::out::{self, Out};

#[derive(clap::Args)]
pub(crate) struct CompleteArgs {
    noun: Noun,
    /// How long to look for owners; ports are printed in any case
    #[arg(long, value_name = "TIME", value_parser = crate::values::duration, default_value = "80ms")]
    within: Duration,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Noun {
    Ports,
}

/// Prints a line for each value: the group, a tab, then `value:description`
/// with `:` and `\` of the value escaped, as zsh's `_describe` takes it.
pub(crate) fn complete(args: &CompleteArgs, out: &Out) -> Outcome {
    let lines = match args.noun {
        Noun::Ports => ports_lines(&ports::served(Instant::now() + args.within)?),
    };
    out.text(&lines.concat())?;
    Ok(Exit::found(!lines.is_empty()))
}

fn ports_lines(served: &[Served]) -> Vec<String> {
    let mut ports: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
    let mut lines = Vec::new();
    for Served { port, holders } in served {
        let names: Vec<String> =
            holders.iter().map(|(name, pid)| format!("{name} ({pid})")).collect();
        let names = if names.is_empty() { "owner not seen".to_owned() } else { names.join(", ") };
        lines.push(line("ports", &port.to_string(), &names));
        for (name, _) in holders {
            ports.entry(name).or_default().push(*port);
        }
    }
    lines.extend(ports.into_iter().filter_map(|(name, mut ports)| {
        let words = Selector::for_process(&out::printable(name))?;
        ports.dedup();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        Some(line("processes", &words, &ports.join(", ")))
    }));
    lines
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
