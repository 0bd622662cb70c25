//! What `mx ports kill` has done, or would do: document, table and last words.

use std::rc::Rc;

use ports::kill::{self, Ending, Fate, Target};
use ports::supervisor::{self, Manager};
use ports::{Missing, Owner, Report, Socket};
use serde::Serialize;
use sys::signal::{self, Signal};

use super::refusal::{self, Refused, holder, is_plain};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::sudo;
use crate::table::{Align, Cell, Column, KEY, Table, WARN};

/// What was done, or would be.
#[derive(Default, Serialize)]
pub(super) struct Done<'a> {
    pub(super) freed: bool,
    pub(super) dry_run: bool,
    pub(super) processes: Vec<Process>,
    /// Sockets that are still bound, or bound again.
    pub(super) bound: &'a [Socket],
    /// Why nothing was signalled, if that is so.
    pub(super) refused: Option<Refused<'a>>,
}

#[derive(Serialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
    pub(super) ports: Vec<u16>,
    pub(super) signal: &'static str,
    /// Whether it was stopped, as by Ctrl-Z.
    pub(super) stopped: bool,
    /// `None` if nothing was done.
    pub(super) result: Option<Fate>,
}

/// What a signal to every owner would be.
pub(super) fn plan(report: &Report, signal: Signal) -> Done<'static> {
    let process = |owner: &Rc<Owner>| Process {
        pid: owner.pid,
        name: owner.name.clone(),
        ports: kill::ports(owner, &report.sockets),
        signal: signal::name(signal),
        stopped: kill::is_stopped(owner),
        result: None,
    };
    let processes = kill::owners(&report.sockets).iter().map(process).collect();
    Done { processes, ..Done::default() }
}

/// Prints what was done; an error if the ports are not free.
pub(super) fn finish(ending: &Ending, out: &Out) -> Outcome {
    let process = |target: &Target| Process {
        pid: target.owner.pid,
        name: target.owner.name.clone(),
        ports: target.ports.clone(),
        signal: signal::name(target.signal),
        stopped: target.stopped,
        result: Some(target.fate()),
    };
    let mut processes: Vec<Process> = ending.targets.iter().map(process).collect();
    processes.sort_by_key(|process| process.pid);
    let was_only_sent = ending.targets.iter().any(|target| target.fate() == Fate::Sent);
    let culprit = ending.again.as_ref().or(ending.bound.first());
    let freed = culprit.is_none() && !was_only_sent;
    print(&Done { freed, processes, bound: &ending.bound, ..Done::default() }, out)?;
    if let Some(socket) = culprit {
        return Err(still_bound(socket, ending));
    }
    if freed {
        ending.targets.iter().for_each(|target| tell_of_manager(&target.owner, out));
    }
    Ok(Exit::Yes)
}

/// Says that what was ended may be started again, and how to prevent it.
fn tell_of_manager(owner: &Owner, out: &Out) {
    let Some((note, hint)) = of_manager(owner) else { return };
    out.note(&note);
    if let Some(hint) = hint {
        out.hint(&hint);
    }
}

/// That an owner's service may be started again, and what stops it.
fn of_manager(owner: &Owner) -> Option<(String, Option<String>)> {
    let (service, manager) = (owner.service.as_ref()?, supervisor::manager(owner)?);
    let note = format!("{owner} is of the service {service}, which may be started again");
    Some((
        note,
        stop_command(&manager).map(|command| format!("{command} stops it{}", names(&manager))),
    ))
}

/// What became of the owners, in a few words, and how to keep their service from
/// being started again; an error if the socket is not free.
pub(super) fn summary(ending: &Ending) -> Result<(String, Option<String>), Failure> {
    if let Some(socket) = ending.again.as_ref().or(ending.bound.first()) {
        let failure = still_bound(socket, ending);
        // The options of the command are not to be had on the screen.
        return Err(match (&ending.again, holder(socket)) {
            (None, Some(owner)) => {
                failure.hint(format!("mx ports kill -9 pid:{} sends KILL", owner.pid))
            }
            _ => failure,
        });
    }
    let with = |wanted: Fate, before: &str, after: &str| {
        let targets = ending.targets.iter().filter(|target| target.fate() == wanted);
        let name = |target: &Target| {
            let state = if target.stopped { ", which was stopped" } else { "" };
            format!("{}{state}", target.owner)
        };
        let names: Vec<String> = targets.map(name).collect();
        (!names.is_empty()).then(|| format!("{before}{}{after}", names.join(", ")))
    };
    let parts = [
        with(Fate::Ended, "ended ", ""),
        with(Fate::Running, "", ": signalled, has closed the socket, and still runs"),
        with(Fate::Untouched, "", ": left alone, as it no longer held the socket"),
    ];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let mut managed = ending.targets.iter().filter_map(|target| of_manager(&target.owner));
    Ok((text, managed.next().map(|(note, hint)| hint.unwrap_or(note))))
}

fn still_bound(socket: &Socket, ending: &Ending) -> Failure {
    let port = socket.port;
    let owner = holder(socket);
    let who = owner.as_ref().map(|owner| match (&owner.service, owner.parent) {
        (Some(unit), _) => format!("{owner}, of the service {unit}"),
        (None, Some(parent)) => format!("{owner}, started by PID {parent}"),
        (None, None) => owner.to_string(),
    });
    let who = who.unwrap_or_else(refusal::unseen);
    if ending.again.is_some() {
        let manager = owner.and_then(|owner| supervisor::manager(&owner));
        let command =
            |manager: &Manager| stop_command(manager).map(|command| (command, names(manager)));
        let hint = match manager.as_ref().and_then(command) {
            Some((command, names)) => format!("{command} stops what starts it{names}"),
            None => "stop what starts it, then try again".to_owned(),
        };
        return Failure::unable(format!(
            "cannot free {port}: it was freed, and bound again by {who}"
        ))
        .hint(hint);
    }
    let hint = match (owner, ports::missing_right()) {
        (Some(_), _) => "--force sends KILL after the grace time, --grace waits longer".to_owned(),
        (None, Some(Missing::Root)) => format!("{} may see the owner", sudo::call()),
        (None, Some(Missing::Capability(name))) => {
            format!("root needs the capability {name} to see the owner")
        }
        (None, None) => "the kernel, a container or a protected process holds it".to_owned(),
    };
    Failure::unable(format!("cannot free {port}: still bound by {who}")).hint(hint)
}

/// The command that keeps a service from being started again. Names go into it
/// only if a shell takes them for what they are.
fn stop_command(manager: &Manager) -> Option<String> {
    Some(match manager {
        Manager::Systemd { unit, user } if is_plain(unit) => {
            format!("systemctl {}stop {unit}", if *user { "--user " } else { "" })
        }
        Manager::Launchd { label, user } if is_plain(label) => match user {
            Some(uid) => format!("launchctl bootout gui/{uid}/{label}"),
            None => format!("sudo launchctl bootout system/{label}"),
        },
        Manager::Runit(service) if is_plain(service) || is_plain_path(service) => {
            format!("sv down {service}")
        }
        Manager::Pm2 => "pm2 stop NAME".to_owned(),
        Manager::Supervisord => "supervisorctl stop NAME".to_owned(),
        Manager::Systemd { .. }
        | Manager::Launchd { .. }
        | Manager::Runit(_)
        | Manager::Other(_) => {
            return None;
        }
    })
}

/// Whether a path may stand in a command that will be copied into a shell.
fn is_plain_path(path: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "_.@:-/".contains(char);
    path.starts_with('/') && path.chars().all(is_plain)
}

/// Where the name that such a command takes is shown, if it is not known here.
fn names(manager: &Manager) -> &'static str {
    match manager {
        Manager::Pm2 => "; pm2 list shows the names",
        Manager::Supervisord => "; supervisorctl status shows the names",
        _ => "",
    }
}

pub(super) fn print(done: &Done, out: &Out) -> Result<(), Failure> {
    out.document("mx.ports-kill/1", done, || table(&done.processes))
}

fn table(processes: &[Process]) -> Table {
    let column = |heading, align| Column { heading, align };
    let row = |process: &Process| {
        let ports: Vec<String> = process.ports.iter().map(u16::to_string).collect();
        let (result, style) = match process.result {
            None => ("would be signalled", KEY),
            Some(Fate::Ended) => ("ended", KEY),
            Some(Fate::Sent) => ("sent", KEY),
            Some(Fate::Running) => ("running", WARN),
            Some(Fate::Untouched) => ("untouched", WARN),
        };
        let state = if process.stopped { ", was stopped" } else { "" };
        vec![
            Cell::new(process.pid.to_string()),
            Cell::new(&process.name),
            Cell::new(ports.join(" ")),
            Cell::new(process.signal),
            Cell::new(format!("{result}{state}")).style(style),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_manager_has_its_command() {
        let unit = |unit: &str, user| Manager::Systemd { unit: unit.to_owned(), user };
        let label = || "com.example.web".to_owned();
        for (manager, command) in [
            (unit("web.service", false), Some("systemctl stop web.service")),
            (unit("web@1.service", true), Some("systemctl --user stop web@1.service")),
            (unit("web;reboot.service", false), None),
            (Manager::Runit("web".to_owned()), Some("sv down web")),
            (Manager::Runit("/srv/run/web".to_owned()), Some("sv down /srv/run/web")),
            (Manager::Runit("$(reboot)".to_owned()), None),
            (Manager::Runit("/srv/a b".to_owned()), None),
            (
                Manager::Launchd { label: label(), user: Some(501) },
                Some("launchctl bootout gui/501/com.example.web"),
            ),
            (
                Manager::Launchd { label: label(), user: None },
                Some("sudo launchctl bootout system/com.example.web"),
            ),
            (Manager::Pm2, Some("pm2 stop NAME")),
            (Manager::Supervisord, Some("supervisorctl stop NAME")),
            (Manager::Other("nodemon".to_owned()), None),
        ] {
            assert_eq!(stop_command(&manager).as_deref(), command, "{manager:?}");
        }
    }
}
