//! Which ways to a clipboard there are, and in what order they are tried.
//!
//! The person's own clipboard comes first. Where the person sits elsewhere, that
//! is the one of the terminal; else it is the desktop's, which can tell whether
//! it has taken the text.

use term::Surroundings;

use crate::{Selection, Via};

/// The ways to put text on the clipboard.
pub(crate) fn to_copy(around: &Surroundings, selection: Selection, desktop: &[Via]) -> Vec<Via> {
    let terminal = if around.tmux {
        Some(Via::Tmux)
    } else if around.screen {
        Some(Via::Screen)
    } else {
        around.may_set_clipboard().then_some(Via::Osc52)
    };
    in_order(around, selection, desktop, terminal)
}

/// The ways to read the clipboard.
pub(crate) fn to_paste(around: &Surroundings, selection: Selection, desktop: &[Via]) -> Vec<Via> {
    in_order(around, selection, desktop, around.tmux.then_some(Via::Tmux))
}

fn in_order(
    around: &Surroundings,
    selection: Selection,
    desktop: &[Via],
    terminal: Option<Via>,
) -> Vec<Via> {
    // tmux has one kind of buffer.
    let terminal = terminal.filter(|via| *via != Via::Tmux || selection == Selection::Clipboard);
    let desktop = desktop.iter().copied();
    if around.ssh {
        terminal.into_iter().chain(desktop).collect()
    } else {
        desktop.into_iter().chain(terminal).collect()
    }
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
        let ways = |around: &Surroundings| to_copy(around, Selection::Clipboard, &[]);
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
        let desktop = [Via::Wayland, Via::X11];
        let ways = |around: &Surroundings| to_copy(around, Selection::Clipboard, &desktop);
        assert_eq!(ways(&around(true, false, false)), [Via::Wayland, Via::X11, Via::Tmux]);
        assert_eq!(ways(&around(true, false, true)), [Via::Tmux, Via::Wayland, Via::X11]);
        assert_eq!(ways(&around(false, false, true)), [Via::Osc52, Via::Wayland, Via::X11]);
        let pasted = to_paste(&around(false, false, true), Selection::Primary, &desktop);
        assert_eq!(pasted, desktop);
    }

    #[test]
    fn only_tmux_gives_text_back_and_it_has_no_second_selection() {
        let around = around(true, true, true);
        assert!(to_paste(&around, Selection::Clipboard, &[]).contains(&Via::Tmux));
        assert!(!to_paste(&around, Selection::Clipboard, &[]).contains(&Via::Screen));
        assert!(!to_paste(&around, Selection::Primary, &[]).contains(&Via::Tmux));
        assert!(!to_copy(&around, Selection::Primary, &[]).contains(&Via::Tmux));
    }
}
