//! `mx limits run`: a command with other limits.

use std::ffi::OsString;
use std::io;

use clap::ValueHint;
use limits::set;

use super::set::refused;
use super::words::{self, Word};
use crate::directives;
use crate::exit::{Exit, Failure, Outcome};

/// Run a command with other limits
///
/// Sets the limits and then becomes the command: its signals, its terminal and
/// its exit code are its own.
///
/// NAME=VALUE sets the soft limit, and lifts the hard one where that is lower
/// and this user may. NAME=SOFT:HARD sets both, NAME=:HARD the hard one. A
/// name alone goes as high as is wise, a profile where it is not yet enough.
///
/// VALUE is a number, also with k, M, G or T, which are binary (64k is 65536);
/// a size without one is in bytes. Times take s, m or h. max is the hard limit;
/// unlimited is no limit.
///
/// Exit codes: 2 wrong usage, 3 the limits could not be set, and nothing was
/// run, 126 the command cannot be run, 127 it was not found; else its own.
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx limits run nofile=65536 stack=64M -- python3 train.py
  mx limits run as=4G -- ./might-leak
  mx limits run jvm -- java -jar server.jar")]
pub(crate) struct RunArgs {
    /// Limits, as nofile=65536, and profiles
    #[arg(id = "wishes", value_name = "NAME=VALUE", value_parser = words::word)]
    words: Vec<Word>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

pub(super) fn run(args: RunArgs) -> Outcome {
    let has_profile = args.words.iter().any(|word| matches!(word, Word::Other(_)));
    let wishes = words::wishes(args.words)?;
    if wishes.is_empty() && !has_profile {
        return Err(Failure::usage(
            "cannot run a command with other limits: no limit is named",
            "as in: mx limits run nofile=65536 -- CMD",
        ));
    }
    let doing = "run the command";
    let changes = set::plan(&wishes, None).map_err(|error| refused(doing, &error))?;
    set::set_own(&changes).map_err(|error| refused(doing, &error))?;
    let error = sys::exec::replace(&args.command, &directives::FROM_FUNCTION);
    let exit = match error.kind() {
        io::ErrorKind::NotFound => Exit::CommandNotFound,
        _ => Exit::CannotExecute,
    };
    let command = args.command[0].to_string_lossy();
    Err(Failure { exit, ..Failure::unable(format!("cannot run '{command}': {error}")) })
}
