//! Arguments that are defined only when their command is called.
//!
//! clap defines every command before it reads the first word; with a dozen of
//! them that was a quarter of the run time of `mx --version`.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches, Id, Parser};

/// The arguments `T` of a command, defined when clap comes to that command.
pub(crate) struct Deferred<T>(pub(crate) T);

impl<T: Args> Args for Deferred<T> {
    fn group_id() -> Option<Id> {
        T::group_id()
    }

    fn augment_args(command: Command) -> Command {
        command.defer(T::augment_args)
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(T::augment_args_for_update)
    }
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> clap::error::Result<Self> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> clap::error::Result<Self> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> clap::error::Result<()> {
        self.0.update_from_arg_matches(matches)
    }
}

/// The words of a call as the type `T`.
pub(crate) fn parse<T: Parser>(words: &[OsString]) -> clap::error::Result<T> {
    let read = |mut command: Command| {
        let mut matches = command.try_get_matches_from_mut(words)?;
        T::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    };
    let wants_help = [ErrorKind::DisplayHelp, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    read(T::command()).or_else(|error| {
        if !wants_help.contains(&error.kind()) {
            return Err(error);
        }
        // Help lists the commands, each with a line of its definition.
        let mut command = T::command();
        command.build();
        read(command)
    })
}
