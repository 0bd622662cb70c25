//! Exit codes, and the failures that lead to them. Every code is decided here.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cmd;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Yes, done, found.
    Yes = 0,
    /// No: nothing found, not available, not in time, a check failed.
    No = 1,
    /// The words of the call are wrong.
    Usage = 2,
    /// Could not do it, or could not tell.
    Unable = 3,
    /// The command to be run is there, but it cannot be run.
    CannotExecute = 126,
    /// The command to be run was not found.
    CommandNotFound = 127,
}

impl Exit {
    /// The exit of a search.
    pub(crate) fn found(any: bool) -> Self {
        if any { Self::Yes } else { Self::No }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command's result.
pub(crate) type Outcome = Result<Exit, Failure>;

/// Why a command could not answer: `mx: {message}`, then `hint: {hint}`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// "cannot do what: why".
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// The words of the call are wrong; `accepted` says what is right.
    pub(crate) fn usage(message: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), hint: Some(accepted.into()) }
    }

    /// It could not be done, or the answer is not known.
    pub(crate) fn unable(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unable, message: message.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl From<sys::Error> for Failure {
    fn from(error: sys::Error) -> Self {
        Self::unable(error.to_string())
    }
}

/// The outcome of a command line that clap does not run: help, version, or an error.
pub(crate) fn usage(error: &clap::Error) -> Outcome {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            match error.print() {
                // A reader that has seen enough of the help is no failure.
                Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => {
                    Err(Failure::unable(format!("cannot write the answer: {failed}")))
                }
                _ => Ok(Exit::Yes),
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Ok(Exit::Usage)
        }
        _ => Err(error.source().and_then(|source| source.downcast_ref::<Failure>()).cloned())
            .map_err(|own| own.unwrap_or_else(|| from_clap(error))),
    }
}

/// clap's error in the words of this program.
fn from_clap(error: &clap::Error) -> Failure {
    const AFTER_DASHES: &str = "put -- before an argument that starts with -";

    let text = error.to_string();
    let reason = text.lines().next().unwrap_or(&text);
    let reason = reason.strip_prefix("error: ").unwrap_or(reason).trim_end_matches(':');
    let list = |kind| match error.get(kind) {
        Some(ContextValue::String(one)) => Some(one.clone()),
        Some(ContextValue::Strings(many)) if !many.is_empty() => Some(many.join(", ")),
        _ => None,
    };
    // The last of several is the nearest; an alias of one letter is near to everything.
    let is_name = |name: &&str| name.chars().nth(1).is_some();
    let nearest = list(ContextKind::SuggestedSubcommand)
        .or_else(|| list(ContextKind::SuggestedArg))
        .or_else(|| list(ContextKind::SuggestedValue))
        .and_then(|names| names.rsplit(", ").find(is_name).map(str::to_owned));
    let nearest = list(ContextKind::InvalidSubcommand)
        .and_then(|word| cmd::meant(&word))
        .or(nearest)
        .map(|words| format!("did you mean {words}?"));
    let accepted = list(ContextKind::ValidValue).map(|values| format!("accepted: {values}"));
    // clap has a tip about `--` for what might be a value.
    let value = error
        .get(ContextKind::Suggested)
        .filter(|_| error.kind() != ErrorKind::InvalidSubcommand)
        .map(|_| AFTER_DASHES.to_owned());
    let missing = list(ContextKind::InvalidArg)
        .filter(|_| error.kind() == ErrorKind::MissingRequiredArgument)
        .map(|names| format!(" {names}"))
        .unwrap_or_default();
    Failure::usage(
        format!("invalid arguments: {reason}{missing}"),
        nearest.or(accepted).or(value).unwrap_or_else(|| where_it_says(error)),
    )
}

/// Where it says what is accepted: in the help of the command that was called.
fn where_it_says(error: &clap::Error) -> String {
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    let is_name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let words = usage.split_whitespace().skip_while(|word| *word != "mx").skip(1);
    let path: Vec<&str> =
        words.take_while(is_name).take_while(|word| !word.starts_with('-')).collect();
    match path.as_slice() {
        [] => "mx --help lists the commands".to_owned(),
        path => format!("mx help {} lists what it accepts", path.join(" ")),
    }
}
