//! `mx ports kill`: free ports by ending the processes that hold them.

use std::rc::Rc;
use std::time::Duration;

use ports::kill::{self, Ending, Fate, Refusal, Target};
use ports::{Container, Missing, Owner, Query, Report, Selector, Socket};
use serde::Serialize;
use sys::signal::{self, Signal};

use super::listing;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::table::{Align, Cell, Column, KEY, Table, WARN};

/// Free ports: end every process that is bound to them
///
/// Signals every owner of the listening TCP and bound UDP sockets, also one of
/// another name than was asked for, and nobody else: a client that only uses a port as its source port is left alone. Shows
/// the processes and asks; without a terminal --yes is needed. Then waits for
/// the ports to be free and makes sure that they are: if something bound them
/// again, it says what.
///
/// Never ends process 1, mx itself or one of its ancestors, and touches nothing
/// if some owner cannot be seen or may not be signalled. Of a port that a
/// container publishes, it says how to stop the container instead.
///
/// Exit codes: 0 freed, 1 nothing was bound, 2 wrong usage, 3 it could not be
/// done or something bound the port again.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx ports kill 3000             shows what serves it, and asks
  mx ports kill 3000 --dry-run   shows it, and does nothing
  mx ports kill -y 3000-3010 --grace 2s --force")]
pub(crate) struct KillArgs {
    /// Ports, ranges, addresses, URLs or process names
    #[arg(value_name = "SELECTOR", value_parser = super::selector, required = true)]
    selectors: Vec<Selector>,
    #[command(flatten)]
    protocol: super::ProtocolArgs,
    /// The signal to send first, a name or a number
    #[arg(long, value_name = "SIGNAL", value_parser = parse_signal, default_value = "TERM")]
    signal: Signal,
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
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

pub(crate) fn kill(args: KillArgs, out: &Out) -> Outcome {
    let query = Query {
        selectors: args.selectors,
        protocol: args.protocol.only(),
        serving: true,
        containers: true,
        spare_clients: true,
        ..Query::default()
    };
    super::check_protocols(&query)?;
    let report = ports::list(&query)?;
    report.notes.iter().for_each(|note| out.note(note));
    if report.cannot_tell() {
        return Err(super::untold(&report));
    }
    if report.sockets.is_empty() {
        let silent = ports::list(&Query { serving: false, ..query })?;
        if let Some(socket) = silent.sockets.first() {
            return Err(not_serving(socket));
        }
        print(
            &Done { freed: false, dry_run: args.dry_run, processes: Vec::new(), bound: &[] },
            out,
        )?;
        return Ok(Exit::No);
    }
    if let Some(refusal) = kill::refusal(&report) {
        return Err(refused(&refusal));
    }
    if args.dry_run {
        print(&plan(&report, args.signal), out)?;
        return Ok(Exit::Yes);
    }
    if !args.yes {
        ask(&report, args.signal)?;
    }
    let mut ending = kill::end(&query, &report, args.signal, args.grace)?;
    let is_stuck = !ending.bound.is_empty() && ending.again.is_none();
    if is_stuck && (args.force || (!args.yes && ask_to_force(&ending))) {
        ending = kill::force(&query, ending, args.grace)?;
    }
    finish(&ending, out)
}

/// TCP that is bound without listening keeps a port busy, but is no server.
fn not_serving(socket: &Socket) -> Failure {
    let port = socket.port;
    let who = kill::owners(std::slice::from_ref(socket)).first().map(ToString::to_string);
    let who = who.unwrap_or_else(|| "a process that cannot be seen".to_owned());
    Failure::unable(format!("cannot free {port}: {who} has bound it without listening"))
        .hint("nothing was signalled: only servers are ended")
}

fn parse_signal(text: &str) -> Result<Signal, Failure> {
    signal::parse(text).ok_or_else(|| {
        Failure::usage(
            format!("cannot use '{text}' as a signal: there is no such signal"),
            "accepted: a name as TERM, INT, HUP or KILL, or its number",
        )
    })
}

/// What was done, or would be.
#[derive(Serialize)]
struct Done<'a> {
    freed: bool,
    dry_run: bool,
    processes: Vec<Process>,
    /// Sockets that are still bound, or bound again.
    bound: &'a [Socket],
}

#[derive(Serialize)]
struct Process {
    pid: u32,
    name: String,
    ports: Vec<u16>,
    signal: &'static str,
    /// `None` for a dry run.
    result: Option<Fate>,
}

fn plan(report: &Report, signal: Signal) -> Done<'static> {
    let process = |owner: &Rc<Owner>| Process {
        pid: owner.pid,
        name: owner.name.clone(),
        ports: kill::ports(owner, &report.sockets),
        signal: signal::name(signal),
        result: None,
    };
    let processes = kill::owners(&report.sockets).iter().map(process).collect();
    Done { freed: false, dry_run: true, processes, bound: &[] }
}

fn refused(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::Published { port, owner, container } => {
            published(*port, owner.as_deref(), container.as_ref())
        }
        Refusal::Hidden(hidden) => Failure::unable(format!(
            "cannot free the port: the owner of {} cannot be seen",
            super::count(*hidden, "socket")
        ))
        .hint(match ports::missing_right() {
            Some(right) => format!("nothing was signalled; {} may show the owner", remedy(right)),
            None => "nothing was signalled".to_owned(),
        }),
        Refusal::Unread { pid, name, owner } => Failure::unable(format!(
            "cannot free the port: {name} (PID {pid}), started by {owner}, may hold it too and cannot be read"
        ))
        .hint(match ports::missing_right() {
            Some(right) => format!("nothing was signalled; {} may read it", remedy(right)),
            None => "nothing was signalled".to_owned(),
        }),
        Refusal::Protected(owner, what) => {
            Failure::unable(format!("cannot free the port: {owner} holds it, {what}"))
                .hint("nothing was signalled")
        }
        Refusal::Denied(owner) => Failure::unable(format!(
            "cannot free the port: {owner} holds it, and this user may not signal it"
        ))
        .hint(if sys::user::is_root() {
            "nothing was signalled; root needs the capability CAP_KILL for it"
        } else {
            "nothing was signalled; sudo may"
        }),
    }
}

/// What gives this process the right that it lacks.
fn remedy(right: Missing) -> String {
    match right {
        Missing::Root => "sudo".to_owned(),
        Missing::Capability(name) => format!("the capability {name}"),
    }
}

fn published(port: u16, owner: Option<&Owner>, container: Option<&Container>) -> Failure {
    let what = match container {
        Some(container) => {
            format!("{} {}", listing::container(container), listing::mappings(container))
        }
        None => "a container".to_owned(),
    };
    let by = owner.map(|owner| format!(" through {owner}")).unwrap_or_default();
    let stop = match container.and_then(stop_command) {
        Some(command) => format!("{command} frees it"),
        None => "stop the container to free it".to_owned(),
    };
    Failure::unable(format!("cannot free {port}: it is published by {what}{by}"))
        .hint(format!("nothing was signalled; {stop}"))
}

/// The command that stops a container; `None` if its engine has none, or its
/// name is not one that an engine gives: the command will be copied into a shell.
fn stop_command(container: &Container) -> Option<String> {
    let engine = container.engine.filter(|engine| matches!(*engine, "docker" | "podman"))?;
    let name = container.name.as_ref().unwrap_or(&container.id);
    let is_plain = name.starts_with(|char: char| char.is_ascii_alphanumeric())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || "_.-".contains(char));
    is_plain.then(|| format!("{engine} stop {name}"))
}

/// Shows the processes and asks; an error if the answer is no or cannot be had.
fn ask(report: &Report, signal: Signal) -> Result<(), Failure> {
    let plan = plan(report, signal);
    for process in &plan.processes {
        let ports: Vec<String> = process.ports.iter().map(u16::to_string).collect();
        Out::ask_about(&format!(
            "{} to {} (PID {}), bound to {}",
            process.signal,
            process.name,
            process.pid,
            ports.join(", ")
        ));
    }
    match Out::confirm(&format!("End {}?", super::count_processes(plan.processes.len()))) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::unable("cannot free the port: the answer was not yes")
            .hint("nothing was signalled")),
        None => Err(Failure::usage(
            "cannot ask whether to go on: there is no terminal",
            "--yes goes on without asking, --dry-run shows what would be done",
        )),
    }
}

fn ask_to_force(ending: &Ending) -> bool {
    let still = ending.targets.iter().filter(|target| target.fate() == Fate::Running).count();
    still > 0
        && Out::confirm(&format!("Still bound. Send KILL to {}?", super::count_processes(still)))
            == Some(true)
}

fn finish(ending: &Ending, out: &Out) -> Outcome {
    let process = |target: &Target| Process {
        pid: target.owner.pid,
        name: target.owner.name.clone(),
        ports: target.ports.clone(),
        signal: signal::name(target.signal),
        result: Some(target.fate()),
    };
    let mut processes: Vec<Process> = ending.targets.iter().map(process).collect();
    processes.sort_by_key(|process| process.pid);
    let culprit = ending.again.as_ref().or(ending.bound.first());
    let freed = culprit.is_none();
    print(&Done { freed, dry_run: false, processes, bound: &ending.bound }, out)?;
    let Some(socket) = culprit else { return Ok(Exit::Yes) };
    let who = kill::owners(std::slice::from_ref(socket)).first().map(|owner| {
        match (&owner.service, owner.parent) {
            (Some(unit), _) => format!("{owner}, of the service {unit}"),
            (None, Some(parent)) => format!("{owner}, started by PID {parent}"),
            (None, None) => owner.to_string(),
        }
    });
    let who = who.unwrap_or_else(|| "a process that cannot be seen".to_owned());
    let port = socket.port;
    Err(if ending.again.is_some() {
        Failure::unable(format!("cannot free {port}: it was freed, and bound again by {who}"))
            .hint("stop what starts it, then try again")
    } else {
        let hint = if kill::owners(std::slice::from_ref(socket)).is_empty() {
            match ports::missing_right() {
                Some(Missing::Root) => "sudo may show the owner",
                Some(Missing::Capability(_)) => {
                    "root needs the capability CAP_SYS_PTRACE to see the owner"
                }
                None => "the kernel, a container or a protected process holds it",
            }
        } else {
            "--force sends KILL after the grace time, --grace waits longer"
        };
        Failure::unable(format!("cannot free {port}: still bound by {who}")).hint(hint)
    })
}

fn print(done: &Done, out: &Out) -> Result<(), Failure> {
    out.document("mx.ports-kill/1", done, || table(&done.processes))
}

fn table(processes: &[Process]) -> Table {
    let column = |heading, align| Column { heading, align };
    let row = |process: &Process| {
        let ports: Vec<String> = process.ports.iter().map(u16::to_string).collect();
        let (result, style) = match process.result {
            None => ("would be signalled", KEY),
            Some(Fate::Ended) => ("ended", KEY),
            Some(Fate::Running) => ("running", WARN),
            Some(Fate::Untouched) => ("untouched", WARN),
        };
        vec![
            Cell::new(process.pid.to_string()),
            Cell::new(&process.name),
            Cell::new(ports.join(" ")),
            Cell::new(process.signal),
            Cell::new(result).style(style),
        ]
    };
    Table {
        columns: vec![
            column("PID", Align::Right),
            column("PROCESS", Align::Left),
            column("PORTS", Align::Left),
            column("SIGNAL", Align::Left),
            column("RESULT", Align::Left),
        ],
        rows: processes.iter().map(row).collect(),
    }
}
