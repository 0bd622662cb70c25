//! The process that is meant by `--pid`: its number, or the name of one process.

use std::path::Path;

use sys::processes::{self, Process};

use crate::exit::{Exit, Failure};

/// A process as it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Pid(u32),
    Name(String),
}

const ACCEPTED: &str =
    "accepted: a process id, or the name of one process, such as 4242 or postgres";

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let refused = |why: &str| {
            Failure::usage(format!("cannot use '{text}' as a process: {why}"), ACCEPTED)
        };
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if digits.is_empty() || text.contains('/') {
            return Err(refused("it is neither a process id nor a name"));
        }
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Name(text.to_owned()));
        }
        match text.parse() {
            Ok(pid @ 1..) => Ok(Self::Pid(pid)),
            _ => Err(refused("no process has this id")),
        }
    }

    /// The process id. A name that several processes have is an error.
    pub(super) fn pid(&self) -> Result<u32, Failure> {
        match self {
            Self::Pid(pid) => Ok(*pid),
            Self::Name(name) => only(name, &processes::list()?, std::process::id()),
        }
    }
}

fn only(name: &str, processes: &[Process], own: u32) -> Result<u32, Failure> {
    let mut found: Vec<&Process> =
        processes.iter().filter(|one| one.pid != own && is_called(one, name)).collect();
    found.sort_by_key(|one| one.pid);
    match found[..] {
        [one] => Ok(one.pid),
        [] => Err(Failure {
            exit: Exit::No,
            ..Failure::unable(format!(
                "cannot find process '{name}': no process that you can see has this name"
            ))
            .hint(ACCEPTED)
        }),
        _ => Err(Failure::usage(
            format!("cannot tell which process '{name}' is meant: {}", listed(&found)),
            "--pid with the id of one of them",
        )),
    }
}

/// By its name, which the kernel may have cut, or that of its program.
fn is_called(process: &Process, name: &str) -> bool {
    /// What Linux and macOS keep of a name, at least.
    const CUT: usize = 15;

    let program = process.command.first().map(Path::new).and_then(Path::file_name);
    process.name == name
        || program.is_some_and(|program| program == name)
        || (process.name.len() >= CUT && name.starts_with(&process.name))
}

/// The first of them, each with its command, and how many more there are.
fn listed(processes: &[&Process]) -> String {
    const MOST: usize = 8;
    const WIDTH: usize = 40;

    let one = |process: &&Process| {
        let command = process.command.join(" ");
        let cut: String = command.chars().take(WIDTH).collect();
        let more = if cut.len() < command.len() { "…" } else { "" };
        format!("{} ({cut}{more})", process.pid)
    };
    let shown: Vec<String> = processes.iter().take(MOST).map(one).collect();
    let rest = match processes.len().saturating_sub(MOST) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    format!("{}{rest}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, name: &str, command: &[&str]) -> Process {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        Process { pid, group: pid, uid: 0, name: name.to_owned(), command, started: 1 }
    }

    #[test]
    fn numbers_and_names() {
        assert_eq!(Target::parse("42").ok(), Some(Target::Pid(42)));
        for name in ["python3", "a-b", "0x10", "42nd"] {
            assert_eq!(Target::parse(name).ok(), Some(Target::Name(name.to_owned())));
        }
        for text in ["", "0", "-1", "4294967296", "/usr/bin/x", "-", "+0"] {
            let failure = Target::parse(text).expect_err(text);
            assert_eq!(failure.exit, Exit::Usage, "{text}");
            assert!(failure.message.starts_with(&format!("cannot use '{text}' as a process: ")));
            assert!(failure.hint.is_some_and(|hint| hint.contains("a process id, or the name")));
        }
    }

    #[test]
    fn one_process_of_a_name() {
        let processes = [
            process(3, "python3", &["/usr/bin/python3", "-m", "http.server"]),
            process(9, "python3.11", &["python3", "x"]),
            process(5, "averylongprogra", &["/opt/averylongprogram"]),
            process(6, "mx", &["mx", "limits"]),
            process(7, "MainThread", &["/usr/bin/node", "server.js"]),
        ];
        let pid = |name: &str| only(name, &processes, 6);
        assert_eq!(pid("averylongprogram").ok(), Some(5));
        assert_eq!(pid("python3.11").ok(), Some(9));
        assert_eq!(pid("node").ok(), Some(7), "by its program");
        for name in ["mx", "pyth", "http.server"] {
            assert_eq!(pid(name).map_err(|failure| failure.exit), Err(Exit::No), "{name}");
        }
        let failure = pid("python3").expect_err("two");
        assert_eq!(failure.exit, Exit::Usage);
        let text = "cannot tell which process 'python3' is meant: \
                    3 (/usr/bin/python3 -m http.server), 9 (python3 x)";
        assert_eq!(failure.message, text);
    }

    #[test]
    fn a_long_list_is_cut() {
        let many: Vec<Process> = (1..=20).map(|pid| process(pid, "sh", &["sh"])).collect();
        let failure = only("sh", &many, 99).expect_err("many");
        assert!(failure.message.ends_with("8 (sh) and 12 more"), "{}", failure.message);
    }
}
