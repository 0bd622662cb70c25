//! Which ways to a clipboard there are, and in what order they are tried.
//!
//! The person's own clipboard comes first. Where the person sits elsewhere, that
//! is the one of the terminal; else it is the desktop's, which can tell whether
//! it has taken the text.

use term::Surroundings;

use crate::{Selection, Via};

/// A way to a clipboard, which may be known to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) via: Via,
    /// Why there is no need to try it.
    pub(crate) closed: Option<String>,
}

impl Way {
    pub(crate) fn open(via: Via) -> Self {
        Self { via, closed: None }
    }

    pub(crate) fn closed(via: Via, why: impl Into<String>) -> Self {
        Self { via, closed: Some(why.into()) }
    }
}

/// Why tmux has no primary selection: it has one kind of buffer.
pub(crate) const NO_PRIMARY: &str = "it has no primary selection";

/// The ways to put text on the clipboard.
pub(crate) fn to_copy(around: &Surroundings, selection: Selection, desktop: Vec<Way>) -> Vec<Way> {
    let terminal = if around.tmux {
        tmux(selection)
    } else if around.screen {
        Way::open(Via::Screen)
    } else {
        match around.refusal() {
            None => Way::open(Via::Osc52),
            Some(why) => Way::closed(Via::Osc52, why),
        }
    };
    in_order(around, desktop, terminal)
}

/// The ways to read the clipboard.
pub(crate) fn to_paste(around: &Surroundings, selection: Selection, desktop: Vec<Way>) -> Vec<Way> {
    let terminal =
        if around.tmux { tmux(selection) } else { Way::closed(Via::Tmux, "TMUX is not set") };
    in_order(around, desktop, terminal)
}

fn tmux(selection: Selection) -> Way {
    match selection {
        Selection::Clipboard => Way::open(Via::Tmux),
        Selection::Primary => Way::closed(Via::Tmux, NO_PRIMARY),
    }
}

fn in_order(around: &Surroundings, mut desktop: Vec<Way>, terminal: Way) -> Vec<Way> {
    let place = if around.ssh { 0 } else { desktop.len() };
    desktop.insert(place, terminal);
    desktop
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(tmux: bool, screen: bool, ssh: bool) -> Surroundings {
        let kind = "xterm".to_owned();
        Surroundings { tmux, screen, ssh, kind, known_to_refuse: None }
    }

    /// The open ones.
    fn vias(ways: Vec<Way>) -> Vec<Via> {
        ways.into_iter().filter(|way| way.closed.is_none()).map(|way| way.via).collect()
    }

    #[test]
    fn the_multiplexer_comes_before_the_terminal_behind_it() {
        let ways = |around: &Surroundings| vias(to_copy(around, Selection::Clipboard, Vec::new()));
        for ssh in [true, false] {
            assert!(ways(&around(true, false, ssh)).contains(&Via::Tmux));
            assert!(ways(&around(true, true, ssh)).contains(&Via::Tmux));
            assert!(ways(&around(false, true, ssh)).contains(&Via::Screen));
            assert!(ways(&around(false, false, ssh)).contains(&Via::Osc52));
        }
        assert!(!ways(&Surroundings::default()).contains(&Via::Osc52), "no terminal");
    }

    #[test]
    fn the_clipboard_nearest_to_the_person_comes_first() {
        let desktop = || vec![Way::open(Via::Wayland), Way::open(Via::X11)];
        let ways = |around: &Surroundings| vias(to_copy(around, Selection::Clipboard, desktop()));
        assert_eq!(ways(&around(true, false, false)), [Via::Wayland, Via::X11, Via::Tmux]);
        assert_eq!(ways(&around(true, false, true)), [Via::Tmux, Via::Wayland, Via::X11]);
        assert_eq!(ways(&around(false, false, true)), [Via::Osc52, Via::Wayland, Via::X11]);
        let pasted = to_paste(&around(false, false, true), Selection::Primary, desktop());
        assert_eq!(vias(pasted), [Via::Wayland, Via::X11]);
    }

    #[test]
    fn only_tmux_gives_text_back_and_it_has_no_second_selection() {
        let around = around(true, true, true);
        let pasted = |selection| vias(to_paste(&around, selection, Vec::new()));
        assert!(pasted(Selection::Clipboard).contains(&Via::Tmux));
        assert!(!pasted(Selection::Clipboard).contains(&Via::Screen));
        assert!(!pasted(Selection::Primary).contains(&Via::Tmux));
        let copied = to_copy(&around, Selection::Primary, Vec::new());
        assert_eq!(copied, [Way::closed(Via::Tmux, NO_PRIMARY)]);
    }

    #[test]
    fn a_closed_way_says_why() {
        let desktop = || vec![Way::closed(Via::X11, "DISPLAY is not set")];
        let nothing = Surroundings::default();
        let reasons = |ways: Vec<Way>| -> Vec<String> {
            let why = |way: Way| format!("{}: {}", way.via.name(), way.closed.unwrap_or_default());
            ways.into_iter().map(why).collect()
        };
        let pasted = reasons(to_paste(&nothing, Selection::Clipboard, desktop()));
        assert_eq!(pasted, ["x11: DISPLAY is not set", "tmux: TMUX is not set"]);
        let copied = reasons(to_copy(&nothing, Selection::Clipboard, desktop()));
        assert_eq!(copied, ["x11: DISPLAY is not set", "osc52: TERM is not set"]);
    }
}
