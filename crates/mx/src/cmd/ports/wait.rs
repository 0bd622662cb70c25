//! `mx ports wait`: wait until ports are up, or free.

use std::ffi::OsString;
use std::io;
use std::ops::RangeInclusive;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::ValueHint;
use ports::Protocol;
use ports::wait::{Goal, Looked, Target, TargetError, Waiter, Wish};
use serde::Serialize;

use super::without_user;
use crate::directives;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::sudo;
use crate::table::{Align, Cell, Column, KEY, Table, WARN};

/// Wait until something serves every port, or until they are free
///
/// A port is up if a connection by TCP succeeds, on IPv4 and IPv6 as the server
/// is bound. A UDP socket does not make it up: with --udp a port is up if it is
/// bound for UDP, with --tcp --udp it must be up by both. Of a range every port
/// must be up. A process is up if it listens on some port.
///
/// A server is connected to once, on IPv4 and IPv6 each; what fails is tried
/// again after 50 ms, then twice as long each time, up to a second. With --no-connect it is enough that
/// a socket listens: for a server that accepts a single connection, or that
/// counts connections without a request.
///
/// http://HOST:PORT/PATH is up if the answer to GET has the status 2xx or 3xx,
/// or one of --status; no answer is waited for longer than 10 s. For https, wait
/// for HOST:PORT. A host name, and an address that this machine does not have,
/// is dialled, and not looked up in the tables of this machine.
///
/// With --free, a port is free if a server could bind it now, by TCP and by UDP
/// unless --tcp or --udp is given: as mx ports PORT says, nothing is bound to
/// it, and no connection or TIME_WAIT keeps a server with SO_REUSEADDR away.
///
/// With -- CMD, mx becomes the command once all are up (or free), and prints
/// nothing on standard output. If they are not in time, CMD is not run.
///
/// Exit codes: 0 all are up (or free), 1 not in time, 2 wrong usage, 3 it
/// cannot be told; with -- CMD also 126 it cannot be run, 127 it was not found,
/// or else its own.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  npm start & mx ports wait 3000 && open http://localhost:3000
  mx ports wait 5432 6379 --timeout 2m
  mx ports wait http://localhost:8080/health --status 200
  mx ports wait db.internal:5432 -- ./migrate --all
  mx ports wait --free 8080      until a server can bind it")]
pub(crate) struct WaitArgs {
    /// Ports, ranges, addresses, host names with a port, URLs or process names
    #[arg(value_name = "SELECTOR", value_parser = selector, required = true)]
    selectors: Vec<String>,
    #[command(flatten)]
    protocol: super::ProtocolArgs,
    /// Wait until a server can bind the ports
    #[arg(long)]
    free: bool,
    /// Connect to nothing: it is enough that a socket listens
    #[arg(long)]
    no_connect: bool,
    /// A status of HTTP that counts as up, such as 200, or a range, such as 200-299
    #[arg(long, value_name = "STATUS", value_parser = status, value_delimiter = ',', action = clap::ArgAction::Append)]
    status: Vec<RangeInclusive<u16>>,
    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = crate::values::duration, default_value = "30s")]
    timeout: Duration,
    /// How often to look
    #[arg(long, value_name = "TIME", value_parser = crate::values::duration, default_value = "20ms")]
    interval: Duration,
    /// A command to run then, and its arguments
    #[arg(last = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
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
    /// Under which condition the goal is reached, if there is one.
    note: Option<String>,
    /// Whether it was dialled, as it is not an address of this machine.
    dialled: bool,
}

pub(crate) fn wait(args: &WaitArgs, out: &Out) -> Outcome {
    let targets = targets(args)?;
    let wish = wish(args, &targets)?;
    let goal = wish.goal;
    let start = Instant::now();
    for target in targets.iter().filter(|target| target.is_remote()) {
        out.remark(&format!("{target} {}: it is dialled", why_remote(target)));
    }
    let looked = until_reached(&targets, wish, args, start, out)?;
    let parts: Vec<Part> = targets.iter().zip(&looked).map(Part::new).collect();
    let missing: Vec<String> = parts.iter().filter_map(Part::text).collect();
    let notes: Vec<String> = parts.iter().filter_map(Part::note).collect();
    let reached = missing.is_empty();
    if args.command.is_empty() {
        let seconds = start.elapsed().as_secs_f64();
        let waited = Waited { reached, seconds, selectors: parts };
        out.document("mx.ports-wait/1", &waited, || table(&waited.selectors, goal))?;
    }
    // Standard output is the command's: what a document would hold is said beside it.
    let say = |text: &str| {
        if args.command.is_empty() { out.note(text) } else { out.remark(text) }
    };
    for note in &notes {
        say(note);
    }
    if looked.iter().any(|one| one.unknown && one.missing.is_some()) {
        return Err(untold(&missing));
    }
    match args.command.first() {
        Some(_) if reached => return Err(become_command(&args.command)),
        Some(name) if !reached => say(&format!(
            "not in time, '{}' is not run: {}",
            name.to_string_lossy(),
            missing.join("; ")
        )),
        _ if !reached => say(&format!("not in time: {}", missing.join("; "))),
        _ => {}
    }
    Ok(Exit::found(reached))
}

/// Looks until all targets have reached the goal, or the time is over.
fn until_reached(
    targets: &[Target],
    wish: Wish,
    args: &WaitArgs,
    start: Instant,
    out: &Out,
) -> Result<Vec<Looked>, Failure> {
    /// A wait that is over sooner needs no explanation.
    const SILENT: Duration = Duration::from_secs(1);

    let mut waiter = Waiter::new(targets.to_vec(), wish);
    let mut progress = out.progress();
    loop {
        let before = Instant::now();
        let looked = waiter.look(args.timeout.saturating_sub(start.elapsed()))?;
        let elapsed = start.elapsed();
        let parts = || targets.iter().zip(&looked).map(Part::new);
        let missing: Vec<String> = parts().filter_map(|part| part.text()).collect();
        // The last look begins when the time is over.
        if missing.is_empty() || before.duration_since(start) >= args.timeout {
            return Ok(looked);
        }
        if elapsed >= SILENT {
            progress.show(&format!("waiting, {} s: {}", elapsed.as_secs(), missing.join("; ")));
        }
        // Looking takes at most half of one processor, however busy the machine is.
        sleep(args.interval.max(before.elapsed()).min(args.timeout.saturating_sub(elapsed)));
    }
}

/// Becomes the command; returns only why that failed.
fn become_command(command: &[OsString]) -> Failure {
    let error = sys::exec::replace(command, &directives::FROM_FUNCTION);
    let exit = match error.kind() {
        io::ErrorKind::NotFound => Exit::CommandNotFound,
        _ => Exit::CannotExecute,
    };
    let name = command[0].to_string_lossy();
    Failure { exit, ..Failure::unable(format!("cannot run '{name}': {error}")) }
}

fn untold(missing: &[String]) -> Failure {
    let why = "not every socket can be seen";
    let message = format!("cannot tell what is up: {why}: {}", missing.join("; "));
    let failure = Failure::unable(message);
    if sys::user::is_root() {
        failure
    } else {
        failure.hint(format!("{} may show it", sudo::call()))
    }
}

/// What is waited for, in the order of the call.
fn targets(args: &WaitArgs) -> Result<Vec<Target>, Failure> {
    let parse = |text: &String| {
        let parsed = if args.free { Target::without_request(text) } else { text.parse() };
        let target = parsed.map_err(|error| refused(text, &error))?;
        if args.free && target.is_remote() {
            return Err(Failure::usage(
                format!("cannot wait until {target} is free: it {}", why_remote(&target)),
                "accepted with --free: 8080, 3000-3010, localhost:8080, an address of this machine \
                 with a port, or a process name",
            ));
        }
        Ok(target)
    };
    args.selectors.iter().map(parse).collect()
}

fn why_remote(target: &Target) -> &'static str {
    if target.is_named() { "has a host name" } else { "is not an address of this machine" }
}

/// How to look, if the options fit each other and the targets.
fn wish(args: &WaitArgs, targets: &[Target]) -> Result<Wish, Failure> {
    let goal = if args.free { Goal::Free } else { Goal::Up };
    let protocols = match (args.protocol.tcp, args.protocol.udp, goal) {
        (false, false, Goal::Up) | (true, false, _) => vec![Protocol::Tcp],
        (false, true, _) => vec![Protocol::Udp],
        (true, true, _) | (false, false, Goal::Free) => vec![Protocol::Tcp, Protocol::Udp],
    };
    check(args, targets, protocols.contains(&Protocol::Udp))?;
    let up = Wish::up();
    let statuses = if args.status.is_empty() { up.statuses } else { args.status.clone() };
    Ok(Wish { goal, protocols, connect: !args.no_connect, statuses })
}

fn check(args: &WaitArgs, targets: &[Target], by_udp: bool) -> Result<(), Failure> {
    const LOCAL: &str = "ports and addresses of this machine, and process names";

    let refuse = |message: String, accepted: String| Err(Failure::usage(message, accepted));
    if args.free && args.no_connect {
        return refuse(
            "cannot use --no-connect with --free: no connection is made".to_owned(),
            "accepted with --free: --tcp, --udp, --timeout and --interval".to_owned(),
        );
    }
    if !args.status.is_empty() && !targets.iter().any(Target::is_http) {
        return refuse(
            "cannot wait for a status of HTTP: no URL is given that could be asked".to_owned(),
            "accepted with --status: http://localhost:3000/health".to_owned(),
        );
    }
    let is_udp = |target: &Target| by_udp || target.protocol() == Some(Protocol::Udp);
    match targets.iter().find(|target| target.is_remote() || target.is_http()) {
        Some(target) if is_udp(target) && !args.free => refuse(
            format!("cannot wait for {target} by UDP: only TCP tells whether it is up"),
            format!("accepted with --udp: {LOCAL}"),
        ),
        Some(target) if args.no_connect => refuse(
            format!("cannot wait for {target} without a connection"),
            format!("accepted with --no-connect: {LOCAL}"),
        ),
        _ => check_protocols(args, targets),
    }
}

fn check_protocols(args: &WaitArgs, targets: &[Target]) -> Result<(), Failure> {
    let Some(only) = args.protocol.only() else { return Ok(()) };
    let other = |target: &&Target| target.protocol().is_some_and(|own| own != only);
    targets.iter().find(other).map_or(Ok(()), |target| Err(super::other_protocol(target, only)))
}

/// A word that names something to wait for, whatever the goal is.
fn selector(text: &str) -> Result<String, Failure> {
    Target::without_request(text).map_err(|error| refused(text, &error))?;
    Ok(text.to_owned())
}

fn refused(text: &str, error: &TargetError) -> Failure {
    let shown = without_user(text);
    let place = Target::without_request(text).map(|target| target.to_string()).unwrap_or_default();
    match error {
        TargetError::Tls => Failure::usage(
            format!("cannot wait for '{shown}': {error}"),
            format!("{place} waits until it accepts connections"),
        ),
        TargetError::User => Failure::usage(
            format!("cannot wait for '{shown}': {error}"),
            "leave the user out; a server that asks for one answers: --status 401",
        ),
        TargetError::Selector(_) | TargetError::Host(_) => Failure::usage(
            format!("cannot use '{shown}' as a selector: {error}"),
            format!("accepted: {}", Target::FORMS),
        ),
    }
}

/// A status of HTTP, or a range of them.
fn status(text: &str) -> Result<RangeInclusive<u16>, Failure> {
    let number = |text: &str| {
        let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|status| digits && (200..=599).contains(status))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(Failure::usage(
            format!("cannot use '{text}' as a status of HTTP"),
            "accepted: from 200 to 599, such as 200, 200-299 or 200,404",
        )),
    }
}

impl Part {
    fn new((target, looked): (&Target, &Looked)) -> Self {
        Self {
            selector: target.to_string(),
            missing: looked.missing.clone(),
            note: looked.note.clone(),
            dialled: target.is_remote(),
        }
    }

    fn text(&self) -> Option<String> {
        self.missing.as_ref().map(|missing| format!("{}: {missing}", self.selector))
    }

    fn note(&self) -> Option<String> {
        self.note.as_ref().map(|note| format!("{}: {note}", self.selector))
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
