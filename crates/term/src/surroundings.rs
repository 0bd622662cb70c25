//! What stands between a program and the screen that a person looks at.

use std::env;
use std::ffi::OsString;

use crate::tmux;

/// What the environment tells of the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// It is a pane of tmux.
    pub tmux: bool,
    /// It is a window of screen.
    pub screen: bool,
    /// The person sits at another machine.
    pub ssh: bool,
    /// What the terminal calls itself; empty if there is none.
    pub kind: String,
    /// The terminal is one that lets no program set the clipboard.
    pub refuses_clipboard: bool,
}

impl Surroundings {
    /// As this process finds them. Whether the person sits elsewhere tmux knows
    /// better than the environment of a pane, which is as old as the pane.
    pub fn find() -> Self {
        let mut found = Self::read(|name| env::var_os(name));
        if found.tmux
            && let Ok(session) = tmux::environment()
            && let Some(ssh) = session.is_over_ssh()
        {
            found.ssh = ssh;
        }
        found
    }

    fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let text =
            |name: &str| variable(name).unwrap_or_default().to_string_lossy().trim().to_owned();
        let has = |name: &str| !text(name).is_empty();
        let kind = text("TERM");
        let kind = if kind == "dumb" { String::new() } else { kind };
        let (tmux, screen) = (has("TMUX"), has("STY"));
        let ssh = has("SSH_CONNECTION") || has("SSH_TTY") || has("SSH_CLIENT");
        // Variables of the terminal itself, which say nothing through a multiplexer.
        let known = has("VTE_VERSION") || text("TERM_PROGRAM") == "Apple_Terminal";
        let refuses_clipboard = kind == "linux" || (known && !tmux && !screen);
        Self { tmux, screen, ssh, kind, refuses_clipboard }
    }

    /// Whether there is a terminal that might put text on a clipboard.
    pub fn may_set_clipboard(&self) -> bool {
        !self.kind.is_empty() && !self.refuses_clipboard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Surroundings {
        Surroundings::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn what_the_environment_tells() {
        assert_eq!(of(&[]), Surroundings::default());
        let inside = of(&[("TMUX", "/tmp/tmux-0/default,1,0"), ("TERM", "tmux-256color")]);
        assert!(inside.tmux && !inside.screen && !inside.ssh && inside.may_set_clipboard());
        let screen = of(&[("STY", "1.pts-0"), ("TERM", "screen"), ("SSH_TTY", "/dev/pts/0")]);
        assert!(!screen.tmux && screen.screen && screen.ssh);
        assert!(!of(&[("TMUX", ""), ("SSH_CONNECTION", "")]).tmux, "set to nothing is unset");
    }

    #[test]
    fn terminals_that_set_no_clipboard() {
        for variables in [
            &[("TERM", "linux")][..],
            &[("TERM", "dumb")],
            &[],
            &[("TERM", "xterm-256color"), ("VTE_VERSION", "7006")],
            &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "Apple_Terminal")],
        ] {
            assert!(!of(variables).may_set_clipboard(), "{variables:?}");
        }
        assert!(of(&[("TERM", "xterm-kitty")]).may_set_clipboard());
        let stale = [("TERM", "screen"), ("TMUX", "x"), ("VTE_VERSION", "7006")];
        assert!(of(&stale).may_set_clipboard(), "of the terminal that tmux was started in");
    }
}
