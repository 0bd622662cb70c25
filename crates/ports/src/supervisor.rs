//! What runs a process and would start it again, where the system's service
//! manager does not tell: a supervisor among its ancestors.

use std::collections::HashMap;

use crate::{Owner, os};

/// Supervisors that are told by their process name, and whether their first
/// argument names the service: one process of these supervises one service.
const SUPERVISORS: [(&str, bool); 14] = [
    ("runsv", true),
    ("s6-supervise", true),
    ("supervise", true),
    ("supervisord", false),
    ("circusd", false),
    ("monit", false),
    ("PM2 ", false),
    ("process-compose", false),
    ("overmind", false),
    ("hivemind", false),
    ("foreman: master", false),
    ("nodemon", false),
    ("watchexec", false),
    ("entr", false),
];

/// A process, as far as its descendants need to know it.
#[derive(Clone, Debug)]
pub(crate) struct Ancestor {
    pub(crate) name: String,
    pub(crate) parent: u32,
}

/// Fills in the service of owners that have none but run below a supervisor.
pub(crate) fn add(owners: &mut [Owner]) {
    let mut known = HashMap::new();
    for owner in owners {
        if owner.service.is_none() && owner.pid != 1 {
            owner.service = owner.parent.and_then(|parent| above(parent, &mut known));
        }
    }
}

/// The nearest supervisor among a process and its ancestors.
fn above(pid: u32, known: &mut HashMap<u32, Option<String>>) -> Option<String> {
    let mut path = Vec::new();
    let mut next = pid;
    let found = loop {
        // The first process starts everything and says nothing by that.
        if next <= 1 || path.contains(&next) {
            break None;
        }
        if let Some(found) = known.get(&next) {
            break found.clone();
        }
        path.push(next);
        let Some(ancestor) = os::ancestor(next) else { break None };
        if let Some(service) = service(&ancestor.name, || os::command(next)) {
            break Some(service);
        }
        next = ancestor.parent;
    };
    known.extend(path.into_iter().map(|pid| (pid, found.clone())));
    found
}

/// What a supervisor of this name and command runs: `web (runsv)`, or just `supervisord`.
fn service(name: &str, command: impl FnOnce() -> Vec<String>) -> Option<String> {
    let is = |supervisor: &str| {
        // A name that goes on, as `PM2 v5.3.0: God Daemon`.
        name == supervisor || (supervisor.ends_with(' ') && name.starts_with(supervisor))
    };
    let (supervisor, one) = SUPERVISORS.iter().find(|(supervisor, _)| is(supervisor))?;
    let supervisor = supervisor.trim_end();
    let path = if *one { command().into_iter().nth(1) } else { None };
    let service = path.as_ref().and_then(|path| path.trim_end_matches('/').rsplit('/').next());
    Some(
        service
            .map_or_else(|| supervisor.to_owned(), |service| format!("{service} ({supervisor})")),
    )
}

#[cfg(test)]
mod tests {
    use super::service;

    #[test]
    fn supervisors_are_known_by_their_names() {
        let named = |name: &str, command: &[&str]| {
            service(name, || command.iter().map(|&word| word.to_owned()).collect())
        };
        assert_eq!(named("runsv", &["runsv", "/etc/service/web/"]).as_deref(), Some("web (runsv)"));
        assert_eq!(named("s6-supervise", &["s6-supervise"]).as_deref(), Some("s6-supervise"));
        assert_eq!(named("supervisord", &["python3", "x"]).as_deref(), Some("supervisord"));
        assert_eq!(named("PM2 v5.3.0: God", &["PM2"]).as_deref(), Some("PM2"));
        for other in ["bash", "systemd", "PM2", "runsvdir", "supervisor", ""] {
            assert_eq!(named(other, &["x", "web"]), None, "{other}");
        }
    }
}
