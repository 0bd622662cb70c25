//! What to say of a chosen port that nothing is bound to.

use crate::{Query, Report, Selector, Socket, State, Want, join, os};
use sys::Result;

/// Notes, for each chosen port without a bound socket, what else uses it.
pub(crate) fn unbound(query: &Query, report: &mut Report) -> Result<()> {
    let missing: Vec<&Selector> = query
        .selectors
        .iter()
        .filter(|selector| matches!(selector, Selector::Port { .. }))
        .filter(|selector| !report.sockets.iter().any(|socket| selects(selector, socket)))
        .collect();
    let ranges: Vec<_> = missing.iter().filter_map(|selector| single_port(selector)).collect();
    if ranges.is_empty() {
        return Ok(());
    }
    let want = Want {
        protocol: query.protocol,
        all: true,
        silent: true,
        ports: Some(&ranges),
        deadline: query.deadline,
    };
    let in_use = join(os::snapshot(&want)?).sockets;
    for selector in missing {
        let used: Vec<&Socket> = in_use
            .iter()
            .filter(|socket| selects(selector, socket) && !socket.state.is_bound())
            .collect();
        report.notes.extend(note(&used));
    }
    Ok(())
}

fn selects(selector: &Selector, socket: &Socket) -> bool {
    selector.matches_socket(socket) == Some(true)
}

/// A range is a question about what is there, a single port one about why not.
fn single_port(selector: &Selector) -> Option<std::ops::RangeInclusive<u16>> {
    match selector {
        Selector::Port { ports, .. } if ports.start() == ports.end() => Some(ports.clone()),
        _ => None,
    }
}

/// One sentence on the connections that use a port.
fn note(used: &[&Socket]) -> Option<String> {
    let port = used.first()?.port;
    let resting = used.iter().filter(|socket| socket.state == State::TimeWait).count();
    let live: Vec<&&Socket> =
        used.iter().filter(|socket| socket.state != State::TimeWait).collect();
    let Some(first) = live.first() else {
        let connections = count(resting, "connection");
        return Some(format!(
            "nothing is bound to {port}, but {connections} in TIME_WAIT still hold it for up to a minute"
        ));
    };
    let who = first.owners.first().map_or_else(
        || "a process that cannot be seen".to_owned(),
        |owner| format!("{} (PID {})", owner.name, owner.pid),
    );
    let to = first.peer.map(|peer| format!(" to {peer}")).unwrap_or_default();
    let more = match live.len() - 1 {
        0 => String::new(),
        more => format!(", and {} more", count(more, "connection")),
    };
    Some(format!(
        "nothing is bound to {port}, but it is the local port of a connection{to} of {who}{more}"
    ))
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
