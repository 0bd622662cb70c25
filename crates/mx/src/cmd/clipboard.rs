//! What `mx copy` and `mx paste` have in common.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clipboard::{Error, Options, Patience, Selection, Via};

use crate::exit::Failure;

/// Which clipboard is meant.
#[derive(clap::Args)]
pub(super) struct Which {
    /// The primary selection: what is selected, and pasted by the middle mouse button
    #[arg(long)]
    primary: bool,
    /// Only this way, instead of the first that works
    #[arg(long, value_name = "WAY", value_parser = via())]
    via: Option<Via>,
    /// How long a server, an owner, tmux or a terminal may be silent
    #[arg(long, value_name = "TIME", value_parser = crate::values::duration, default_value = "1.5s")]
    timeout: Duration,
}

impl Which {
    /// The time for an answer is counted from this call on.
    pub(super) fn options(&self) -> Options {
        let selection = if self.primary { Selection::Primary } else { Selection::Clipboard };
        let patience = Patience::new(self.timeout);
        Options { via: self.via, selection, secret: false, patience }
    }
}

fn via() -> impl TypedValueParser<Value = Via> {
    let values = Via::ALL.map(|via| PossibleValue::new(via.name()).help(via.description()));
    PossibleValuesParser::new(values).map(|name| name.parse().expect("one of those listed"))
}

/// Why `doing` failed.
pub(super) fn failure(doing: &str, error: Error) -> Failure {
    const LONGER: &str = "--timeout 10s waits longer";

    match error {
        Error::Silent { .. } => Failure::unable(error.to_string()).hint(LONGER),
        Error::Unreachable(ref reasons) if reasons.is_silence() => {
            Failure::unable(format!("cannot {doing}: {error}")).hint(LONGER)
        }
        Error::System(error) => error.into(),
        Error::Unreachable(_) => Failure::unable(format!("cannot {doing}: {error}")).hint(
            "it takes a desktop (DISPLAY or WAYLAND_DISPLAY), tmux, or for copying a terminal",
        ),
        Error::Owner(why) => Failure::unable(why),
        Error::Sink(error) => Failure::unable(format!("cannot write the answer: {error}")),
    }
}
