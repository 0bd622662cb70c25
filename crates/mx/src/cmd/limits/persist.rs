//! `mx limits persist`: raise limits in every new shell.

use std::path::{Path, PathBuf};

use limits::change::Change;
use limits::set::{self, SetError};
use limits::{Resource, Value};
use serde::Serialize;

use super::raise::soft_wishes;
use super::set::refused;
use super::show;
use super::ulimit::Ulimit;
use super::words::{self, Word};
use crate::cmd::setup::places::{OWN_LIMITS, Places, is_own_limits};
use crate::edit::{self, Edit};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::shell::Shell;
use crate::startup_file;

/// Raise limits in every new shell
///
/// Writes lines into the block that mx setup put into the shell's start-up
/// file; for fish, which needs no such block, into conf.d/mx-limits.fish. They
/// compare first and never lower a limit, and they need no mx to run; --json
/// shows them. What was kept before is replaced, and mx lists what is no longer
/// kept; --undo removes all, and so does mx setup --uninstall. Without a name:
/// nofile, as high as is wise.
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
    /// What was kept before and is no longer, as `nofile=300`.
    dropped: Vec<String>,
}

const DOING: &str = "keep limits";

pub(super) fn persist(args: PersistArgs, out: &Out) -> Outcome {
    let limits = if args.undo { None } else { Some(wanted(args.words)?) };
    // mx setup removes what it takes for leftovers of a run that was killed.
    let _lock = Places::find(Shell::Zsh)?.lock()?;
    let places = places()?;
    if places.is_empty() && limits.is_some() {
        return Err(Failure::unable(format!(
            "cannot {DOING}: no start-up file has the block of mx setup"
        ))
        .hint("mx setup zsh first, or bash, or fish"));
    }
    let mut changes = Vec::new();
    let dropped = limits.as_ref().map(|limits| dropped(&places, limits)).transpose()?;
    for (shell, path) in &places {
        let lines = limits.as_ref().map(|limits| lines(*shell, limits)).transpose()?;
        changes.extend(edit(*shell, path, lines)?);
    }
    if !args.dry_run {
        changes.iter().try_for_each(Edit::apply)?;
    }
    let dropped = dropped.unwrap_or_default();
    let report = Report { applied: !args.dry_run, changes, dropped };
    let kept = words_of(limits.as_deref().unwrap_or_default());
    out.document("mx.limits-persist/1", &report, || {
        edit::table(&report.changes, "LIMITS", |_| &kept)
    })?;
    if !report.dropped.is_empty() {
        let words = report.dropped.join(" ");
        out.note(&format!(
            "no longer kept: {words}; to keep all: mx limits persist {words} {kept}"
        ));
    }
    match (report.changes.is_empty(), args.dry_run, args.undo) {
        (true, _, true) => out.note("nothing is kept"),
        (true, _, false) => out.note("already set up"),
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

/// The limits in a line, as `nofile=65536 core=unlimited`.
fn words_of(limits: &[Change]) -> String {
    let word = |change: &Change| {
        let (name, unit) = (change.resource.name, change.resource.unit);
        format!("{name}={}", show::human(change.new.soft, unit))
    };
    limits.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// bash in POSIX mode counts these limits in other blocks. A login shell with the
/// name sh is in it when it reads its file.
const BLOCKS: &str = r#"  case :${SHELLOPTS-}::$1:$2 in
    *:posix:*:[cf]:unlimited) ;;
    *:posix:*:[cf]:*) set -- "$1" "$(($2 * 2))" 512 "$4" ;;
  esac
"#;

/// What the files keep now, and would not any more, each once.
fn dropped(places: &[(Shell, PathBuf)], limits: &[Change]) -> Result<Vec<String>, Failure> {
    let mut words: Vec<String> = Vec::new();
    for (shell, path) in places {
        let text = startup_file::read(path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        for (resource, value) in text.lines().filter_map(|line| kept(*shell, line)) {
            let word = format!("{}={}", resource.name, show::human(value, resource.unit));
            let stays = limits.iter().any(|change| change.resource == resource);
            if !stays && !words.contains(&word) {
                words.push(word);
            }
        }
    }
    Ok(words)
}

/// The limit that a line keeps, if it is one of those that [`line`] writes.
fn kept(shell: Shell, line: &str) -> Option<(&'static Resource, Value)> {
    let (flag, value) = if shell == Shell::Fish {
        let (_, call) = line.strip_suffix("; end")?.rsplit_once("; ulimit -S")?;
        call.split_once(' ')?
    } else {
        let mut words = line.strip_prefix("_mx_raise ")?.split(' ');
        (words.next()?, words.next()?)
    };
    let resource = Resource::find(flag).ok()?;
    let unit = Ulimit::of(shell, resource)?.unit;
    let value = match value {
        "unlimited" => Value::Unlimited,
        number => Value::Number(number.parse::<u64>().ok()?.checked_mul(unit)?),
    };
    Some((resource, value))
}

/// The function that bash and zsh call for each limit: its option of `ulimit`,
/// the value and the unit of that, and how Linux calls it.
///
/// Where the hard limit is lower than it was, the soft one goes up to that.
/// Taking the row out of the whole text, with `${text#*row}`, is quadratic.
const RAISE: &str = r#"  local IFS=$'\n' row soft=
  for row in $_mx_limits; do
    case $row in
      "$4 "*) IFS=' '; set -- "$1" "$2" "$3" ${row#"$4"}; soft=$4; break ;;
    esac
  done
  case $soft in
    # Only Linux has that file. Elsewhere this takes a fork.
    '') soft=$(builtin ulimit -S"$1") ;;
    unlimited) ;;
    *) soft=$((soft / $3)) ;;
  esac
  if [ "$soft" != unlimited ] && { [ "$2" = unlimited ] || [ "$soft" -lt "$2" ]; }; then
    builtin ulimit -S"$1" "$2" 2>/dev/null || builtin ulimit -S"$1" hard || :
  fi
}
"#;

/// The lines that raise limits in a shell, and lower none.
fn lines(shell: Shell, limits: &[Change]) -> Result<String, Failure> {
    let lines: Vec<String> =
        limits.iter().map(|change| line(shell, change)).collect::<Result<_, _>>()?;
    let lines = lines.concat();
    // Neither way of reading the file forks.
    let (read, options) = match shell {
        Shell::Fish => return Ok(format!("{lines}set -e _mx_limit\n")),
        Shell::Zsh => ("_mx_limits=$(</proc/self/limits)", "  emulate -L sh\n"),
        Shell::Bash => ("IFS= read -r -d '' _mx_limits </proc/self/limits || :", BLOCKS),
    };
    let lines = format!(
        "_mx_limits=\nif [ -r /proc/self/limits ]; then {read}; fi\n\
         _mx_raise() {{\n{options}{RAISE}{lines}\
         unset -f _mx_raise\nunset -v _mx_limits\n"
    );
    Ok(match shell {
        // Other shells read some of the start-up files of bash.
        Shell::Bash => format!("if [ -n \"${{BASH_VERSION-}}\" ]; then\n{lines}fi\n"),
        _ => lines,
    })
}

fn line(shell: Shell, change: &Change) -> Result<String, Failure> {
    let resource = change.resource;
    let name = resource.name;
    let ulimit = Ulimit::of(shell, resource).ok_or_else(|| {
        Failure::unable(format!("cannot {DOING}: ulimit of {} cannot set {name}", shell.name()))
    })?;
    let Ulimit { flag, unit } = ulimit;
    let value = ulimit.value(change.new.soft, change.old.hard);
    let word = value.map_or_else(|| "unlimited".to_owned(), |value| value.to_string());
    // Anything is lower than unlimited.
    let lower = value.map(|value| format!("; and test $_mx_limit -lt {value}"));
    // In fish a substitution is no fork, and ulimit goes up to the hard limit by itself.
    Ok(match shell {
        Shell::Fish => format!(
            "set -g _mx_limit (ulimit -S{flag})\n\
             if test $_mx_limit != unlimited{}; ulimit -S{flag} {word}; end\n",
            lower.unwrap_or_default()
        ),
        Shell::Zsh | Shell::Bash => {
            format!("_mx_raise {flag} {word} {unit} '{}'\n", resource.title())
        }
    })
}

/// The start-up files that mx setup has changed.
fn places() -> Result<Vec<(Shell, PathBuf)>, Failure> {
    let mut files = Vec::new();
    for shell in [Shell::Zsh, Shell::Bash, Shell::Fish] {
        let places = Places::find(shell)?.asked();
        for path in &places.former {
            let text = startup_file::read(path)?.unwrap_or_default();
            if startup_file::with_limits(&text, None)?.is_some() {
                files.push((shell, path.clone()));
            }
        }
        let Some(path) = places.limits else { continue };
        let kept = startup_file::read(&path)?;
        let is_kept = kept.as_deref().is_some_and(is_own_limits);
        if is_kept || places.directory.join("functions/mx.fish").exists() {
            files.push((shell, path));
        }
    }
    Ok(files)
}

/// The change that makes a file hold these lines; `None` if it does already.
fn edit(shell: Shell, path: &Path, lines: Option<String>) -> Result<Option<Edit>, Failure> {
    let old = startup_file::read(path)?;
    let new = match shell {
        Shell::Fish => {
            if old.as_deref().is_some_and(|old| !is_own_limits(old)) {
                return Err(Failure::unable(format!(
                    "cannot {DOING}: {} is there already, and mx did not write it",
                    path.display()
                )));
            }
            lines.as_ref().map(|lines| format!("{OWN_LIMITS}{lines}").into_bytes())
        }
        _ => startup_file::with_limits(old.as_deref().unwrap_or_default(), lines.as_deref())?,
    };
    if new == old {
        return Ok(None);
    }
    startup_file::check_writable(path)?;
    Ok(match (lines, new) {
        (Some(lines), Some(new)) => Some(Edit::add(path, lines, old, new)),
        (_, new) => old.map(|old| Edit::cut(path, old, new)),
    })
}
