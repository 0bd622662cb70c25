//! `mx limits set`: change the limits of a running process.

use limits::change::{Change, Wish};
use limits::set::{self, SetError};
use limits::{Pair, Unit};
use serde::Serialize;

use super::show;
use super::target::Target;
use super::words::{self, Word};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::table::{Align, Cell, Column, KEY, Table};

/// Change the limits of a running process
///
/// Changes all of the limits or none, and looks afterwards whether they are
/// what was asked for. What a process without privilege cannot take back, a
/// lower hard limit, is set last. Linux can do this, for one's own processes;
/// macOS cannot, for any: there mx limits run sets limits as a command starts.
///
/// NAME=VALUE sets the soft limit, and lifts the hard one where that is lower
/// and this user may. NAME=SOFT:HARD sets both, NAME=:HARD the hard one. VALUE
/// is as in mx help limits run.
///
/// Exit codes: 0 changed, 1 there is no such process, 2 wrong usage, 3 it could
/// not be done.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx limits set --pid 4242 nofile=65536
  mx limits set --pid 4242 core=0:unlimited   soft and hard limit")]
pub(crate) struct SetArgs {
    /// The process, by its id or its name if no other has that
    #[arg(long, value_name = "PID", required = true, value_parser = Target::parse)]
    pid: Target,
    /// Limits, as nofile=65536
    #[arg(id = "changes", value_name = "NAME=VALUE", value_parser = words::wish)]
    wishes: Vec<Wish>,
}

#[derive(Serialize)]
struct Done {
    pid: u32,
    changes: Vec<Changed>,
}

#[derive(Serialize)]
struct Changed {
    name: &'static str,
    unit: Unit,
    old: Pair,
    new: Pair,
}

pub(super) fn set(args: SetArgs, out: &Out) -> Outcome {
    let words = args.wishes.into_iter().map(Word::Wish).collect();
    let wishes = words::wishes(words)?;
    if wishes.is_empty() {
        return Err(Failure::usage(
            "cannot change limits: no limit is named",
            "as in: mx limits set --pid PID nofile=65536",
        ));
    }
    let pid = args.pid.pid()?;
    let doing = format!("change the limits of process {pid}");
    let changes = set::plan(&wishes, Some(pid)).map_err(|error| refused(&doing, &error))?;
    set::set_of(pid, &changes).map_err(|error| refused(&doing, &error))?;
    let outcome = |change: &Change| Changed {
        name: change.resource.name,
        unit: change.resource.unit,
        old: change.old,
        new: change.new,
    };
    let report = Done { pid, changes: changes.iter().map(outcome).collect() };
    out.document("mx.limits-set/1", &report, || table(&report.changes))?;
    Ok(Exit::Yes)
}

fn table(changes: &[Changed]) -> Table {
    let column = |heading, align| Column { heading, align };
    let row = |change: &Changed| {
        vec![
            Cell::new(change.name).style(KEY),
            Cell::new(show::pair(change.old, change.unit)),
            Cell::new(show::pair(change.new, change.unit)),
        ]
    };
    Table {
        columns: vec![
            column("NAME", Align::Left),
            column("OLD", Align::Right),
            column("NEW", Align::Right),
        ],
        rows: changes.iter().map(row).collect(),
    }
}

/// Why limits were not changed. Nothing was, unless the message says so.
pub(super) fn refused(doing: &str, error: &SetError) -> Failure {
    match error {
        // The message of a failed call says what was being done.
        SetError::System(error) => Failure::unable(error.to_string()),
        SetError::Left { first, .. } => {
            let Failure { hint, .. } = refused(doing, first);
            Failure { hint, ..Failure::unable(format!("cannot {doing}: {error}")) }
        }
        SetError::SoftAboveHard { .. } => {
            Failure::usage(format!("cannot {doing}: {error}"), "NAME=SOFT:HARD sets both limits")
        }
        SetError::AboveHard(_) => Failure::unable(format!("cannot {doing}: {error}")).hint(
            format!("only {} may lift a hard limit; NAME=max goes up to it", limits::LIFTS_HARD),
        ),
        SetError::Absent(_) | SetError::Ignored { .. } => {
            Failure::unable(format!("cannot {doing}: {error}"))
        }
    }
}
