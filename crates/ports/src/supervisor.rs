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

/// What starts a process again, and what stops it from doing so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manager {
    /// systemd, which runs this unit; the manager of a user if `user`.
    Systemd {
        /// The unit, such as `web.service`.
        unit: String,
        /// Whether the manager is that of a user.
        user: bool,
    },
    /// launchd, which runs the job with this label.
    Launchd {
        /// The label, such as `com.example.web`.
        label: String,
        /// The user whose agent it is; `None` for a daemon of the system.
        user: Option<u32>,
    },
    /// `runsv` of runit, which supervises this service: its path, or else its name.
    Runit(String),
    /// PM2.
    Pm2,
    /// `supervisord`.
    Supervisord,
    /// Another supervisor, by its name.
    Other(String),
}

/// The manager of an owner whose service is known.
pub fn manager(owner: &Owner) -> Option<Manager> {
    let service = owner.service.as_ref()?;
    if service.ends_with(".service") {
        return Some(Manager::Systemd {
            unit: service.clone(),
            user: os::is_of_user_manager(owner.pid),
        });
    }
    let (name, supervisor) = match service.strip_suffix(')').and_then(|one| one.split_once(" (")) {
        Some((name, supervisor)) => (Some(name), supervisor),
        None => (None, service.as_str()),
    };
    Some(match (supervisor, name) {
        ("runsv", Some(name)) => {
            // sv(8) takes a name only below its own directory.
            let command = owner.parent.map(os::command).unwrap_or_default();
            let path = command.into_iter().nth(1).filter(|path| path.starts_with('/'));
            Manager::Runit(path.unwrap_or_else(|| name.to_owned()))
        }
        ("PM2", _) => Manager::Pm2,
        ("supervisord", _) => Manager::Supervisord,
        (other, _) if SUPERVISORS.iter().any(|(known, _)| known.trim_end() == other) => {
            Manager::Other(other.to_owned())
        }
        // What is no supervisor is a label of launchd.
        (label, _) => Manager::Launchd {
            label: label.to_owned(),
            user: os::is_of_user_manager(owner.pid).then_some(owner.uid),
        },
    })
}

/// A process, as far as its descendants need to know it.
#[derive(Clone, Debug)]
pub(crate) struct Ancestor {
    pub(crate) name: String,
    pub(crate) parent: u32,
}

/// Fills in the service of owners that run below a supervisor. It is nearer than a
/// unit of systemd: that one is the supervisor's own, with everything it runs.
pub(crate) fn add(owners: &mut [Owner]) {
    let mut known = HashMap::new();
    for owner in owners.iter_mut().filter(|owner| owner.pid != 1) {
        if let Some(service) = owner.parent.and_then(|parent| above(parent, &mut known)) {
            owner.service = Some(service);
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
    use super::*;

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

    #[test]
    fn a_service_names_its_manager() {
        let of = |service: &str| {
            manager(&Owner { service: Some(service.to_owned()), uid: 501, ..Owner::default() })
        };
        // No process has this owner's id, 0.
        let unit = "web.service".to_owned();
        assert_eq!(of("web.service"), Some(Manager::Systemd { unit, user: false }));
        assert_eq!(of("web (runsv)"), Some(Manager::Runit("web".to_owned())));
        assert_eq!(of("PM2"), Some(Manager::Pm2));
        assert_eq!(of("supervisord"), Some(Manager::Supervisord));
        assert_eq!(of("web (s6-supervise)"), Some(Manager::Other("s6-supervise".to_owned())));
        let label = "com.example.web".to_owned();
        assert_eq!(of("com.example.web"), Some(Manager::Launchd { label, user: None }));
        assert_eq!(manager(&Owner::default()), None);
    }
}
