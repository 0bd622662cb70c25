//! Which ways to a clipboard there are, and in what order they are tried.
//!
//! The person's own clipboard comes first. Where the person sits elsewhere, that
//! is the one of the terminal; else it is the desktop's, which can tell whether
//! it has taken the text.

use term::Surroundings;

use crate::{Selection, Via};

/// The ways to put text on the clipboard.
pub(crate) fn to_copy(around: &Surroundings, selection: Selection) -> Vec<Via> {
    let terminal = if around.tmux {
        Some(Via::Tmux)
    } else if around.screen {
        Some(Via::Screen)
    } else {
        around.may_set_clipboard().then_some(Via::Osc52)
    };
    in_order(around, selection, terminal)
}

/// The ways to read the clipboard.
pub(crate) fn to_paste(around: &Surroundings, selection: Selection) -> Vec<Via> {
    in_order(around, selection, around.tmux.then_some(Via::Tmux))
}

fn in_order(around: &Surroundings, selection: Selection, terminal: Option<Via>) -> Vec<Via> {
    // tmux has one kind of buffer.
    let terminal = terminal.filter(|via| *via != Via::Tmux || selection == Selection::Clipboard);
    let desktop = desktop();
    if around.ssh {
        terminal.into_iter().chain(desktop).collect()
    } else {
        desktop.into_iter().chain(terminal).collect()
    }
}

/// The clipboards of desktops.
fn desktop() -> Vec<Via> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(tmux: bool, screen: bool, ssh: bool) -> Surroundings {
        let kind = "xterm".to_owned();
        Surroundings { tmux, screen, ssh, kind, refuses_clipboard: false }
    }

    #[test]
    fn the_multiplexer_comes_before_the_terminal_behind_it() {
        let ways = |around: &Surroundings| to_copy(around, Selection::Clipboard);
        for ssh in [true, false] {
            assert!(ways(&around(true, false, ssh)).contains(&Via::Tmux));
            assert!(ways(&around(true, true, ssh)).contains(&Via::Tmux));
            assert!(ways(&around(false, true, ssh)).contains(&Via::Screen));
            assert!(ways(&around(false, false, ssh)).contains(&Via::Osc52));
        }
        assert!(!ways(&Surroundings::default()).contains(&Via::Osc52), "no terminal");
    }

    #[test]
    fn only_tmux_gives_text_back_and_it_has_no_second_selection() {
        let around = around(true, true, true);
        assert!(to_paste(&around, Selection::Clipboard).contains(&Via::Tmux));
        assert!(!to_paste(&around, Selection::Clipboard).contains(&Via::Screen));
        assert!(!to_paste(&around, Selection::Primary).contains(&Via::Tmux));
        assert!(!to_copy(&around, Selection::Primary).contains(&Via::Tmux));
    }
}
