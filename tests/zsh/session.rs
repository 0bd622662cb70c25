//! An interactive zsh with a start-up file of the test's own, and a probe of its editor.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use portable_pty::CommandBuilder;
use tempfile::TempDir;

use super::root;
use crate::cli::{MX, path};
use crate::terminal::Terminal;

const PROMPT: &str = "ready>";

/// A plain prompt, the paths of the plugin and of `compinit`, and a widget at
/// `^T` that shows the state of the editor below the prompt.
const START: &str = r#"
    PS1='ready> ' PS2='more> '; unset RPS1
    compinit() { unfunction compinit; autoload -Uz compinit; compinit -u -d $ZDOTDIR/dump }
    integer probes=0
    probe() {
      emulate -L zsh
      local anchor=$(( REGION_ACTIVE ? MARK : -1 ))
      zle -M "probe $(( ++probes )) keymap=$KEYMAP cursor=$CURSOR mark=$anchor buffer=${(qqqq)BUFFER}."
    }
    zle -N probe
    for keymap in emacs viins vicmd; do bindkey -M $keymap '^T' probe; done
"#;

/// Stands in for the clipboard: no test may touch that of the user, and most
/// machines that run tests have none. The bytes are those of a file.
const STAND_IN: &str = r#"#!/bin/sh
case $1 in
  copy)
    if [ -e "$HOME/broken" ]; then cat "$HOME/broken" >&2; exit 3; fi
    cat >"$HOME/clipboard" ;;
  paste)
    if [ -e "$HOME/broken" ]; then printf part; cat "$HOME/broken" >&2; exit 3; fi
    if ! [ -s "$HOME/clipboard" ]; then echo 'mx: the clipboard is empty' >&2; exit 1; fi
    cat "$HOME/clipboard" ;;
  *) exec "$MX" "$@" ;;
esac
"#;

pub(crate) struct Session {
    pub(crate) terminal: Terminal,
    home: TempDir,
    probes: usize,
}

impl Session {
    /// A zsh that has run these lines.
    pub(crate) fn new(lines: &str) -> Self {
        Self::with_home(tempfile::tempdir().expect("a directory"), lines)
    }

    pub(crate) fn with_home(home: TempDir, lines: &str) -> Self {
        let plugin = root().join("mx.plugin.zsh");
        let text = format!("{START}plugin='{}'\n{lines}\n", plugin.display());
        fs::write(home.path().join(".zshrc"), text).expect("a start-up file");
        let mut command = CommandBuilder::new("zsh");
        // -d leaves out the start-up files of the system.
        command.args(["-d", "-i"]);
        command.env_clear();
        command.env("ZDOTDIR", home.path());
        command.env("HOME", home.path());
        command.env("MX", MX);
        command.env("PATH", format!("{}:{}", home.path().join("bin").display(), path()));
        command.env("TERM", "xterm");
        command.env("LANG", "C.UTF-8");
        let mut terminal = Terminal::new(command, 150);
        terminal.wait_for_text(PROMPT);
        Self { terminal, home, probes: 0 }
    }

    /// A home where `mx copy` and `mx paste` work with a file.
    pub(crate) fn home_with_clipboard() -> TempDir {
        let home = tempfile::tempdir().expect("a directory");
        let program = home.path().join("bin/mx");
        fs::create_dir(home.path().join("bin")).expect("a directory");
        fs::write(&program, STAND_IN).expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn clipboard(&self) -> String {
        let bytes = fs::read(self.path("clipboard")).unwrap_or_default();
        String::from_utf8(bytes).expect("UTF-8")
    }

    pub(crate) fn set_clipboard(&self, bytes: &[u8]) {
        fs::write(self.path("clipboard"), bytes).expect("a file");
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.terminal.type_text(keys);
    }

    /// Presses keys and waits for a text on the screen.
    #[track_caller]
    pub(crate) fn press_until(&mut self, keys: &str, text: &str) -> String {
        self.press(keys);
        self.terminal.wait_for_text(text)
    }

    /// What the editor holds when it has done all that was typed, as
    /// `keymap=main cursor=1 mark=-1 buffer=$'x'`.
    #[track_caller]
    pub(crate) fn probe(&mut self) -> String {
        self.probes += 1;
        let start = format!("probe {} ", self.probes);
        self.press("\x14");
        let screen = self.terminal.wait_for(&start, |text| {
            text.rsplit_once(&start).is_some_and(|(_, rest)| rest.trim_end().ends_with("'."))
        });
        let (_, rest) = screen.rsplit_once(&start).expect("the probe");
        rest.trim_end().trim_end_matches('.').to_owned()
    }

    /// The text that the editor holds, as `${(qqqq)BUFFER}` writes it.
    #[track_caller]
    pub(crate) fn buffer(&mut self) -> String {
        let probe = self.probe();
        probe.split_once("buffer=").expect("a buffer").1.to_owned()
    }
}
