//! `mx limits persist`: raise limits in every new shell.

use std::env;
use std::path::{Path, PathBuf};

use limits::change::Change;
use limits::set::{self, SetError};
use serde::Serialize;

use super::raise::soft_wishes;
use super::set::refused;
use super::ulimit::Ulimit;
use super::words::{self, Word};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::shell::Shell;
use crate::startup_file;
use crate::table::{Align, Cell, Column, Table};

/// Raise limits in every new shell
///
/// Writes lines into the block that mx setup put into the shell's start-up
/// file; for fish, which needs no such block, into conf.d/mx-limits.fish. They
/// compare first and never lower a limit, and they need no mx to run. What was
/// kept before is replaced; --undo removes it. Without a name: nofile, as high
/// as is wise.
///
/// This is for shells and what is started from them. What is not, the
/// administrator decides; mx changes none of it:
///
/// systemd: LimitNOFILE=65536 in a unit, DefaultLimitNOFILE= in
/// /etc/systemd/system.conf and user.conf for all. A service keeps its limits
/// until it is restarted. The default, 1024:524288, is low on purpose: programs
/// that use select() break with more, so leave the soft limit alone there. A
/// hard limit of 2³⁰ (infinity) makes programs that close every descriptor
/// hang.
///
/// PAM: /etc/security/limits.conf counts for new logins only, not for services
/// of systemd, and * in it does not mean root.
///
/// launchd: launchctl limit maxfiles is refused or without effect on recent
/// versions of macOS, and a value that is too low makes the system unusable.
///
/// Exit codes: 0 done, or there was nothing to do, 2 wrong usage, 3 it could
/// not be done.
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx limits persist                            nofile, as high as is wise
  mx limits persist nofile=65536 core=unlimited
  mx limits persist --undo                     removes them")]
pub(crate) struct PersistArgs {
    /// Limits, as nofile or nofile=65536, and profiles
    #[arg(id = "raises", value_name = "NAME[=VALUE]", value_parser = words::word)]
    words: Vec<Word>,
    /// Print what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove what is kept
    #[arg(long, conflicts_with = "raises")]
    undo: bool,
}

#[derive(Serialize)]
struct Report {
    /// False for a dry run.
    applied: bool,
    changes: Vec<Edit>,
}

/// A start-up file that is changed.
#[derive(Serialize)]
struct Edit {
    action: Action,
    path: PathBuf,
    /// The lines that are kept from now on.
    lines: Option<String>,
    /// What the file held when it was read; `None` if there was none.
    #[serde(skip)]
    old: Option<Vec<u8>>,
    /// The file's whole new text; `None` removes the file.
    #[serde(skip)]
    text: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Write,
    Cut,
}

const DOING: &str = "keep limits";

pub(super) fn persist(args: PersistArgs, out: &Out) -> Outcome {
    let limits = if args.undo { None } else { Some(wanted(args.words)?) };
    let places = places()?;
    if places.is_empty() && limits.is_some() {
        return Err(Failure::unable(format!(
            "cannot {DOING}: no start-up file has the block of mx setup"
        ))
        .hint("mx setup zsh first, or bash, or fish"));
    }
    let mut changes = Vec::new();
    for (shell, path) in &places {
        let lines = limits.as_ref().map(|limits| lines(*shell, limits)).transpose()?;
        changes.extend(edit(*shell, path, lines)?);
    }
    if !args.dry_run {
        changes.iter().try_for_each(Edit::apply)?;
    }
    let report = Report { applied: !args.dry_run, changes };
    out.document("mx.limits-persist/1", &report, || table(&report.changes))?;
    match (report.changes.is_empty(), args.dry_run, args.undo) {
        (true, _, true) => out.note("nothing is kept"),
        (true, _, false) => out.note("already kept"),
        (false, true, _) => out.note("nothing was changed"),
        (false, false, true) => {}
        (false, false, false) => out.hint(
            "new shells have it; mx help limits persist tells of systemd, limits.conf and launchd",
        ),
    }
    Ok(Exit::Yes)
}

/// The soft limits to keep; an error if one is beyond its hard limit.
fn wanted(words: Vec<Word>) -> Result<Vec<Change>, Failure> {
    let wishes = soft_wishes(words)?;
    let changes = set::plan(&wishes, None).map_err(|error| refused(DOING, &error))?;
    match changes.iter().find(|change| change.new.hard > change.old.hard) {
        None => Ok(changes),
        Some(change) => Err(refused(DOING, &SetError::AboveHard(*change))),
    }
}

/// The lines that raise limits in a shell, and lower none.
fn lines(shell: Shell, limits: &[Change]) -> Result<String, Failure> {
    let lines: Vec<String> =
        limits.iter().map(|change| line(shell, change)).collect::<Result<_, _>>()?;
    let lines = lines.concat();
    Ok(match shell {
        Shell::Zsh => format!("{lines}unset -v _mx_limit\n"),
        // Other shells read some of the start-up files of bash.
        Shell::Bash => {
            format!("if [ -n \"${{BASH_VERSION-}}\" ]; then\n{lines}unset -v _mx_limit\nfi\n")
        }
        Shell::Fish => format!("{lines}set -e _mx_limit\n"),
    })
}

fn line(shell: Shell, change: &Change) -> Result<String, Failure> {
    let name = change.resource.name;
    let ulimit = Ulimit::of(shell, change.resource).ok_or_else(|| {
        Failure::unable(format!("cannot {DOING}: ulimit of {} cannot set {name}", shell.name()))
    })?;
    let (flag, call) = (ulimit.flag, ulimit.call(change.new.soft, change.old.hard));
    let value = ulimit.value(change.new.soft, change.old.hard);
    // Anything is lower than unlimited.
    let lower = |before: &str, after: &str| {
        value.map(|value| format!("{before}{value}{after}")).unwrap_or_default()
    };
    // Where the hard limit is lower than now, the soft one goes up to it. fish does so by itself.
    Ok(match shell {
        Shell::Fish => format!(
            "set -g _mx_limit (ulimit -S{flag}); if test $_mx_limit != unlimited{}; {call}; end\n",
            lower("; and test $_mx_limit -lt ", "")
        ),
        Shell::Zsh | Shell::Bash => format!(
            "_mx_limit=$(builtin ulimit -S{flag}); \
             if [ \"$_mx_limit\" != unlimited ]{}; then \
             builtin {call} 2>/dev/null || builtin ulimit -S{flag} \"$(builtin ulimit -H{flag})\" || :; fi\n",
            lower(" && [ \"$_mx_limit\" -lt ", " ]")
        ),
    })
}

/// The start-up files that mx setup has changed.
fn places() -> Result<Vec<(Shell, PathBuf)>, Failure> {
    let directory = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = directory("HOME").ok_or_else(|| {
        Failure::unable("cannot find the home directory: HOME is not set to an absolute path")
    })?;
    let zsh = directory("ZDOTDIR").unwrap_or_else(|| home.clone()).join(".zshrc");
    let bash = [".bashrc", ".bash_profile", ".bash_login", ".profile"];
    let bash = bash.map(|name| (Shell::Bash, home.join(name)));
    let mut places = Vec::new();
    for (shell, path) in std::iter::once((Shell::Zsh, zsh)).chain(bash) {
        let text = startup_file::read(&path)?.unwrap_or_default();
        if startup_file::with_limits(&text, None)?.is_some() {
            places.push((shell, path));
        }
    }
    let fish = directory("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("fish");
    if fish.join("functions/mx.fish").exists() {
        places.push((Shell::Fish, fish.join("conf.d/mx-limits.fish")));
    }
    Ok(places)
}

/// The change that makes a file hold these lines; `None` if it does already.
fn edit(shell: Shell, path: &Path, lines: Option<String>) -> Result<Option<Edit>, Failure> {
    /// The first line of a file that is written as a whole.
    const OWN: &str = "# Written by `mx limits persist`; --undo removes it.\n";

    let old = startup_file::read(path)?;
    let new = match shell {
        Shell::Fish => {
            if old.as_ref().is_some_and(|old| !old.starts_with(OWN.as_bytes())) {
                return Err(Failure::unable(format!(
                    "cannot {DOING}: {} is there already, and mx did not write it",
                    path.display()
                )));
            }
            lines.as_ref().map(|lines| format!("{OWN}{lines}").into_bytes())
        }
        _ => startup_file::with_limits(old.as_deref().unwrap_or_default(), lines.as_deref())?,
    };
    if new == old {
        return Ok(None);
    }
    startup_file::check_writable(path)?;
    let action = if lines.is_some() { Action::Write } else { Action::Cut };
    Ok(Some(Edit { action, path: path.to_owned(), lines, old, text: new }))
}

impl Edit {
    fn apply(&self) -> Result<(), Failure> {
        let old = self.old.as_deref();
        let Some(text) = &self.text else { return startup_file::remove(&self.path, old) };
        if let Some(parent) = self.path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|error| startup_file::failure("make", parent, &error))?;
        }
        startup_file::replace(&self.path, old, text)
    }
}

fn table(changes: &[Edit]) -> Table {
    let column = |heading| Column { heading, align: Align::Left };
    let row = |change: &Edit| {
        let action = match change.action {
            Action::Write => "write",
            Action::Cut => "cut",
        };
        vec![
            Cell::new(action),
            Cell::new(change.path.to_string_lossy()),
            Cell::new(change.lines.as_deref().unwrap_or_default().trim_end()),
        ]
    };
    Table {
        columns: vec![column("CHANGE"), column("FILE"), column("LINES")],
        rows: changes.iter().map(row).collect(),
    }
}
