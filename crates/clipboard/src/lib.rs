//! The clipboard: of the desktop, of tmux, and of the terminal that a person
//! sits at, which may be the other end of SSH.
//!
//! [`copy`] and [`paste`] take the first way that works of those that `route`
//! puts in order; [`Options::via`] names one. A terminal takes text and says
//! nothing: such a copy is not [verified](Copied::verified).
//!
//! Not here: reading the clipboard through the terminal. Some never answer,
//! some ask the person, and one empties the clipboard.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
mod os;
mod route;
mod terminal;

use std::io;
use std::str::FromStr;

use serde::Serialize;
use term::Surroundings;

/// A way to a clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The X server that `DISPLAY` names.
    X11,
    /// The compositor that `WAYLAND_DISPLAY` names.
    Wayland,
    /// The pasteboard of macOS.
    Macos,
    /// tmux, which keeps text itself and hands it on to its terminal.
    Tmux,
    /// The terminal behind screen.
    Screen,
    /// The terminal, by an escape sequence.
    Osc52,
}

impl Via {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::X11, Self::Wayland, Self::Macos, Self::Tmux, Self::Screen, Self::Osc52];

    /// Its name, as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::X11 => "x11",
            Self::Wayland => "wayland",
            Self::Macos => "macos",
            Self::Tmux => "tmux",
            Self::Screen => "screen",
            Self::Osc52 => "osc52",
        }
    }

    /// What it is.
    pub fn description(self) -> &'static str {
        match self {
            Self::X11 => "The X server of DISPLAY",
            Self::Wayland => "The compositor of WAYLAND_DISPLAY",
            Self::Macos => "The pasteboard of macOS",
            Self::Tmux => "The buffer of tmux, and the terminal behind it",
            Self::Screen => "The terminal behind screen",
            Self::Osc52 => "The terminal, by the escape sequence OSC 52",
        }
    }
}

impl FromStr for Via {
    type Err = ();

    fn from_str(name: &str) -> std::result::Result<Self, ()> {
        Self::ALL.into_iter().find(|via| via.name() == name).ok_or(())
    }
}

/// Which of the clipboards of a desktop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// What copy and paste of programs mean.
    #[default]
    Clipboard,
    /// What is selected, and pasted by the middle mouse button.
    Primary,
}

/// Which clipboard, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// This way only; `None` for the first that works.
    pub via: Option<Via>,
    /// Which of the clipboards.
    pub selection: Selection,
    /// Nobody is to keep a history of what is copied.
    pub secret: bool,
}

/// What was copied.
#[derive(Clone, Debug, Serialize)]
pub struct Copied {
    /// Where to.
    pub via: Via,
    /// Whether the clipboard was seen to hold it.
    pub verified: bool,
    /// How much.
    pub bytes: u64,
    /// The types that it can be pasted as.
    pub types: Vec<String>,
    /// What else is to be known about it.
    pub notes: Vec<String>,
}

/// What was pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pasted {
    /// Where from.
    pub via: Via,
    /// How much.
    pub bytes: u64,
}

/// What the clipboard can be pasted as.
#[derive(Clone, Debug, Serialize)]
pub struct Types {
    /// Whose clipboard it is.
    pub via: Via,
    /// In the order of whoever copied; none if the clipboard is empty.
    pub types: Vec<String>,
}

/// Why nothing was copied or pasted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No way leads to a clipboard.
    #[error("no clipboard is reachable{0}")]
    Unreachable(Reasons),
    /// The clipboard that was reached failed.
    #[error(transparent)]
    System(#[from] sys::Error),
    /// The process that was to own the clipboard failed, for this reason.
    #[error("{0}")]
    Owner(String),
    /// The caller could not take what was pasted.
    #[error("cannot pass on what is pasted: {0}")]
    Sink(io::Error),
}

/// Each way that was tried, and why it leads nowhere.
#[derive(Clone, Debug, Default)]
pub struct Reasons(Vec<(Via, String)>);

impl std::fmt::Display for Reasons {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        for (index, (via, why)) in self.0.iter().enumerate() {
            let separator = if index == 0 { ": " } else { "; " };
            write!(formatter, "{separator}{}: {why}", via.name())?;
        }
        Ok(())
    }
}

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Takes what is pasted, piece by piece.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// Why one way was not taken: it leads nowhere, or it failed.
enum Obstacle {
    Unreachable(String),
    Failed(Error),
}

impl From<sys::Error> for Obstacle {
    fn from(error: sys::Error) -> Self {
        Self::Failed(error.into())
    }
}

type Attempt<T> = std::result::Result<T, Obstacle>;

/// Puts text on the clipboard.
///
/// The owner of a clipboard of X11 or Wayland hands the text out when it is
/// pasted: such a copy leaves a process behind, which ends when something else
/// is copied. It must be called while the process has one thread.
pub fn copy(text: &[u8], options: Options) -> Result<Copied> {
    let around = Surroundings::find();
    let ways = options.via.map_or_else(
        || route::to_copy(&around, options.selection, &os::desktop()),
        |via| vec![via],
    );
    first(&ways, |via| copy_via(via, text, options, &around))
}

/// Hands the text on the clipboard to `sink`; `None` if there is none.
pub fn paste(options: Options, sink: Sink) -> Result<Option<Pasted>> {
    first(&ways_to_paste(options), |via| {
        let mut bytes = 0;
        let found = paste_via(via, options, &mut |piece| {
            bytes += piece.len() as u64;
            sink(piece)
        })?;
        Ok(found.then_some(Pasted { via, bytes }))
    })
}

/// What the clipboard can be pasted as.
pub fn types(options: Options) -> Result<Types> {
    first(&ways_to_paste(options), |via| Ok(Types { via, types: types_via(via, options)? }))
}

fn ways_to_paste(options: Options) -> Vec<Via> {
    options.via.map_or_else(
        || route::to_paste(&Surroundings::find(), options.selection, &os::desktop()),
        |via| vec![via],
    )
}

/// What the first way that leads somewhere gives.
fn first<T>(ways: &[Via], mut attempt: impl FnMut(Via) -> Attempt<T>) -> Result<T> {
    let mut reasons = Reasons::default();
    for &via in ways {
        match attempt(via) {
            Ok(found) => return Ok(found),
            Err(Obstacle::Unreachable(why)) => reasons.0.push((via, why)),
            Err(Obstacle::Failed(error)) => return Err(error),
        }
    }
    Err(Error::Unreachable(reasons))
}

fn copy_via(via: Via, text: &[u8], options: Options, around: &Surroundings) -> Attempt<Copied> {
    match via {
        Via::Tmux => terminal::copy_to_tmux(text, options),
        Via::Screen | Via::Osc52 => terminal::copy(via, text, options, around),
        Via::X11 | Via::Wayland | Via::Macos => os::copy(via, text, options),
    }
}

/// Whether there was any text.
fn paste_via(via: Via, options: Options, sink: Sink) -> Attempt<bool> {
    match via {
        Via::Tmux => terminal::paste_from_tmux(options, sink),
        Via::Screen | Via::Osc52 => Err(terminal::gives_nothing()),
        Via::X11 | Via::Wayland | Via::Macos => os::paste(via, options, sink),
    }
}

fn types_via(via: Via, options: Options) -> Attempt<Vec<String>> {
    match via {
        Via::Tmux => terminal::types_of_tmux(options),
        Via::Screen | Via::Osc52 => Err(terminal::gives_nothing()),
        Via::X11 | Via::Wayland | Via::Macos => os::types(via, options),
    }
}

/// Why a clipboard of another system leads nowhere.
fn not_here() -> Obstacle {
    Obstacle::Unreachable("this system has none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for via in Via::ALL {
            assert_eq!(via.name().parse(), Ok(via));
            let json = serde_json::to_string(&via).expect("a name");
            assert_eq!(json, format!("\"{}\"", via.name()));
        }
        assert_eq!("X11".parse::<Via>(), Err(()));
    }

    #[test]
    fn ways_that_lead_nowhere_are_told_and_a_failure_ends_the_search() {
        let unreachable = |via: Via| match via {
            Via::X11 => Err(Obstacle::Unreachable("no server".to_owned())),
            Via::Tmux => Err(Obstacle::Unreachable("no tmux".to_owned())),
            Via::Screen => Err(Obstacle::Failed(Error::Sink(io::ErrorKind::Other.into()))),
            _ => Ok(via),
        };
        assert_eq!(first(&[Via::X11, Via::Osc52], unreachable).expect("a way"), Via::Osc52);
        let error = first(&[Via::X11, Via::Tmux], unreachable).expect_err("no way");
        let text = "no clipboard is reachable: x11: no server; tmux: no tmux";
        assert_eq!(error.to_string(), text);
        let error = first(&[Via::Screen, Via::Osc52], unreachable).expect_err("a failure");
        assert!(matches!(error, Error::Sink(_)));
    }
}
