//! `mx limits`: what limits a process, and how near it is.

mod answer;
mod candidates;
mod cause;
mod check;
mod explain;
mod fix;
mod letters;
mod persist;
mod profiles;
mod raise;
mod run;
mod set;
mod show;
mod target;
mod ulimit;
mod words;

use clap::Subcommand;
use limits::{Name, NameError, Query};

pub(super) use self::candidates::{Purpose, limit_names, limit_values, profile_names};
pub(crate) use self::letters::spell_out;
use self::target::Target;
use crate::deferred::Deferred;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::sudo;

/// Show what limits a process, and how near it is
///
/// SOFT is what is in force, HARD how far a process may raise it by itself,
/// CEILING what stops it all the same and SOURCE the name of that. USED is what
/// the shell uses, or the process of --pid; STATE is near from four fifths on.
/// Below follow limits of the kernel and of the cgroup, which several processes
/// share.
///
/// The limits are those that mx was started with, which a shell hands to
/// every command. How many processes a user has is counted only for nproc and
/// --all; else there is an upper bound.
///
/// --who adds a row for each process that watches files with inotify, those
/// with most watches first: pid:PID, its watches, its name. Watches are limited
/// for each user.
///
/// NAME is one of setrlimit(2) (nofile), the letter that ulimit has for it
/// (-n; not -q, which is --quiet), or a name of the kernel (fs.file-max).
///
/// Exit codes: 0 shown, 1 there is no such limit or process here, 2 wrong usage,
/// 3 it cannot be told.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx limits                       what matters here
  mx limits nofile fs.file-max    a limit, and one of the kernel
  mx limits --pid 4242 --all      every limit of a process
  mx limits max_user_watches --who        who watches how many files")]
pub(crate) struct LimitsArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Limits; those that matter if none is given
    #[arg(id = "limits", value_name = "NAME", value_parser = name)]
    names: Vec<Name>,
    /// The limits of this process, by its id or name, and what it uses
    #[arg(long, value_name = "PID", value_parser = Target::parse)]
    pid: Option<Target>,
    /// Every limit
    #[arg(long)]
    all: bool,
    /// List the processes that hold inotify watches, which takes longer
    #[arg(long)]
    who: bool,
}

#[derive(Subcommand)]
enum Verb {
    Raise(Deferred<raise::RaiseArgs>),
    Run(Deferred<run::RunArgs>),
    Set(Deferred<set::SetArgs>),
    Explain(Deferred<explain::ExplainArgs>),
    Check(Deferred<check::CheckArgs>),
    Persist(Deferred<persist::PersistArgs>),
}

pub(crate) fn limits(args: LimitsArgs, out: &Out) -> Outcome {
    match args.verb {
        Some(Verb::Raise(Deferred(args))) => raise::raise(args, out),
        Some(Verb::Run(Deferred(args))) => run::run(args),
        Some(Verb::Set(Deferred(args))) => set::set(args, out),
        Some(Verb::Explain(Deferred(args))) => explain::explain(&args, out),
        Some(Verb::Check(Deferred(args))) => check::check(&args, out),
        Some(Verb::Persist(Deferred(args))) => persist::persist(args, out),
        None => list(args, out),
    }
}

fn list(args: LimitsArgs, out: &Out) -> Outcome {
    let pid = args.pid.as_ref().map(Target::pid).transpose()?;
    let query = Query { names: args.names, pid, all: args.all, holders: args.who };
    let mut report = limits::list(&query)?;
    report.notes.extend(hidden_holders(report.hidden));
    let holders = report.holders.as_deref().unwrap_or_default();
    out.document("mx.limits/1", &report, || {
        show::table_with(&report.limits, &report.kernel, holders)
    })?;
    for note in &report.notes {
        out.note(note);
    }
    Ok(Exit::found(!(report.limits.is_empty() && report.kernel.is_empty())))
}

fn name(text: &str) -> Result<Name, Failure> {
    text.parse().map_err(|NameError { nearest }| unknown(text, nearest))
}

fn unknown(text: &str, nearest: &str) -> Failure {
    Failure::usage(
        format!("cannot use '{text}' as a limit: there is no limit of this name"),
        format!("did you mean {nearest}?"),
    )
}

fn hidden_holders(hidden: u64) -> Option<String> {
    let processes = if hidden == 1 { "process" } else { "processes" };
    let shows = || format!("{} shows them", sudo::call());
    (hidden > 0)
        .then(|| format!("{hidden} {processes} of other users may hold watches, too: {}", shows()))
}
