//! `mx limits raise`: raise soft limits of the shell, through its function `mx`.
//!
//! The function runs this command twice. The first run decides and sends
//! directives; the second inherits what came of them, compares, and prints.

use std::env;
use std::path::Path;

use limits::change::{Change, Wish};
use limits::set::{self, SetError};
use limits::{Unit, Value};
use serde::Serialize;

use super::set::refused;
use super::show;
use super::ulimit::{self, Mode, Ulimit};
use super::words::{self, Word};
use crate::directives::{self, Channel, Limit};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::shell::Shell;
use crate::table::{Align, Cell, Column, KEY, Table};

/// Raise limits of this shell
///
/// Raises the soft limit, in the shell that it is typed in and what that
/// starts from then on; never lowers it. A name alone goes as high as is wise:
/// not past the ceiling, and not to the 2³⁰ files that some programs close one
/// by one. Without a name: nofile.
///
/// VALUE is as in mx help limits run. A PROFILE is one of mx limits check.
///
/// A program cannot change the shell that runs it: this takes the shell's
/// function mx, which mx setup installs. Without it, mx prints the line to type.
///
/// Exit codes: 0 raised, or high enough already, 2 wrong usage, 3 it could not
/// be done.
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx limits raise                              nofile, as high as is wise
  mx limits raise nofile=65536 core=unlimited
  mx limits raise ml                           what a profile asks for")]
pub(crate) struct RaiseArgs {
    /// Limits, as nofile or nofile=65536, and profiles
    #[arg(id = "raises", value_name = "NAME[=VALUE]", value_parser = words::word)]
    words: Vec<Word>,
}

#[derive(Serialize)]
struct Raised {
    limits: Vec<RaisedLimit>,
}

#[derive(Serialize)]
struct RaisedLimit {
    name: &'static str,
    unit: Unit,
    /// The soft limit before.
    old: Value,
    /// The soft limit now.
    new: Value,
}

const DOING: &str = "raise the limits of this shell";

pub(super) fn raise(args: RaiseArgs, out: &Out) -> Outcome {
    let wishes = soft_wishes(args.words)?;
    let changes = changes(&wishes)?;
    if let Some(before) = directives::raised() {
        return verify(&changes, &before, out);
    }
    let missing: Vec<&Change> =
        changes.iter().filter(|change| change.new.soft > change.old.soft).collect();
    if missing.is_empty() {
        print(changes.iter().map(|change| raised(change, change.old.soft)).collect(), out)?;
        out.note("high enough already: nothing was changed");
        return Ok(Exit::Yes);
    }
    let Some(channel) = Channel::open() else { return Err(by_hand(&missing)) };
    if sys::exec::output_was_closed() {
        return Err(Failure::unable(format!("cannot {DOING}: standard output is closed")));
    }
    if channel.subshell {
        out.note("this is a subshell: the shell that you see keeps its limits");
    }
    let limits: Vec<(Ulimit, &Change, String)> = missing
        .into_iter()
        .map(|change| Ok((option(channel.shell, change)?, change, change.old.soft.to_string())))
        .collect::<Result<_, Failure>>()?;
    let limits: Vec<Limit> = limits
        .iter()
        .map(|(ulimit, change, old)| Limit {
            flag: ulimit.flag,
            value: ulimit.value(change.new.soft, change.old.hard),
            name: change.resource.name,
            old,
        })
        .collect();
    channel.send(&limits).map_err(|error| Failure::unable(format!("cannot {DOING}: {error}")))?;
    Ok(Exit::Yes)
}

/// What the words wish for, which is about soft limits only; `nofile` without any.
pub(super) fn soft_wishes(words: Vec<Word>) -> Result<Vec<Wish>, Failure> {
    let is_empty = words.is_empty();
    let mut wishes = words::wishes(words)?;
    if wishes.is_empty() && is_empty {
        wishes.push(words::wish("nofile")?);
    }
    match wishes.iter().find(|wish| wish.hard.is_some()) {
        None => Ok(wishes),
        Some(wish) => Err(Failure::usage(
            format!("cannot raise the hard limit of {} in a shell", wish.resource.name),
            "accepted: NAME, NAME=VALUE; mx limits set changes both limits of a process",
        )),
    }
}

/// What is to become of the soft limits; an error if one is beyond its hard limit.
fn changes(wishes: &[Wish]) -> Result<Vec<Change>, Failure> {
    let mut changes = set::plan(wishes, None).map_err(|error| refused(DOING, &error))?;
    for change in &mut changes {
        if change.new.hard > change.old.hard {
            return Err(refused(DOING, &SetError::AboveHard(*change)));
        }
        change.new.soft = change.new.soft.max(change.old.soft);
    }
    Ok(changes)
}

/// The second run: what is in force now, which this process has inherited.
fn verify(changes: &[Change], before: &[(String, String)], out: &Out) -> Outcome {
    let old = |change: &Change| {
        let (_, old) = before.iter().find(|(name, _)| name == change.resource.name)?;
        Value::parse(old, Unit::Count).ok()
    };
    let limits = changes
        .iter()
        .map(|change| raised(change, old(change).unwrap_or(change.old.soft)))
        .collect();
    print(limits, out)?;
    let low = changes.iter().find(|change| {
        !ulimit::is_enough(change.old.soft, change.new.soft, change.resource.unit)
            || old(change).is_some_and(|old| change.old.soft <= old)
    });
    match low {
        None => Ok(Exit::Yes),
        Some(change) => Err(Failure::unable(format!(
            "cannot {DOING}: its ulimit left {} at {}",
            change.resource.name,
            show::human(change.old.soft, change.resource.unit)
        ))),
    }
}

fn raised(change: &Change, old: Value) -> RaisedLimit {
    let resource = change.resource;
    RaisedLimit { name: resource.name, unit: resource.unit, old, new: change.old.soft }
}

fn option(shell: Shell, change: &Change) -> Result<Ulimit, Failure> {
    let name = change.resource.name;
    let option = Ulimit::in_mode(shell, Mode::of_caller(), change.resource);
    option.ok_or_else(|| cannot_set(shell.name(), name))
}

fn cannot_set(shell: &str, name: &str) -> Failure {
    Failure::unable(format!("cannot {DOING}: ulimit of {shell} cannot set {name}"))
        .hint(format!("mx limits run {name}=VALUE -- CMD sets it for a command"))
}

/// What the user can do without the function: the line to type.
fn by_hand(missing: &[&Change]) -> Failure {
    let shell = login_shell();
    let known = if shell.is_empty() { Some(Shell::Bash) } else { Shell::named(&shell) };
    let call = |change: &&Change| {
        let option = match known {
            Some(known) => option(known, change)?,
            None => Ulimit::of_sh(change.resource)
                .ok_or_else(|| cannot_set(&shell, change.resource.name))?,
        };
        Ok(option.call(change.new.soft, change.old.hard))
    };
    let calls = match missing.iter().map(call).collect::<Result<Vec<String>, Failure>>() {
        Ok(calls) => calls.join("; "),
        Err(failure) => return failure,
    };
    let setup = known.map(|known| format!("; or, once and for all: mx setup {}", known.name()));
    Failure::unable(format!("cannot {DOING}: its function mx is not loaded"))
        .hint(format!("type: {calls}{}", setup.unwrap_or_default()))
}

/// The name of the user's shell, which is most likely the one that this runs in.
fn login_shell() -> String {
    let shell = env::var_os("SHELL").unwrap_or_default();
    Path::new(&shell).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn print(limits: Vec<RaisedLimit>, out: &Out) -> Result<(), Failure> {
    let report = Raised { limits };
    out.document("mx.limits-raise/1", &report, || table(&report.limits))
}

fn table(limits: &[RaisedLimit]) -> Table {
    let column = |heading, align| Column { heading, align };
    let row = |limit: &RaisedLimit| {
        vec![
            Cell::new(limit.name).style(KEY),
            Cell::new(show::human(limit.old, limit.unit)),
            Cell::new(show::human(limit.new, limit.unit)),
        ]
    };
    Table {
        columns: vec![
            column("NAME", Align::Left),
            column("OLD", Align::Right),
            column("NEW", Align::Right),
        ],
        rows: limits.iter().map(row).collect(),
    }
}
