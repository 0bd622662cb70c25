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
mod patience;
mod route;
mod terminal;

use std::io;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use term::Surroundings;

use crate::patience::Clock;
pub use crate::patience::Patience;
use crate::route::Way;

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
    /// How long whatever is asked may be silent.
    pub patience: Patience,
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
    /// What was reached has not answered in time.
    #[error("cannot {doing}: {why}")]
    Silent {
        /// What was being done.
        doing: &'static str,
        /// What has not answered, and for how long.
        why: String,
    },
    /// The caller could not take what was pasted.
    #[error("cannot pass on what is pasted: {0}")]
    Sink(io::Error),
}

/// Each way that there might be, and why it leads nowhere.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    ways: Vec<(Via, String)>,
    is_silence: bool,
}

impl Reasons {
    /// Whether one of them is that something has not answered in time.
    pub fn is_silence(&self) -> bool {
        self.is_silence
    }
}

impl std::fmt::Display for Reasons {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        for (index, (via, why)) in self.ways.iter().enumerate() {
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

/// Why one way was not taken.
enum Obstacle {
    /// It leads nowhere.
    Unreachable(String),
    /// It would not take this text.
    Refused(String),
    /// Nothing has answered there.
    Silent(String),
    /// It led to a clipboard, and failed then: no other one is meant.
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
    let ways =
        ways(options, around, |around| route::to_copy(around, options.selection, os::desktop()));
    let (mut copied, passed_over) = first(&ways, options.patience, |via, clock| match via {
        Via::Tmux => terminal::copy_to_tmux(text, options, clock),
        Via::Screen | Via::Osc52 => terminal::copy(via, text, options, clock),
        Via::X11 | Via::Wayland | Via::Macos => os::copy(via, text, options, clock),
    })?;
    copied.notes.extend(passed_over);
    Ok(copied)
}

/// Hands the text on the clipboard to `sink`; `None` if there is none.
pub fn paste(options: Options, sink: Sink) -> Result<Option<Pasted>> {
    first(&ways_to_paste(options), options.patience, |via, clock| {
        let mut bytes = 0;
        let found = paste_via(via, options, clock, &mut |piece| {
            bytes += piece.len() as u64;
            let taken = sink(piece);
            // Who reads what is printed may take as long as it likes.
            clock.goes_on();
            taken
        })?;
        Ok(found.then_some(Pasted { via, bytes }))
    })
    .map(|(pasted, _)| pasted)
}

/// What the clipboard can be pasted as.
pub fn types(options: Options) -> Result<Types> {
    first(&ways_to_paste(options), options.patience, |via, clock| {
        Ok(Types { via, types: types_via(via, options, clock)? })
    })
    .map(|(types, _)| types)
}

fn ways_to_paste(options: Options) -> Vec<Way> {
    let around = Surroundings::find();
    ways(options, around, |around| route::to_paste(around, options.selection, os::desktop()))
}

/// The way that is asked for, or all in order. tmux is asked whether the person
/// sits elsewhere only where that decides between two of them.
fn ways(
    options: Options,
    mut around: Surroundings,
    route: impl Fn(&Surroundings) -> Vec<Way>,
) -> Vec<Way> {
    if let Some(via) = options.via {
        return vec![Way::open(via)];
    }
    let ways = route(&around);
    let open = ways.iter().filter(|way| way.closed.is_none()).count();
    if !around.tmux || open < 2 {
        return ways;
    }
    let clock = options.patience.for_one_of(open + 1);
    around.ask_tmux(clock.left_at_least(LEAST));
    route(&around)
}

/// The least that a tool gets to answer.
const LEAST: Duration = Duration::from_millis(50);

/// What the first way that leads somewhere gives, and what is to be known of
/// those before it.
fn first<T>(
    ways: &[Way],
    patience: Patience,
    mut attempt: impl FnMut(Via, &Rc<Clock>) -> Attempt<T>,
) -> Result<(T, Vec<String>)> {
    let mut reasons = Reasons::default();
    let mut passed_over = Vec::new();
    let mut left = ways.iter().filter(|way| way.closed.is_none()).count();
    for Way { via, closed } in ways {
        if let Some(why) = closed {
            reasons.ways.push((*via, why.clone()));
            continue;
        }
        let clock = Rc::new(patience.for_one_of(left));
        left -= 1;
        let why = match attempt(*via, &clock) {
            Ok(found) => return Ok((found, passed_over)),
            Err(Obstacle::Unreachable(why)) => why,
            Err(Obstacle::Refused(why)) => {
                passed_over.push(format!("{} was passed over: {why}", via.name()));
                why
            }
            Err(Obstacle::Silent(why)) => {
                passed_over.push(format!("{} was passed over: {why}", via.name()));
                reasons.is_silence = true;
                why
            }
            Err(Obstacle::Failed(error)) => return Err(error),
        };
        reasons.ways.push((*via, why));
    }
    Err(Error::Unreachable(reasons))
}

/// Whether there was any text.
fn paste_via(via: Via, options: Options, clock: &Rc<Clock>, sink: Sink) -> Attempt<bool> {
    match via {
        Via::Tmux => terminal::paste_from_tmux(options, clock, sink),
        Via::Screen | Via::Osc52 => Err(terminal::gives_nothing()),
        Via::X11 | Via::Wayland | Via::Macos => os::paste(via, options, clock, sink),
    }
}

fn types_via(via: Via, options: Options, clock: &Rc<Clock>) -> Attempt<Vec<String>> {
    match via {
        Via::Tmux => terminal::types_of_tmux(options, clock),
        Via::Screen | Via::Osc52 => Err(terminal::gives_nothing()),
        Via::X11 | Via::Wayland | Via::Macos => os::types(via, options, clock),
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
        let unreachable = |via: Via, _: &Rc<Clock>| match via {
            Via::X11 => Err(Obstacle::Unreachable("no server".to_owned())),
            Via::Tmux => Err(Obstacle::Unreachable("no tmux".to_owned())),
            Via::Macos => Err(Obstacle::Silent("mute".to_owned())),
            Via::Screen => Err(Obstacle::Failed(Error::Sink(io::ErrorKind::Other.into()))),
            _ => Ok(via),
        };
        let first = |ways: &[Via]| {
            let ways: Vec<Way> = ways.iter().copied().map(Way::open).collect();
            first(&ways, Patience::default(), unreachable)
        };
        let (via, passed_over) = first(&[Via::X11, Via::Osc52]).expect("a way");
        assert_eq!((via, passed_over.len()), (Via::Osc52, 0));
        let (via, passed_over) = first(&[Via::Macos, Via::Osc52]).expect("a way");
        assert_eq!(
            (via, passed_over),
            (Via::Osc52, vec!["macos was passed over: mute".to_owned()])
        );
        let error = first(&[Via::X11, Via::Tmux]).expect_err("no way");
        let text = "no clipboard is reachable: x11: no server; tmux: no tmux";
        assert_eq!(error.to_string(), text);
        assert!(matches!(&error, Error::Unreachable(reasons) if !reasons.is_silence()));
        let error = first(&[Via::X11, Via::Macos]).expect_err("no way");
        assert!(matches!(&error, Error::Unreachable(reasons) if reasons.is_silence()));
        let error = first(&[Via::Screen, Via::Osc52]).expect_err("a failure");
        assert!(matches!(error, Error::Sink(_)));
    }
}
