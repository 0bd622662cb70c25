//! The commands, a file each.

mod clipboard;
mod complete;
mod copy;
mod init;
mod limits;
mod paste;
mod ports;
mod setup;

use clap::Subcommand;

use crate::exit::Outcome;
use crate::out::Out;

#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "p")]
    Ports(ports::PortsArgs),
    #[command(visible_alias = "l")]
    Limits(limits::LimitsArgs),
    #[command(visible_alias = "c")]
    Copy(copy::CopyArgs),
    #[command(visible_alias = "v")]
    Paste(paste::PasteArgs),
    Setup(setup::SetupArgs),
    Init(init::InitArgs),
    #[command(name = "__complete", hide = true)]
    Complete(complete::CompleteArgs),
}

pub(crate) use limits::spell_out;

impl Command {
    pub(crate) fn run(self, out: &Out) -> Outcome {
        match self {
            Self::Ports(args) => ports::ports(args, out),
            Self::Limits(args) => limits::limits(args, out),
            Self::Copy(args) => copy::copy(&args, out),
            Self::Paste(args) => paste::paste(&args, out),
            Self::Setup(args) => setup::setup(&args, out),
            Self::Init(args) => init::init(&args, out),
            Self::Complete(args) => complete::complete(&args, out),
        }
    }
}

#[cfg(test)]
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
    ("changes", "limit-values"),
    ("profile", "profiles"),
];
