//! Linux: processes from `/proc`.

use std::fs::{self, DirEntry};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Process;
use crate::{Error, Result};

pub(super) fn list() -> Result<Vec<Process>> {
    let entries = fs::read_dir("/proc")
        .map_err(|error| Error::from_io("list the processes in /proc", error))?;
    Ok(entries.filter_map(|entry| process(&entry.ok()?)).collect())
}

/// `None` for what is no process, and for one that has ended in the meantime.
fn process(entry: &DirEntry) -> Option<Process> {
    let pid = entry.file_name().to_str()?.parse().ok()?;
    let command = arguments(&entry.path())?;
    let stat = fs::read(entry.path().join("stat")).ok()?;
    let stat = stat_fields(&stat)?;
    // The owner of this directory is the effective user.
    let uid = entry.metadata().ok()?.uid();
    Some(Process { pid, group: stat.group, uid, name: stat.name, command, started: stat.started })
}

/// `None` for threads of the kernel and zombies, which have none.
fn arguments(process: &Path) -> Option<Vec<String>> {
    let bytes = fs::read(process.join("cmdline")).ok()?;
    // A process that rewrote its title leaves padding at the end.
    let end = bytes.iter().rposition(|&byte| byte != 0)? + 1;
    let arguments = bytes[..end].split(|&byte| byte == 0);
    Some(arguments.map(|argument| String::from_utf8_lossy(argument).into_owned()).collect())
}

#[derive(Debug, PartialEq)]
struct Stat {
    name: String,
    group: u32,
    started: u64,
}

/// Reads `/proc/PID/stat`: `pid (comm) state ppid pgrp …`, where `comm` may itself hold `)`.
fn stat_fields(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|&byte| byte == b'(')?;
    let close = bytes.iter().rposition(|&byte| byte == b')')?;
    let name = String::from_utf8_lossy(bytes.get(open + 1..close)?).into_owned();
    let mut fields = std::str::from_utf8(&bytes[close + 1..]).ok()?.split_ascii_whitespace();
    // The first field after the name is number 3; pgrp is 5 and starttime 22.
    let group = fields.nth(2)?.parse().ok()?;
    let started = fields.nth(16)?.parse().ok()?;
    Some(Stat { name, group, started })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_behind_a_hostile_name() {
        let rest = "S 1 77 3 0 -1 4194560 100 0 0 0 31 12 7 8 20 0 1 0 4711 8433664";
        let stat = |name: &str| stat_fields(format!("42 ({name}) {rest}").as_bytes());
        for name in ["zsh", "a) S 9 9 (", "", "a\nb"] {
            let expected = Stat { name: name.to_owned(), group: 77, started: 4711 };
            assert_eq!(stat(name), Some(expected), "{name:?}");
        }
        for text in ["", "42", "42 )x(", "42 (x) S 1", "42 (x) S 1 -1"] {
            assert_eq!(stat_fields(text.as_bytes()), None, "{text}");
        }
    }
}
