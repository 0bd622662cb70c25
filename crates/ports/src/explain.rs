//! What to say of a selector that chose nothing.

use std::ops::RangeInclusive;

use sys::Result;

use crate::{Query, Report, Selector, Socket, State, Want, join, os};

/// Adds a note for each selector that chose nothing, with what else uses the port.
pub(crate) fn missing(query: &Query, report: &mut Report) -> Result<()> {
    if query.selectors.is_empty() && report.sockets.is_empty() && report.hidden == 0 {
        report.notes.push(nothing(query, ""));
    }
    let mut missing: Vec<&Selector> = Vec::new();
    for selector in &query.selectors {
        let chosen = report.sockets.iter().any(|socket| chooses(selector, socket));
        // A process whose sockets cannot be seen is not missing.
        let unknown =
            matches!(selector, Selector::Process(_)) && (report.hidden > 0 || report.undecided);
        if !chosen && !unknown && !missing.contains(&selector) {
            missing.push(selector);
        }
    }
    let others = in_use(query, &missing)?;
    for selector in missing {
        let used: Vec<&Socket> = others.iter().filter(|socket| chooses(selector, socket)).collect();
        let note = nothing(query, &format!(" {selector}"));
        report.notes.push(match why(&used) {
            Some(why) => format!("{note}, but {why}"),
            None => note,
        });
    }
    Ok(())
}

fn chooses(selector: &Selector, socket: &Socket) -> bool {
    selector
        .matches_socket(socket)
        .unwrap_or_else(|| socket.owners.iter().any(|owner| selector.matches_owner(owner)))
}

/// "nothing is bound to 8080", as the query was put.
fn nothing(query: &Query, target: &str) -> String {
    let what = match query.protocol {
        Some(protocol) => format!("no {} socket", protocol.name().to_uppercase()),
        None => "nothing".to_owned(),
    };
    let whose = if query.user.is_some() { " of this user" } else { "" };
    let is = match query {
        Query { all: true, .. } => "uses",
        Query { serving: true, .. } => "serves",
        _ => "is bound to",
    };
    let target = if target.is_empty() { " a port" } else { target };
    format!("{what}{whose} {is}{target}")
}

/// Connections that use the missing ports. A range is a question about what is
/// there, only a single port one about why not.
fn in_use(query: &Query, missing: &[&Selector]) -> Result<Vec<Socket>> {
    let single = |selector: &&Selector| match selector {
        Selector::Port { ports, .. } if ports.start() == ports.end() => Some(ports.clone()),
        _ => None,
    };
    let ports: Vec<RangeInclusive<u16>> = missing.iter().filter_map(single).collect();
    if ports.is_empty() || query.all || query.user.is_some() {
        return Ok(Vec::new());
    }
    let want = Want {
        protocol: query.protocol,
        all: true,
        silent: false,
        ports: Some(&ports),
        deadline: query.deadline,
    };
    let mut sockets = join(os::snapshot(&want)?).sockets;
    sockets.retain(|socket| !socket.state.is_bound());
    Ok(sockets)
}

/// The connections that use a port, in a few words; `None` if there are none.
fn why(used: &[&Socket]) -> Option<String> {
    let resting = used.iter().filter(|socket| socket.state == State::TimeWait).count();
    let live: Vec<_> = used.iter().filter(|socket| socket.state != State::TimeWait).collect();
    let Some(first) = live.first() else {
        let hold = if resting == 1 { "connection holds" } else { "connections hold" };
        return (resting > 0)
            .then(|| format!("{resting} closed {hold} it in TIME_WAIT, for up to a minute"));
    };
    let who = match first.owners.first() {
        Some(owner) => owner.to_string(),
        None if first.is_held_by_kernel() => "no process: the kernel is closing it".to_owned(),
        None => "a process that cannot be seen".to_owned(),
    };
    let to = first.peer.map(|peer| format!(" to {peer}")).unwrap_or_default();
    let more = match live.len() - 1 {
        0 => String::new(),
        1 => ", and of 1 more connection".to_owned(),
        more => format!(", and of {more} more connections"),
    };
    Some(format!("it is the local port of a connection{to} of {who}{more}"))
}
