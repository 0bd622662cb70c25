//! Why `mx ports kill` touches nothing, in words and for a document.

use ports::kill::{self, Refusal};
use ports::{Container, Missing, Owner, Query, Report, Socket};
use serde::Serialize;

use super::Stopped;
use crate::cmd::ports::{count, listing, untold};
use crate::exit::Failure;
use crate::sudo;

/// Why nothing was signalled, in a document.
#[derive(Serialize)]
pub(super) struct Refused<'a> {
    reason: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
    pid: Option<u32>,
}

impl<'a> From<&'a Stopped> for Refused<'a> {
    fn from(Stopped { failure, reason, pid }: &'a Stopped) -> Self {
        Self { reason, message: &failure.message, hint: failure.hint.as_deref(), pid: *pid }
    }
}

impl Stopped {
    fn new(reason: &'static str, pid: Option<u32>, failure: Failure) -> Self {
        Self { failure, reason, pid }
    }
}

/// Nothing was found, but not everything could be seen.
pub(super) fn unknown(report: &Report) -> Stopped {
    Stopped::new("unknown", None, untold(report))
}

/// TCP that is bound without listening keeps a port busy, but is no server.
pub(super) fn not_serving(query: &Query) -> Result<(), Stopped> {
    let silent = ports::list(&Query { serving: false, ..query.clone() });
    let silent = silent.map_err(|error| Stopped::new("unknown", None, error.into()))?;
    let Some(socket) = silent.sockets.first() else { return Ok(()) };
    let port = socket.port;
    let owner = kill::owners(std::slice::from_ref(socket)).into_iter().next();
    let who = owner.as_ref().map_or_else(unseen, ToString::to_string);
    let failure =
        Failure::unable(format!("cannot free {port}: {who} has bound it without listening"))
            .hint("nothing was signalled: only servers are ended");
    Err(Stopped::new("not-serving", owner.map(|owner| owner.pid), failure))
}

pub(super) fn unseen() -> String {
    "a process that cannot be seen".to_owned()
}

pub(super) fn refused(refusal: &Refusal) -> Stopped {
    let nothing = "nothing was signalled";
    let unseen = match ports::missing_right() {
        Some(Missing::Root) => format!("{nothing}; {} may see more", sudo::call()),
        Some(Missing::Capability(name)) => {
            format!("{nothing}; root needs the capability {name} to see more")
        }
        None => nothing.to_owned(),
    };
    match refusal {
        Refusal::Published { port, owner, container } => Stopped::new(
            "published",
            owner.as_ref().map(|owner| owner.pid),
            published(*port, owner.as_deref(), container.as_ref()),
        ),
        Refusal::Hidden(hidden) => {
            let sockets = count(*hidden, "socket");
            let why = format!("cannot free the port: the owner of {sockets} cannot be seen");
            Stopped::new("hidden", None, Failure::unable(why).hint(unseen))
        }
        Refusal::Unread { pid, name, owner } => {
            let why = format!(
                "cannot free the port: {name} (PID {pid}), started by {owner}, may hold it too and cannot be read"
            );
            Stopped::new("unread", Some(*pid), Failure::unable(why).hint(unseen))
        }
        Refusal::Protected(owner, what) => {
            let why = format!("cannot free the port: {owner} holds it, {what}");
            Stopped::new("protected", Some(owner.pid), Failure::unable(why).hint(nothing))
        }
        Refusal::Denied(owner) => {
            let why =
                format!("cannot free the port: {owner} holds it, and this user may not signal it");
            let hint = if sys::user::is_root() {
                "nothing was signalled; root needs the capability CAP_KILL for it".to_owned()
            } else {
                format!("{nothing}; {} may", sudo::call())
            };
            Stopped::new("denied", Some(owner.pid), Failure::unable(why).hint(hint))
        }
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
/// name is not one that an engine gives.
fn stop_command(container: &Container) -> Option<String> {
    let engine = container.engine.filter(|engine| matches!(*engine, "docker" | "podman"))?;
    let name = container.name.as_ref().unwrap_or(&container.id);
    is_plain(name).then(|| format!("{engine} stop {name}"))
}

/// Whether a name may stand in a command that will be copied into a shell.
pub(super) fn is_plain(name: &str) -> bool {
    name.starts_with(|char: char| char.is_ascii_alphanumeric())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || "_.@:-".contains(char))
}

/// Who holds a socket, as far as it is known.
pub(super) fn holder(socket: &Socket) -> Option<std::rc::Rc<Owner>> {
    kill::owners(std::slice::from_ref(socket)).into_iter().next()
}
