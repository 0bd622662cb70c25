//! The table of `mx ports`: a row for each socket and each process that holds it.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use anstyle::Style;
use ports::{Container, Owner, Protocol, Query, Scope, Socket, State};

use crate::table::{Align, Cell, Column, DIM, KEY, Table, WARN};

/// A socket and one process that holds it; `None` if none could be seen.
pub(super) type Holding<'a> = (&'a Socket, Option<&'a Owner>);

/// Columns that these always have, where the table is too wide.
const PROCESS: usize = 15;
const USER: usize = 8;
const ORIGIN: usize = 12;

/// What is told apart in the table: sockets of one process that share a port
/// (SO_REUSEPORT) are one row.
pub(super) type Place =
    (Option<String>, Protocol, String, u16, State, Option<SocketAddr>, Option<u32>);

pub(super) fn table(sockets: &[Socket], query: &Query) -> Table {
    let rows = holdings(sockets).into_iter().map(|holding| row(holding, query)).collect();
    Table { columns: columns(query), rows }
}

/// The holders of each socket, those that would read the same only once.
pub(super) fn holdings(sockets: &[Socket]) -> Vec<Holding<'_>> {
    let mut shown = HashSet::new();
    let mut holdings = Vec::new();
    for socket in sockets {
        let holders = socket.owners.iter().map(|owner| Some(owner.as_ref()));
        let unknown = socket.owners.is_empty().then_some(None);
        for owner in holders.chain(unknown) {
            if owner.is_none() || shown.insert(place((socket, owner))) {
                holdings.push((socket, owner));
            }
        }
    }
    holdings
}

pub(super) fn place((socket, owner): Holding) -> Place {
    let pid = owner.map(|owner| owner.pid);
    (
        socket.namespace.clone(),
        socket.protocol,
        address(socket),
        socket.port,
        socket.state,
        socket.peer,
        pid,
    )
}

pub(super) fn columns(query: &Query) -> Vec<Column> {
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
    columns
}

pub(super) fn row((socket, owner): Holding, query: &Query) -> Vec<Cell> {
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
                Cell::new(format!("{}{mark}", owner.name)).at_least(PROCESS).style(style),
                Cell::new(user_name(owner.user.as_deref(), Some(owner.uid))).at_least(USER),
                Cell::new(owner.age.map(age).unwrap_or_default()),
                Cell::new(origin(owner)).at_least(ORIGIN),
                Cell::new(command(owner)).style(DIM),
            ]);
        }
        None => row.extend([
            Cell::new("?").style(WARN),
            Cell::new("?").style(WARN),
            Cell::new(user_name(socket.user.as_deref(), socket.uid)).at_least(USER),
            Cell::new(""),
            Cell::new(socket.container.as_ref().map(container).unwrap_or_default())
                .at_least(ORIGIN),
            Cell::new(socket.container.as_ref().map(mappings).unwrap_or_default()).style(DIM),
        ]),
    }
    row
}

/// Who started a process, or where: its service or container, else its
/// directory, `~` standing for the user's own.
fn origin(owner: &Owner) -> String {
    if let Some(known) = &owner.container {
        return container(known);
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
pub(super) fn container(container: &Container) -> String {
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
pub(super) fn mappings(container: &Container) -> String {
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
