//! `mx ports`: who is bound to which port.

mod free;
mod kill;
mod listing;
mod live;
mod wait;
mod watch;

use clap::Subcommand;
use ports::{Gap, Missing, Protocol, Query, Report, Selector};

use crate::deferred::Deferred;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::sudo;

/// Show what is bound to a port, and by whom
///
/// Lists listening TCP and bound UDP sockets with every process that holds
/// them. A client that only uses a port as its source port is never an owner
/// of it.
///
/// SELECTOR is a port (8080, :8080, or a service of /etc/services: :http), a
/// range (3000-3010), an address and port (localhost:8080, 127.0.0.1:8080,
/// [::1]:8080, [fe80::1%eth0]:8080), a URL (http://localhost:3000/x), a process
/// (pid:123), or a process name, which may hold * and ?. A protocol chooses its
/// own sockets only: 8080/tcp, udp:53, or the scheme of a URL.
///
/// An address selects the socket that a client of it reaches: on 127.0.0.1:8080
/// beside 0.0.0.0:8080, a client of 127.0.0.1 reaches the first. What else is
/// bound to the port is named in a note.
///
/// In ADDRESS, * is every address of IPv4 and IPv6, 0.0.0.0 every one of IPv4,
/// [::] every one of IPv6. FROM is the service that runs the process, or else
/// its working directory. A ? after a PID marks a process that may hold the
/// socket but cannot be looked into.
///
/// Where an owner serves a container or cannot be seen, Docker and Podman are
/// asked whose port it is: at DOCKER_HOST and CONTAINER_HOST, if these begin
/// with unix://, or else at their usual sockets.
///
/// Exit codes: 0 something is bound, 1 nothing is, 2 wrong usage, 3 it cannot
/// be told.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx ports                    everything that is bound
  mx ports 8080               who holds port 8080
  mx ports 3000-3010 nginx    a range, and a process by its name
  mx ports http://localhost:3000/x
  mx ports 53/udp pid:1234    a protocol, and a process by its id
  mx ports -t 3000            only the PIDs, as lsof -t
  mx ports --udp --json | jq '.sockets[].port'")]
pub(crate) struct PortsArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    query: QueryArgs,
    #[command(flatten)]
    list: ListArgs,
}

/// Which sockets.
#[derive(clap::Args)]
struct QueryArgs {
    /// Ports, ranges, addresses, URLs or process names; everything if none is given
    #[arg(value_name = "SELECTOR", value_parser = selector)]
    selectors: Vec<Selector>,
    #[command(flatten)]
    protocol: ProtocolArgs,
    /// Connected and closing sockets too
    #[arg(long)]
    all: bool,
    /// Only sockets of this user, a name or a number
    #[arg(long, value_name = "USER", value_parser = user, value_hint = clap::ValueHint::Username)]
    user: Option<u32>,
    /// Sockets of other network namespaces too, as those of containers
    #[arg(long)]
    all_namespaces: bool,
}

/// How to print the list.
#[derive(clap::Args)]
struct ListArgs {
    /// Print only the PIDs of the owners, one a line
    #[arg(short = 't', long)]
    pids: bool,
}

impl QueryArgs {
    fn query(self) -> Result<Query, Failure> {
        let query = Query {
            selectors: self.selectors,
            protocol: self.protocol.only(),
            all: self.all,
            user: self.user,
            all_namespaces: self.all_namespaces,
            ..Query::default()
        };
        check_protocols(&query)?;
        check_order(&query.selectors)?;
        Ok(query)
    }
}

#[derive(clap::Args)]
struct ProtocolArgs {
    /// Only TCP
    #[arg(long)]
    tcp: bool,
    /// Only UDP
    #[arg(long)]
    udp: bool,
}

impl ProtocolArgs {
    /// Both flags mean the same as neither.
    fn only(&self) -> Option<Protocol> {
        match (self.tcp, self.udp) {
            (true, false) => Some(Protocol::Tcp),
            (false, true) => Some(Protocol::Udp),
            _ => None,
        }
    }
}

#[derive(Subcommand)]
enum Verb {
    Kill(Deferred<kill::KillArgs>),
    Wait(Deferred<wait::WaitArgs>),
    Free(Deferred<free::FreeArgs>),
    Watch(Deferred<watch::WatchArgs>),
}

pub(crate) fn ports(args: PortsArgs, out: &Out) -> Outcome {
    match args.verb {
        Some(Verb::Kill(Deferred(args))) => kill::kill(&args, out),
        Some(Verb::Wait(Deferred(args))) => wait::wait(&args, out),
        Some(Verb::Free(Deferred(args))) => free::free(args, out),
        Some(Verb::Watch(Deferred(args))) => watch::watch(args, out),
        None => list(args.query, args.list.pids, out),
    }
}

fn list(args: QueryArgs, only_pids: bool, out: &Out) -> Outcome {
    if only_pids && out.is_json() {
        let message = "cannot print only PIDs as a document";
        return Err(Failure::usage(message, "leave out --pids or --json"));
    }
    let query = Query { containers: !only_pids, ..args.query()? };
    let report = ports::list(&query)?;
    if only_pids {
        out.text(&pids(&report))?;
    } else {
        out.document("mx.ports/1", &report, || listing::table(&report.sockets, &query))?;
    }
    for note in &report.notes {
        out.note(note);
    }
    if report.cannot_tell() {
        return Err(untold(&report));
    }
    if report.hidden > 0 {
        out.hint(&why_hidden(report.hidden));
    }
    if only_pids && !report.sockets.is_empty() && pids(&report).is_empty() {
        let none = "cannot print a PID: no owner can be seen";
        return Err(Failure::unable(none));
    }
    Ok(Exit::found(!report.sockets.is_empty()))
}

/// The owners that were seen, each once, one a line.
fn pids(report: &Report) -> String {
    let mut pids: Vec<u32> =
        ports::kill::owners(&report.sockets).iter().map(|one| one.pid).collect();
    pids.sort_unstable();
    pids.iter().map(|pid| format!("{pid}\n")).collect()
}

/// Nothing was found, but not everything could be seen.
fn untold(report: &Report) -> Failure {
    if report.hidden == 0 {
        return Failure::unable(match report.undecided {
            Some(Gap::Sockets) => "cannot tell what is bound: not every socket could be listed",
            _ => "cannot tell who is bound: some processes could not be read",
        });
    }
    let hidden = count(report.hidden, "socket");
    Failure::unable(format!(
        "cannot tell who is bound: {hidden} may match, but the owner cannot be seen"
    ))
    .hint(why_hidden(report.hidden))
}

fn selector(text: &str) -> Result<Selector, Failure> {
    text.parse().map_err(|error| {
        Failure::usage(
            format!("cannot use '{}' as a selector: {error}", without_user(text)),
            format!("accepted: {}", Selector::FORMS),
        )
    })
}

/// A URL without the user and password that it may hold.
fn without_user(text: &str) -> String {
    let parts =
        text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)));
    parts.map_or_else(|| text.to_owned(), |(scheme, (_, rest))| format!("{scheme}://…@{rest}"))
}

/// Refuses a verb after selectors or options: it would be taken for the name of a process.
fn check_order(selectors: &[Selector]) -> Result<(), Failure> {
    let is_verb = |selector: &&Selector| Verb::has_subcommand(&selector.to_string());
    let Some(verb) = selectors.iter().find(is_verb) else { return Ok(()) };
    let others: Vec<String> =
        selectors.iter().filter(|one| *one != verb).map(ToString::to_string).collect();
    Err(Failure::usage(
        format!("cannot use '{verb}' as a selector: a verb comes first, options after it"),
        format!("did you mean mx ports {}?", [&[verb.to_string()], &others[..]].concat().join(" ")),
    ))
}

/// Refuses a selector of one protocol where only the other is asked for.
fn check_protocols(query: &Query) -> Result<(), Failure> {
    let Some(only) = query.protocol else { return Ok(()) };
    let other = |selector: &&Selector| selector.protocol().is_some_and(|own| own != only);
    query.selectors.iter().find(other).map_or(Ok(()), |one| Err(other_protocol(one, only)))
}

fn other_protocol(selector: &impl std::fmt::Display, only: Protocol) -> Failure {
    Failure::usage(
        format!("cannot use '{selector}' with --{}: it names the other protocol", only.name()),
        "leave out one of them",
    )
}

fn user(text: &str) -> Result<u32, Failure> {
    sys::user::id(text)?.ok_or_else(|| {
        Failure::usage(
            format!("cannot use '{text}' as a user: there is no such user"),
            "accepted: a user name or a user id",
        )
    })
}

fn why_hidden(hidden: usize) -> String {
    let sockets = count(hidden, "socket");
    let why = match ports::missing_right() {
        Some(Missing::Root) => format!("{} may show it", sudo::call()),
        Some(Missing::Capability(name)) => format!("root needs the capability {name} for it"),
        None => "the kernel, a container, a protected process, or none while it passes from one to another".to_owned(),
    };
    format!("the owner of {sockets} cannot be seen: {why}")
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn count_processes(number: usize) -> String {
    if number == 1 { "1 process".to_owned() } else { format!("{number} processes") }
}
