//! The commands, a file each.

mod clipboard;
mod complete;
mod copy;
mod init;
mod limits;
mod paste;
mod ports;
mod setup;

use ::ports::Selector;
use clap::Subcommand;

use crate::deferred::Deferred;
use crate::exit::Outcome;
use crate::out::Out;

#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "p")]
    Ports(Deferred<ports::PortsArgs>),
    #[command(visible_alias = "l")]
    Limits(Deferred<limits::LimitsArgs>),
    #[command(visible_alias = "c")]
    Copy(Deferred<copy::CopyArgs>),
    #[command(visible_alias = "v")]
    Paste(Deferred<paste::PasteArgs>),
    Setup(Deferred<setup::SetupArgs>),
    Init(Deferred<init::InitArgs>),
    #[command(name = "__complete", hide = true)]
    Complete(Deferred<complete::CompleteArgs>),
}

pub(crate) use limits::spell_out;

impl Command {
    pub(crate) fn run(self, out: &Out) -> Outcome {
        match self {
            Self::Ports(Deferred(args)) => ports::ports(args, out),
            Self::Limits(Deferred(args)) => limits::limits(args, out),
            Self::Copy(Deferred(args)) => copy::copy(&args, out),
            Self::Paste(Deferred(args)) => paste::paste(&args, out),
            Self::Setup(Deferred(args)) => setup::setup(&args, out),
            Self::Init(Deferred(args)) => init::init(&args, out),
            Self::Complete(Deferred(args)) => complete::complete(&args, out),
        }
    }
}

/// The call that was meant by a word in the place of a command: a port, or the
/// verb of a command, as in `mx kill 8080`.
pub(crate) fn meant(word: &str) -> Option<String> {
    if let Ok(Selector::Port { .. } | Selector::Pid(_)) = word.parse() {
        return Some(format!("mx ports {word}"));
    }
    let mut commands = Command::augment_subcommands(clap::Command::new("mx"));
    commands.build();
    let has_verb = |command: &&clap::Command| command.find_subcommand(word).is_some();
    let nouns = commands.get_subcommands().filter(|command| !command.is_hide_set());
    let found = nouns.filter(has_verb).filter(|noun| noun.get_name() != "help");
    let calls: Vec<String> = found.map(|noun| format!("mx {} {word}", noun.get_name())).collect();
    (!calls.is_empty()).then(|| calls.join(" or "))
}

pub(crate) use init::for_new_shell;
pub(crate) use init::quote;
pub(crate) use setup::refresh;

/// Arguments whose values only the running system knows: the id of the
/// argument, and what `mx __complete` calls the values.
#[cfg(test)]
pub(crate) const LIVE_VALUES: &[(&str, &str)] = &[
    ("selectors", "ports"),
    ("signal", "signals"),
    ("limits", "limits"),
    ("wishes", "limit-values"),
    ("raises", "limit-raises"),
    ("changes", "limit-changes"),
    ("profile", "profiles"),
    ("pid", "pids"),
    ("grace", "times"),
    ("timeout", "times"),
    ("interval", "times"),
];
