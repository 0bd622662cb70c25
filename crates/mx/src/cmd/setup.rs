//! `mx setup`: install and remove the shell integration.

mod home;
mod loading;
pub(super) mod places;

use std::env;
use std::ffi::OsStr;
use std::path::Path;

use serde::Serialize;

use self::places::Places;
use crate::edit::{self, Edit};
use crate::exit::{Exit, Failure, Outcome};
use crate::integration;
use crate::out::Out;
use crate::shell::Shell;

/// Install the shell integration, or remove it
///
/// zsh: writes the integration below $XDG_DATA_HOME/mx/zsh
/// (~/.local/share/mx/zsh) and one marked block that loads it into
/// ${ZDOTDIR:-$HOME}/.zshrc.
///
/// bash: the same below $XDG_DATA_HOME/mx/bash and into ~/.bashrc. Login
/// shells, which macOS opens, do not read that: where ~/.bash_profile,
/// ~/.bash_login or ~/.profile (the first that exists) does not mention
/// .bashrc, the block goes into that file, too.
///
/// fish: writes functions/mx.fish and completions/mx.fish below
/// $XDG_CONFIG_HOME/fish (~/.config/fish), where fish finds them by itself.
///
/// In zsh there are widgets for keys that you choose, as in bindkey '^Xy'
/// mx-copy-line and bindkey '^Xp' mx-paste, and names on request: zstyle
/// ':mx:*' short-names yes makes p stand for mx ports and so on, zstyle ':mx:*'
/// global-aliases yes makes C stand for | mx copy, where these are free.
///
/// zsh takes [::1]:8080, ? and * for patterns of file names. Quote such words,
/// as in mx ports '[::1]:8080'; or put alias mx='noglob mx' into .zshrc, after
/// which mx copy takes no patterns either.
///
/// Manual pages go to $XDG_DATA_HOME/man/man1 (~/.local/share/man/man1).
///
/// Doing it again changes nothing. --uninstall removes all of it, what mx limits
/// persist keeps there included, and leaves the start-up files as they were
/// before. After an upgrade of mx, the first call through the function `mx`
/// brings its files up to date.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx setup                       for the shell of $SHELL
  mx setup bash --dry-run        shows what would change
  mx setup zsh --uninstall       removes it")]
pub(crate) struct SetupArgs {
    /// The shell; that of $SHELL if none is given
    shell: Option<Shell>,
    /// Print what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove the integration
    #[arg(long)]
    uninstall: bool,
}

pub(crate) fn setup(args: &SetupArgs, out: &Out) -> Outcome {
    let shell = args.shell.map_or_else(login_shell, Ok)?;
    let places = Places::find(shell)?.asked();
    let _lock = places.lock()?;
    if !args.dry_run {
        places.remove_leftovers();
    }
    let changes = if args.uninstall { places.uninstall()? } else { places.install()? };
    if !args.dry_run {
        let applied = changes.iter().try_for_each(Edit::apply);
        applied.map_err(|failure| {
            if args.uninstall { failure } else { places.by_hand(failure, &places.read_first()) }
        })?;
        places.remove_empty_directories(&changes);
    }
    let report = Report { shell, applied: !args.dry_run, changes };
    out.document("mx.setup/1", &report, || edit::table(&report.changes, "LINES", |lines| lines))?;
    if report.changes.is_empty() {
        out.note(if args.uninstall { "nothing is installed" } else { "already set up" });
    } else if args.dry_run {
        out.note("nothing was changed");
    } else {
        if !args.uninstall {
            places.advice().iter().for_each(|advice| out.note(advice));
        }
        let rest = if args.uninstall {
            "open shells keep the old integration; start a new one"
        } else {
            "open a new shell"
        };
        out.hint(&format!("{rest}, or run: exec {}", shell.name()));
    }
    Ok(Exit::Yes)
}

/// The shell that $SHELL names.
fn login_shell() -> Result<Shell, Failure> {
    let variable = env::var_os("SHELL").unwrap_or_default();
    let name = Path::new(&variable).file_name().and_then(OsStr::to_str);
    name.and_then(Shell::named).ok_or_else(|| {
        Failure::usage(
            format!("cannot tell for which shell: SHELL is '{}'", variable.display()),
            "accepted: mx setup zsh, mx setup bash, mx setup fish",
        )
    })
}

/// Replaces files of an older version that the calling function was installed
/// with. Whether that succeeds matters to no answer: `mx setup` says why not.
pub(crate) fn refresh(out: &Out) {
    let Ok(tag) = env::var(integration::CALLER) else { return };
    let Some(shell) = integration::outdated(&tag) else { return };
    let Ok(places) = Places::find(shell) else { return };
    let Some(_lock) = places.try_lock() else { return };
    let Ok(changes) = places.refresh(&tag) else { return };
    if !changes.is_empty() && changes.iter().try_for_each(Edit::apply).is_ok() {
        let (shell, version) = (shell.name(), env!("CARGO_PKG_VERSION"));
        out.note(&format!(
            "the {shell} integration is now that of {version}: exec {shell} loads it"
        ));
    }
}

#[derive(Serialize)]
struct Report {
    shell: Shell,
    /// False for a dry run.
    applied: bool,
    changes: Vec<Edit>,
}
