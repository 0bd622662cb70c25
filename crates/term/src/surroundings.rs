//! What stands between a program and the screen that a person looks at.

use std::env;
use std::ffi::OsString;
use std::time::Duration;

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
    /// Why the terminal is known to let no program set the clipboard.
    pub known_to_refuse: Option<&'static str>,
}

impl Surroundings {
    /// As the environment of this process has them.
    pub fn find() -> Self {
        Self::read(|name| env::var_os(name))
    }

    /// Whether the person sits elsewhere tmux knows better than the environment
    /// of a pane, which is as old as the pane: asks it. If it does not answer in
    /// time, the environment is what is left.
    pub fn ask_tmux(&mut self, limit: Duration) {
        if let Ok(session) = tmux::environment(limit)
            && let Some(ssh) = session.is_over_ssh()
        {
            self.ssh = ssh;
        }
    }

    fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let text =
            |name: &str| variable(name).unwrap_or_default().to_string_lossy().trim().to_owned();
        let has = |name: &str| !text(name).is_empty();
        let kind = text("TERM");
        let (tmux, screen) = (has("TMUX"), has("STY"));
        let ssh = has("SSH_CONNECTION") || has("SSH_TTY") || has("SSH_CLIENT");
        // Variables of the terminal itself, which say nothing through a multiplexer.
        let direct = !tmux && !screen;
        let known_to_refuse = if kind == "linux" {
            Some("the Linux console (TERM=linux) has no clipboard")
        } else if direct && has("VTE_VERSION") {
            Some("terminals with VTE_VERSION, as GNOME's, let no program set the clipboard")
        } else if direct && text("TERM_PROGRAM") == "Apple_Terminal" {
            Some("Terminal.app lets no program set the clipboard")
        } else {
            None
        };
        Self { tmux, screen, ssh, kind, known_to_refuse }
    }

    /// Why there is no terminal that might put text on a clipboard.
    pub fn refusal(&self) -> Option<&'static str> {
        match self.kind.as_str() {
            "" => Some("TERM is not set"),
            "dumb" => Some("a terminal with TERM=dumb takes no escape sequences"),
            _ => self.known_to_refuse,
        }
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
        assert!(inside.tmux && !inside.screen && !inside.ssh && inside.refusal().is_none());
        let screen = of(&[("STY", "1.pts-0"), ("TERM", "screen"), ("SSH_TTY", "/dev/pts/0")]);
        assert!(!screen.tmux && screen.screen && screen.ssh);
        assert!(!of(&[("TMUX", ""), ("SSH_CONNECTION", "")]).tmux, "set to nothing is unset");
    }

    #[test]
    fn terminals_that_set_no_clipboard_say_why() {
        for (variables, reason) in [
            (&[("TERM", "linux")][..], "Linux console"),
            (&[("TERM", "dumb")], "TERM=dumb"),
            (&[], "TERM is not set"),
            (&[("TERM", "dumb"), ("VTE_VERSION", "7006")], "TERM=dumb"),
            (&[("TERM", "xterm-256color"), ("VTE_VERSION", "7006")], "VTE_VERSION"),
            (&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "Apple_Terminal")], "Terminal.app"),
        ] {
            let refusal = of(variables).refusal();
            assert!(refusal.is_some_and(|why| why.contains(reason)), "{variables:?}: {refusal:?}");
        }
        assert_eq!(of(&[("TERM", "xterm-kitty")]).refusal(), None);
        let stale = [("TERM", "screen"), ("TMUX", "x"), ("VTE_VERSION", "7006")];
        assert_eq!(of(&stale).refusal(), None, "of the terminal that tmux was started in");
    }
}
