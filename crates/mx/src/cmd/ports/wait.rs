//! `mx ports wait`: wait until ports are up, or free.

use std::thread::sleep;
use std::time::{Duration, Instant};

use ports::wait::{self, Goal};
use ports::{Protocol, Selector};
use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::out::Out;
use crate::table::{Align, Cell, Column, KEY, Table, WARN};

/// Wait until something serves every port, or until they are free
///
/// A port is up if a connection to it succeeds, on IPv4 and IPv6 as the server
/// is bound; a UDP port, if it is bound. Of a range every port must be up.
///
/// Exit codes: 0 all are up (or free), 1 not in time, 2 wrong usage, 3 it
/// cannot be told.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  npm start & mx ports wait 3000 && open http://localhost:3000
  mx ports wait 5432 6379 --timeout 2m
  mx ports wait --free 8080      until nothing is bound to it")]
pub(crate) struct WaitArgs {
    /// Ports, ranges, addresses, URLs or process names
    #[arg(value_name = "SELECTOR", value_parser = super::selector, required = true)]
    selectors: Vec<Selector>,
    #[command(flatten)]
    protocol: super::ProtocolArgs,
    /// Wait until nothing is bound any more
    #[arg(long)]
    free: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = crate::values::duration, default_value = "30s")]
    timeout: Duration,
    /// How often to look
    #[arg(long, value_name = "TIME", value_parser = crate::values::duration, default_value = "20ms")]
    interval: Duration,
}

#[derive(Serialize)]
struct Waited {
    reached: bool,

    seconds: f64,
    selectors: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    selector: String,
    /// `None` if the goal is reached.
    missing: Option<String>,
}

pub(crate) fn wait(args: &WaitArgs, out: &Out) -> Outcome {
    /// A wait that is over sooner needs no explanation.
    const SILENT: Duration = Duration::from_secs(1);

    let goal = if args.free { Goal::Free } else { Goal::Up };
    let protocol = args.protocol.only();
    let start = Instant::now();
    let mut progress = out.progress();
    let parts = loop {
        let before = Instant::now();
        let left = || args.timeout.saturating_sub(start.elapsed());
        let parts = look(&args.selectors, protocol, goal, left)?;
        let elapsed = start.elapsed();
        let missing: Vec<String> = parts.iter().filter_map(Part::text).collect();
        if missing.is_empty() || elapsed >= args.timeout {
            break parts;
        }
        if elapsed >= SILENT {
            progress.show(&format!("waiting, {} s: {}", elapsed.as_secs(), missing.join("; ")));
        }
        // Looking takes at most half of one processor, however busy the machine is.
        let rest = args.interval.max(before.elapsed()).min(args.timeout.saturating_sub(elapsed));
        sleep(rest);
    };
    drop(progress);
    let reached = parts.iter().all(|part| part.missing.is_none());
    let waited = Waited { reached, seconds: start.elapsed().as_secs_f64(), selectors: parts };
    out.document("mx.ports-wait/1", &waited, || table(&waited.selectors, goal))?;
    if !reached {
        let missing: Vec<String> = waited.selectors.iter().filter_map(Part::text).collect();
        out.note(&format!("not in time: {}", missing.join("; ")));
    }
    Ok(Exit::found(reached))
}

fn look(
    selectors: &[Selector],
    protocol: Option<Protocol>,
    goal: Goal,
    left: impl Fn() -> Duration,
) -> Result<Vec<Part>, sys::Error> {
    selectors
        .iter()
        .map(|selector| {
            let missing = wait::missing(selector, protocol, goal, left())?;
            Ok(Part { selector: selector.to_string(), missing })
        })
        .collect()
}

impl Part {
    fn text(&self) -> Option<String> {
        self.missing.as_ref().map(|missing| format!("{}: {missing}", self.selector))
    }
}

fn table(parts: &[Part], goal: Goal) -> Table {
    let column = |heading| Column { heading, align: Align::Left };
    let reached = match goal {
        Goal::Up => "up",
        Goal::Free => "free",
    };
    let row = |part: &Part| {
        let state = match &part.missing {
            Some(missing) => Cell::new(missing).style(WARN),
            None => Cell::new(reached).style(KEY),
        };
        vec![Cell::new(&part.selector), state]
    };
    Table {
        columns: vec![column("SELECTOR"), column("STATE")],
        rows: parts.iter().map(row).collect(),
    }
}
