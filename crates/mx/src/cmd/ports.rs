//! `mx ports`: who is bound to which port.

mod free;
mod kill;
mod wait;

use std::net::IpAddr;

use anstyle::Style;
use clap::Subcommand;
use ports::{Container, Owner, Protocol, Query, Report, Scope, Selector, Socket};

use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::table::{Align, Cell, Column, DIM, KEY, Table, WARN};

/// Show what is bound to a port, and by whom
///
/// Lists listening TCP and bound UDP sockets with every process that holds
/// them. A client that only uses a port as its source port is never an owner
/// of it.
///
/// SELECTOR is a port (8080, :8080), a range (3000-3010), an address and port
/// (localhost:8080, 127.0.0.1:8080, [::1]:8080), a URL
/// (http://localhost:3000/x), or a process name, which may hold * and ?.
///
/// In ADDRESS, * is every address of IPv4 and IPv6, 0.0.0.0 every one of IPv4,
/// [::] every one of IPv6. FROM is the service that runs the process, or else
/// its working directory. A ? behind a PID marks a process that may hold the
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
pub(crate) struct PortsArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
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
    Kill(kill::KillArgs),
    Wait(wait::WaitArgs),
    Free(free::FreeArgs),
}

pub(crate) fn ports(args: PortsArgs, out: &Out) -> Outcome {
    match args.verb {
        Some(Verb::Kill(args)) => kill::kill(args, out),
        Some(Verb::Wait(args)) => wait::wait(&args, out),
        Some(Verb::Free(args)) => free::free(args, out),
        None => list(args, out),
    }
}

fn list(args: PortsArgs, out: &Out) -> Outcome {
    let query = Query {
        selectors: args.selectors,
        protocol: args.protocol.only(),
        all: args.all,
        user: args.user,
        all_namespaces: args.all_namespaces,
        containers: true,
        ..Query::default()
    };
    let report = ports::list(&query)?;
    out.document("mx.ports/1", &report, || table(&report.sockets, &query))?;
    for note in &report.notes {
        out.note(note);
    }
    if report.cannot_tell() {
        return Err(untold(&report));
    }
    if report.hidden > 0 {
        out.hint(&why_hidden(report.hidden));
    }
    Ok(Exit::found(!report.sockets.is_empty()))
}

/// Nothing was found, but not everything could be seen.
fn untold(report: &Report) -> Failure {
    if report.hidden == 0 {
        return Failure::unable("cannot tell who is bound: some processes could not be read");
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
    let why = if sys::user::is_root() {
        "the kernel, a container or a protected process"
    } else {
        "sudo may show it"
    };
    format!("the owner of {sockets} cannot be seen: {why}")
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn count_processes(number: usize) -> String {
    if number == 1 { "1 process".to_owned() } else { format!("{number} processes") }
}

fn table(sockets: &[Socket], query: &Query) -> Table {
    let column = |heading, align| Column { heading, align };
    let mut columns = Vec::new();
    if query.all_namespaces {
        columns.push(column("NAMESPACE", Align::Left));
    }
    columns.extend([
        column("PROTO", Align::Left),
        column("ADDRESS", Align::Left),
        column("PORT", Align::Right),
    ]);
    if query.all {
        columns.extend([column("STATE", Align::Left), column("PEER", Align::Left)]);
    }
    columns.extend([
        column("PID", Align::Right),
        column("PROCESS", Align::Left),
        column("USER", Align::Left),
        column("AGE", Align::Right),
        column("FROM", Align::Left),
        column("COMMAND", Align::Left),
    ]);
    let mut rows = Vec::new();
    let mut shown = std::collections::HashSet::new();
    for socket in sockets {
        let holders = socket.owners.iter().map(|owner| Some(owner.as_ref()));
        let unknown = socket.owners.is_empty().then_some(None);
        for owner in holders.chain(unknown) {
            // Sockets of one process that share a port (SO_REUSEPORT) are one row.
            let pid = owner.map(|owner| owner.pid);
            let place = (&socket.namespace, socket.protocol, address(socket), socket.port);
            if pid.is_none() || shown.insert((place, socket.state, socket.peer, pid)) {
                rows.push(row(socket, owner, query));
            }
        }
    }
    Table { columns, rows }
}

fn row(socket: &Socket, owner: Option<&Owner>, query: &Query) -> Vec<Cell> {
    let exposed = if socket.scope == Scope::Loopback { DIM } else { WARN };
    let mut row = Vec::new();
    if query.all_namespaces {
        row.push(Cell::new(socket.namespace.as_deref().unwrap_or_default()));
    }
    row.extend([
        Cell::new(socket.protocol.name()),
        Cell::new(address(socket)).style(exposed),
        Cell::new(socket.port.to_string()).style(KEY),
    ]);
    if query.all {
        row.push(Cell::new(socket.state.name()));
        row.push(Cell::new(socket.peer.map(|peer| peer.to_string()).unwrap_or_default()));
    }
    match owner {
        Some(owner) => {
            // One of those that may hold it is marked, with and without colour.
            let (mark, style) = if owner.certain { ("", Style::new()) } else { ("?", WARN) };
            row.extend([
                Cell::new(format!("{}{mark}", owner.pid)).style(style),
                Cell::new(format!("{}{mark}", owner.name)).style(style),
                Cell::new(user_name(owner.user.as_deref(), Some(owner.uid))),
                Cell::new(owner.age.map(age).unwrap_or_default()),
                Cell::new(origin(owner)),
                Cell::new(command(owner)).style(DIM),
            ]);
        }
        None => row.extend([
            Cell::new("?").style(WARN),
            Cell::new("?").style(WARN),
            Cell::new(user_name(socket.user.as_deref(), socket.uid)),
            Cell::new(""),
            Cell::new(socket.container.as_ref().map(container).unwrap_or_default()),
            Cell::new(socket.container.as_ref().map(mappings).unwrap_or_default()).style(DIM),
        ]),
    }
    row
}

/// Who started a process, or where: its service or container, else its
/// directory, `~` standing for the user's own.
fn origin(owner: &Owner) -> String {
    if let Some(container) = &owner.container {
        return self::container(container);
    }
    if let Some(service) = &owner.service {
        return service.clone();
    }
    let Some(directory) = owner.cwd.as_deref().filter(|directory| *directory != "/") else {
        return String::new();
    };
    let home = std::env::var("HOME").unwrap_or_default();
    match directory.strip_prefix(home.trim_end_matches('/')) {
        Some(below) if home.len() > 1 && (below.is_empty() || below.starts_with('/')) => {
            format!("~{below}")
        }
        _ => directory.to_owned(),
    }
}

/// `container web (nginx:1.27)`, as far as it is known.
fn container(container: &Container) -> String {
    /// As the engines themselves shorten an id.
    const SHORT: usize = 12;

    let id = || container.id.chars().take(SHORT).collect();
    let name = container.name.clone().unwrap_or_else(id);
    let image = container.image.as_ref().map(|image| format!(" ({image})"));
    format!("container {name}{}", image.unwrap_or_default())
}

/// The command line, after the ports that lead into the container.
fn command(owner: &Owner) -> String {
    let mappings = owner.container.iter().flat_map(|container| &container.published);
    mappings.chain(&owner.command).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// The ports that lead into a container, as `0.0.0.0:8080->80/tcp`.
fn mappings(container: &Container) -> String {
    container.published.join(" ")
}

/// `*` for every address of both families; IPv6 in brackets; `%` and the interface.
fn address(socket: &Socket) -> String {
    let zone = socket.interface.as_ref().map(|name| format!("%{name}")).unwrap_or_default();
    match socket.address {
        IpAddr::V6(_) if socket.dual_stack == Some(true) => format!("*{zone}"),
        IpAddr::V6(v6) => format!("[{v6}{zone}]"),
        IpAddr::V4(v4) => format!("{v4}{zone}"),
    }
}

fn user_name(name: Option<&str>, uid: Option<u32>) -> String {
    match (name, uid) {
        (Some(name), _) => name.to_owned(),
        (None, Some(uid)) => uid.to_string(),
        (None, None) => "?".to_owned(),
    }
}

/// An age in its largest whole unit.
fn age(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m", seconds / MINUTE),
        HOUR..DAY => format!("{}h", seconds / HOUR),
        DAY.. => format!("{}d", seconds / DAY),
    }
}
