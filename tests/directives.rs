//! What the shell functions do with directives, in real shells.
//!
//! A script stands in for the binary here: it writes the directives that a test
//! wants, hostile ones too, which the binary never writes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use portable_pty::CommandBuilder;
use tempfile::TempDir;

use crate::terminal::Terminal;

/// The stand-in says how it was called, and writes the file `directives`.
const STAND_IN: &str = r#"#!/bin/sh
if [ -n "${MX_RAISED-}" ]; then
  [ "${MX_RAISED%%:*}" = $PPID ] || echo "${MX_RAISED%%:*} is not the parent, $PPID"
  echo "second run: ${MX_RAISED#*:}; soft limit $(ulimit -Sn); channel ${MX_DIRECTIVES-none}"
  exit "${SECOND:-0}"
fi
if [ -n "${MX_DIRECTIVES-}" ]; then
  if [ -t 1 ]; then to=terminal; else to=pipe; fi
  echo "first run: $MX_DIRECTIVES, to a $to: $*"
  cat "$DIRECTIVES" >&3
  exit "${FIRST:-0}"
fi
echo "plain run: $*"
exit "${PLAIN:-0}"
"#;

const LOWER: &str = "ulimit\tn\t100\tnofile\nraised\tnofile=200\n";

/// What the second run then says.
const LOWERED: &str = "second run: nofile=200; soft limit 100; channel none\n";

const SHELLS: [(&str, &[&str], &str); 3] = [
    ("zsh", &["-f"], "source \"$ROOT/mx.plugin.zsh\""),
    ("bash", &["--norc", "--noprofile"], "source \"$ROOT/shell/mx.bash\""),
    ("fish", &["--no-config"], "source $ROOT/shell/mx.fish"),
];

struct Shell {
    name: &'static str,
    arguments: &'static [&'static str],
    load: &'static str,
    /// The stand-in and its directives.
    directory: TempDir,
}

/// Each shell, with directives that the stand-in will write.
fn shells(directives: &[u8]) -> [Shell; 3] {
    SHELLS.map(|(name, arguments, load)| {
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join("mx");
        fs::write(&program, STAND_IN).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
        fs::write(directory.path().join("directives"), directives).expect("a file");
        Shell { name, arguments, load, directory }
    })
}

impl Shell {
    fn environment(&self) -> Vec<(&'static str, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let directory = self.directory.path().display();
        vec![
            ("PATH", format!("{directory}:{}", std::env::var("PATH").unwrap_or_default())),
            ("ROOT", root.canonicalize().expect("the source tree").display().to_string()),
            ("DIRECTIVES", format!("{directory}/directives")),
            ("HOME", directory.to_string()),
            ("TERM", "xterm".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
        ]
    }

    /// Loads the function behind these lines, and runs those with a soft limit of 200.
    fn output(&self, before: &str, text: &str) -> Output {
        Command::new(self.name)
            .args(self.arguments)
            .args(["-c", &format!("{before}\n{}\nulimit -Sn 200\n{text}", self.load)])
            .env_clear()
            .envs(self.environment())
            .output()
            .expect("the shell runs")
    }

    /// What these lines print, where nothing may be wrong.
    #[track_caller]
    fn stdout(&self, text: &str) -> String {
        let output = self.output("", text);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}: {text}", self.name);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn first(&self, subshell: bool, words: &str) -> String {
        let flag = if subshell && self.name != "fish" { ":sub" } else { "" };
        format!("first run: {}{flag}, to a pipe: {words}\n", self.name)
    }
}

#[test]
fn a_limit_reaches_the_shell() {
    for shell in shells(LOWER.as_bytes()) {
        for (text, status) in [
            ("mx limits raise x; echo $STATUS; ulimit -Sn", "0\n"),
            ("true && mx limits raise x; ulimit -Sn", ""),
        ] {
            let variable = if shell.name == "fish" { "$status" } else { "$?" };
            let printed = shell.stdout(&text.replace("$STATUS", variable));
            let first = shell.first(false, "limits raise x");
            assert_eq!(printed, format!("{first}{LOWERED}{status}100\n"));
        }
    }
}

#[test]
fn every_spelling_of_the_call_opens_the_channel() {
    for shell in shells(b"") {
        for words in [
            "l raise",
            "--json limits raise nofile=5",
            "--color always limits raise",
            "--color=never -q l --plain raise",
            "limits --pid 5 raise",
        ] {
            assert_eq!(shell.stdout(&format!("mx {words}")), shell.first(false, words));
        }
    }
}

#[test]
fn no_other_call_opens_the_channel() {
    for shell in shells(LOWER.as_bytes()) {
        for words in [
            "",
            "limits",
            "limits explain x",
            "limits -- raise",
            "limits run x -- limits raise",
            "ports limits raise",
            "help limits raise",
            "raise limits",
        ] {
            let printed = shell.stdout(&format!("mx {words}\nulimit -Sn"));
            assert_eq!(printed, format!("plain run: {words}\n200\n"), "{}", shell.name);
        }
    }
}

#[test]
fn a_subshell_is_named_as_one() {
    for shell in shells(LOWER.as_bytes()) {
        let first = shell.first(true, "limits raise");
        let all = format!("{first}{LOWERED}");
        // Without subshells, fish changes the limit of the shell in each case.
        let after = if shell.name == "fish" { "100\n" } else { "200\n" };
        assert_eq!(shell.stdout("mx limits raise | cat; ulimit -Sn"), format!("{all}{after}"));
        let captured = if shell.name == "fish" {
            "string join \\n (mx limits raise); ulimit -Sn"
        } else {
            assert_eq!(shell.stdout("(mx limits raise); ulimit -Sn"), format!("{all}{after}"));
            "echo \"$(mx limits raise)\"; ulimit -Sn"
        };
        assert_eq!(shell.stdout(captured), format!("{all}{after}"));
    }
}

#[test]
fn exit_codes_survive() {
    for shell in shells(b"") {
        let code = |environment: &str, words: &str| {
            let assignments = environment.replace(' ', "\nexport ");
            shell.output("", &format!("export {assignments}\nmx {words}")).status.code()
        };
        assert_eq!(code("PLAIN=7", "ports"), Some(7));
        assert_eq!(code("FIRST=2", "limits raise"), Some(2));
        fs::write(shell.directory.path().join("directives"), LOWER).expect("a file");
        assert_eq!(code("SECOND=3", "limits raise"), Some(3));
        // What a run that failed wrote is not applied.
        assert_eq!(code("FIRST=3 SECOND=5", "limits raise"), Some(3));
    }
}

#[test]
fn a_builtin_that_fails_leaves_the_verdict_to_the_second_run() {
    let impossible = "ulimit\tn\t9000000000000000000\tnofile\nraised\tnofile=200\n";
    for shell in shells(impossible.as_bytes()) {
        // Root may raise a hard limit, but not above what the kernel allows.
        let output = shell.output("", "export SECOND=3\nulimit -SHn 200\nmx limits raise");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(printed.contains("second run: nofile=200; soft limit 200;"), "{printed}");
        // fish takes the hard limit instead, and says nothing.
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(shell.name == "fish" || error.contains("ulimit"), "{}: {error}", shell.name);
        assert_eq!(output.status.code(), Some(3));
    }
}

#[test]
fn hostile_directives_are_refused() {
    let long = [b"ulimit\tn\t100\tnofile\n".as_slice(), &vec![b'x'; 1 << 20]].concat();
    let bad: [&[u8]; 19] = [
        b"eval\ttouch $HOME/harm\n",
        b"ulimit\tn\t$(touch $HOME/harm)\tnofile\nraised\tnofile=1\n",
        b"ulimit\tn\t`touch $HOME/harm`\tnofile\nraised\tnofile=1\n",
        b"ulimit\tn\t100;touch $HOME/harm\tnofile\nraised\tnofile=1\n",
        b"ulimit\tn\t100\tnofile $(touch $HOME/harm)\nraised\tnofile=1\n",
        b"ulimit\tn\t100\tnofile\nraised\tnofile=$(touch $HOME/harm)\n",
        b"ulimit\tnn\t100\tnofile\nraised\tnofile=1\n",
        b"ulimit\tH\t100\tnofile\nraised\tnofile=1\n",
        b"ulimit\t-n\t100\tnofile\nraised\tnofile=1\n",
        b"ulimit\tn\t100\nraised\tnofile=1\n",
        b"ulimit\tn\t\tnofile\nraised\tnofile=1\n",
        b"ulimit\tn\t-1\tnofile\nraised\tnofile=1\n",
        b"ulimit\tn\t18446744073709551616\tnofile\nraised\tnofile=1\n",
        b"ulimit\tn\t100\tnofile\r\nraised\tnofile=1\r\n",
        b"ulimit\tn\t100\tnofile\n\nraised\tnofile=1\n",
        b"ulimit\tn\t100\tnofile\n",
        b"raised\tnofile=1\nulimit\tn\t100\tnofile\n",
        b"\x1b[2J\x80\n",
        &long,
    ];
    for directives in bad {
        for shell in shells(directives) {
            let output = shell.output("", "mx limits raise || ulimit -Sn; exit 3");
            let what = String::from_utf8_lossy(&directives[..directives.len().min(60)]);
            let name = shell.name;
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(printed, shell.first(false, "limits raise") + "200\n", "{name}: {what}");
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                error.starts_with("mx: cannot set limits: this is no directive: "),
                "{name}: {what}: {error}"
            );
            assert!(!error.contains(['\x1b', '\r']) && error.len() < 400, "{name}: {what}");
            assert!(!shell.directory.path().join("harm").exists(), "{name}: {what}");
        }
    }
}

#[test]
fn a_last_line_needs_no_newline() {
    for shell in shells(LOWER.trim_end().as_bytes()) {
        let printed = shell.stdout("mx limits raise; ulimit -Sn");
        assert_eq!(printed, format!("{}{}100\n", shell.first(false, "limits raise"), LOWERED));
    }
}

#[test]
fn the_terminal_stays_the_terminal() {
    for shell in shells(LOWER.as_bytes()) {
        let mut command = CommandBuilder::new(shell.name);
        command.args(shell.arguments);
        command.args(["-c", &format!("{}\nmx limits raise; read", shell.load)]);
        command.env_clear();
        for (name, value) in shell.environment() {
            command.env(name, value);
        }
        let mut terminal = Terminal::new(command, 100);
        let screen = terminal.wait_for_text("second run: ");
        assert!(screen.contains(&format!("first run: {}, to a terminal", shell.name)), "{screen}");
    }
}

#[test]
fn options_functions_and_aliases_of_the_user_change_nothing() {
    const ZSH: [&str; 6] = [
        "setopt ksh_arrays sh_word_split no_unset err_exit glob_subst pipe_fail",
        "emulate sh",
        "emulate ksh; set -eu",
        "setopt sh_glob ignore_braces warn_create_global no_glob rc_quotes csh_null_glob",
        "alias ulimit=false print=false command=false local=false mx=false MX_RAISED=x builtin=false",
        "function print { false }; function command { false }; function ulimit { false }; \
         function local { false }",
    ];
    const BASH: [&str; 4] = [
        "set -euo pipefail; shopt -s nullglob failglob",
        "set -o posix; IFS=nu; set -f",
        "shopt -s expand_aliases\n\
         alias ulimit=false printf=false command=false local=false mx=false builtin=false shopt=false",
        "printf() { false; }; command() { false; }; ulimit() { false; }; type() { false; }; \
         read() { false; }",
    ];
    const FISH: [&str; 2] = [
        "function ulimit; false; end; function printf; false; end",
        "set -g lines x; set -g line x; set -g raised x; set -g settings -n 5; set -g code 9",
    ];
    for shell in shells(LOWER.as_bytes()) {
        let hostile = match shell.name {
            "zsh" => ZSH.as_slice(),
            "bash" => BASH.as_slice(),
            _ => FISH.as_slice(),
        };
        for before in hostile {
            // What the user defined holds at the call, too.
            let quoted = if shell.name == "fish" { "" } else { "\\" };
            let ask = format!("{quoted}builtin ulimit -Sn");
            let text = format!("{ask} 200\n{quoted}mx limits raise\n{ask}");
            let output = shell.output(before, &text);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            let expected = format!("{}{}100\n", shell.first(false, "limits raise"), LOWERED);
            assert_eq!((printed, error), (expected, String::new()), "{}: {before}", shell.name);
        }
    }
}
