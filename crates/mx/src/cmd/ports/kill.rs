//! `mx ports kill`: free ports by ending the processes that hold them.

mod answer;
mod refusal;

use std::rc::Rc;
use std::time::Duration;

use ports::kill::{self, Ending, Fate};
use ports::{Owner, Query, Report, Selector, Socket};
use sys::signal::{self, Signal};
use unicode_width::UnicodeWidthStr;

use self::answer::{Done, Process};
use self::refusal::Refused;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;

/// Free ports: end every process that is bound to them
///
/// Signals every owner of the listening TCP and bound UDP sockets that a client
/// of SELECTOR reaches, also one of another name than was asked for, and no
/// other process: a client that only uses a port as its source port is left
/// alone, and so is a UDP socket that may be a client's, unless UDP is named.
/// Shows the processes and asks; without a terminal --yes is needed. A process
/// that is stopped (Ctrl-Z) is told to go on, so that it can end. Then waits
/// for the ports to be free and makes sure that they are: if something bound
/// them again, it says what, and how to stop it.
///
/// A signal that is no request to end, such as HUP, is done when it is
/// delivered: nothing is waited for, unless --force is given.
///
/// Never ends process 1, mx itself or one of its ancestors, and touches nothing
/// if some owner cannot be seen or may not be signalled. Of a port that a
/// container publishes, it says how to stop the container instead.
///
/// Exit codes: 0 freed, or the signal was delivered, 1 nothing serves the ports,
/// 2 wrong usage, 3 it could not be done or something bound the port again.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx ports kill 3000             shows what serves it, and asks
  mx ports kill 3000 --dry-run   shows it, and does nothing
  mx ports kill -y 3000-3010 --grace 2s --force
  mx ports kill -9 pid:1234      KILL at once
  mx ports kill -y -s HUP nginx  lets nginx read its configuration again")]
pub(crate) struct KillArgs {
    /// Ports, ranges, addresses, URLs, pid:N or process names
    #[arg(value_name = "SELECTOR", value_parser = super::selector, required = true)]
    selectors: Vec<Selector>,
    #[command(flatten)]
    protocol: super::ProtocolArgs,
    /// The signal to send first, a name or a number
    #[arg(short, long, value_name = "SIGNAL", value_parser = parse_signal, default_value = "TERM")]
    signal: Signal,
    /// Send KILL, as --signal KILL
    #[arg(short = '9', overrides_with = "signal")]
    nine: bool,
    /// How long to wait for the ports to be free
    #[arg(long, value_name = "TIME", value_parser = crate::values::duration, default_value = "5s")]
    grace: Duration,
    /// Send KILL to what is left after that time
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Only sockets of this user, a name or a number
    #[arg(long, value_name = "USER", value_parser = super::user, value_hint = clap::ValueHint::Username)]
    user: Option<u32>,
    /// Sockets of other network namespaces too, as those of containers
    #[arg(long)]
    all_namespaces: bool,
}

/// Why a call ends with nothing done.
struct Stopped {
    failure: Failure,
    /// One word for a document: `hidden`, `unread`, `protected`, `denied`,
    /// `published`, `not-serving`, `unknown` or `unanswered`.
    reason: &'static str,
    /// The process that it is about.
    pid: Option<u32>,
}

pub(crate) fn kill(args: &KillArgs, out: &Out) -> Outcome {
    let query = Query {
        selectors: args.selectors.clone(),
        protocol: args.protocol.only(),
        user: args.user,
        all_namespaces: args.all_namespaces,
        serving: true,
        containers: true,
        spare_clients: true,
        ..Query::default()
    };
    super::check_protocols(&query)?;
    let signal = if args.nine { Signal::SIGKILL } else { args.signal };
    let report = ports::list(&query)?;
    report.notes.iter().for_each(|note| out.note(note));
    if let Err(stopped) = may_go_on(args, &query, &report, signal) {
        // A document says why nothing was done, beside the message.
        if out.is_json() {
            let refused = Some(Refused::from(&stopped));
            answer::print(&Done { refused, ..answer::plan(&report, signal) }, out)?;
        }
        return Err(stopped.failure);
    }
    if report.sockets.is_empty() {
        answer::print(&Done { dry_run: args.dry_run, ..answer::plan(&report, signal) }, out)?;
        return Ok(Exit::No);
    }
    if args.dry_run {
        answer::print(&Done { dry_run: true, ..answer::plan(&report, signal) }, out)?;
        return Ok(Exit::Yes);
    }
    if !kill::ends(signal) && !args.force {
        return answer::finish(&kill::send(&report, signal)?, out);
    }
    let mut ending = kill::end(&query, &report, signal, args.grace)?;
    let is_stuck = !ending.bound.is_empty() && ending.again.is_none();
    if is_stuck && (args.force || (!args.yes && ask_to_force(&ending))) {
        ending = kill::force(&query, ending, args.grace)?;
    }
    answer::finish(&ending, out)
}

/// Whether the owners may be signalled; asks, where nothing else speaks against it.
fn may_go_on(
    args: &KillArgs,
    query: &Query,
    report: &Report,
    signal: Signal,
) -> Result<(), Stopped> {
    if report.cannot_tell() {
        return Err(refusal::unknown(report));
    }
    if report.sockets.is_empty() {
        return refusal::not_serving(query);
    }
    if let Some(refused) = kill::refusal(report) {
        return Err(refusal::refused(&refused));
    }
    if args.yes || args.dry_run { Ok(()) } else { ask(report, signal) }
}

/// The owners of one socket, which may be ended.
pub(super) struct Chosen {
    query: Query,
    report: Report,
}

impl Chosen {
    /// Those of a socket that is shown, as it is now; an error if it is gone, or
    /// if they must be left alone.
    pub(super) fn find(socket: &Socket, all_namespaces: bool) -> Result<Self, Failure> {
        let selectors = vec![Selector::port(socket.port, Some(socket.protocol))];
        let containers = true;
        let query =
            Query { selectors, serving: true, all_namespaces, containers, ..Query::default() };
        let report = ports::list(&query)?.only(socket);
        if report.sockets.is_empty() {
            let port = socket.port;
            return Err(Failure::unable(format!("cannot free {port}: this socket serves no more")));
        }
        match kill::refusal(&report) {
            Some(refused) => Err(refusal::refused(&refused).failure),
            None => Ok(Self { query, report }),
        }
    }

    /// Whom to end, in a question. Where the names do not fit, their number.
    pub(super) fn question(&self, width: usize) -> String {
        let owners = kill::owners(&self.report.sockets);
        let name = |owner: &Rc<Owner>| {
            let state = if kill::is_stopped(owner) { ", which is stopped" } else { "" };
            format!("{owner}{state}")
        };
        let names: Vec<String> = owners.iter().map(name).collect();
        let port = self.report.sockets.first().map(|socket| socket.port).unwrap_or_default();
        let question = format!("End {}, bound to {port}? [y/N]", names.join(", "));
        if crate::out::printable(&question).width() <= width {
            question
        } else {
            format!("End {}? [y/N]", super::count_processes(owners.len()))
        }
    }

    /// Sends TERM, and says what became of it; then a hint.
    pub(super) fn end(&self) -> Result<(String, Option<String>), Failure> {
        /// The screen waits for it.
        const GRACE: Duration = Duration::from_secs(2);

        answer::summary(&kill::end(&self.query, &self.report, Signal::SIGTERM, GRACE)?)
    }
}

fn parse_signal(text: &str) -> Result<Signal, Failure> {
    signal::parse(text).ok_or_else(|| {
        Failure::usage(
            format!("cannot use '{text}' as a signal: there is no such signal"),
            "accepted: a name such as TERM, INT, HUP or KILL, or its number",
        )
    })
}

/// Shows the processes and asks; an error if the answer is no or cannot be had.
fn ask(report: &Report, signal: Signal) -> Result<(), Stopped> {
    let plan = answer::plan(report, signal);
    for Process { pid, name, ports, stopped, signal, .. } in &plan.processes {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let state = if *stopped { ", which is stopped" } else { "" };
        let ports = ports.join(", ");
        Out::ask_about(&format!("{signal} to {name} (PID {pid}){state}, bound to {ports}"));
    }
    let count = super::count_processes(plan.processes.len());
    let question = if kill::ends(signal) {
        format!("End {count}?")
    } else {
        format!("Send {} to {count}?", signal::name(signal))
    };
    let failure = match Out::confirm(&question) {
        Some(true) => return Ok(()),
        Some(false) => Failure::unable("cannot free the port: the answer was not yes")
            .hint("nothing was signalled"),
        None => Failure::usage(
            "cannot ask whether to go on: there is no terminal",
            "--yes goes on without asking, --dry-run shows what would be done",
        ),
    };
    Err(Stopped { failure, reason: "unanswered", pid: None })
}

fn ask_to_force(ending: &Ending) -> bool {
    let still = ending.targets.iter().filter(|target| target.fate() == Fate::Running).count();
    still > 0
        && Out::confirm(&format!("Still bound. Send KILL to {}?", super::count_processes(still)))
            == Some(true)
}
