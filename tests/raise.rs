//! `mx limits raise` in real shells, with the real binary: what becomes of the
//! shell's own limits, and what is said about it.

use std::path::Path;
use std::process::{Command, Output};

use crate::cli::path;

struct Shell {
    name: &'static str,
    arguments: &'static [&'static str],
    load: &'static str,
    /// Whether pipes and substitutions run in another process.
    subshells: bool,
    status: &'static str,
}

const SHELLS: [Shell; 3] = [
    Shell {
        name: "zsh",
        arguments: &["-f"],
        load: "source $ROOT/mx.plugin.zsh",
        subshells: true,
        status: "$?",
    },
    Shell {
        name: "bash",
        arguments: &["--norc", "--noprofile"],
        load: "source $ROOT/shell/mx.bash",
        subshells: true,
        status: "$?",
    },
    Shell {
        name: "fish",
        arguments: &["--no-config"],
        load: "source $ROOT/shell/mx.fish",
        subshells: false,
        status: "$status",
    },
];

const SUBSHELL: &str = "mx: this is a subshell: the shell that you see keeps its limits\n";

impl Shell {
    /// Runs a text under a hard limit of 400 files and a soft one of 200, and a stack of 4 MB of 8.
    fn run(&self, text: &str) -> Output {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let home = tempfile::tempdir().expect("a directory");
        Command::new(crate::cli::MX)
            .args(["limits", "run", "nofile=200:400", "stack=4M:8M", "core=0:1M", "--", self.name])
            .args(self.arguments)
            .args(["-c", &format!("{}\n{}", self.load, text.replace("$STATUS", self.status))])
            .env_clear()
            .env("PATH", path())
            .env("ROOT", root.canonicalize().expect("the source tree"))
            .env("HOME", home.path())
            .output()
            .expect("the shell runs")
    }

    /// What a text prints, and what it says on standard error.
    fn said(&self, text: &str) -> (String, String) {
        let output = self.run(text);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn the_limit_of_the_shell_rises_and_what_it_was_is_said() {
    for shell in SHELLS {
        for (call, printed) in [
            ("mx limits raise", "nofile\t200\t400\n0\n400\n"),
            ("mx limits raise nofile", "nofile\t200\t400\n0\n400\n"),
            ("mx limits raise nofile=300", "nofile\t200\t300\n0\n300\n"),
            ("mx limits raise -n 300", "nofile\t200\t300\n0\n300\n"),
            ("mx l raise nofile=max", "nofile\t200\t400\n0\n400\n"),
            ("mx --plain limits raise nofile=300", "nofile\t200\t300\n0\n300\n"),
            ("true && mx limits raise nofile=300", "nofile\t200\t300\n0\n300\n"),
            ("mx limits raise -q nofile=300", "0\n300\n"),
            ("mx limits raise nofile=300 --table", "NAME    OLD  NEW\nnofile  200  300\n0\n300\n"),
            (
                "mx limits raise --json nofile=300",
                "{\"schema\":\"mx.limits-raise/1\",\"limits\":[{\"name\":\"nofile\",\"unit\":\"count\",\
                 \"old\":200,\"new\":300}]}\n0\n300\n",
            ),
        ] {
            let said = shell.said(&format!("{call}; echo $STATUS; ulimit -Sn"));
            assert_eq!(said, (printed.to_owned(), String::new()), "{}: {call}", shell.name);
        }
    }
}

#[test]
fn what_the_function_tells_mx_reaches_no_command() {
    for shell in SHELLS {
        // The variable of the user, and none of the function's.
        let set = if shell.name == "fish" { "set -x MX_MINE 1" } else { "export MX_MINE=1" };
        let call = "mx limits run nofile=300 -- env";
        let (printed, error) = shell.said(&format!("{set}\n{call}"));
        assert_eq!(error, "", "{}", shell.name);
        let ours: Vec<&str> = printed.lines().filter(|line| line.starts_with("MX_")).collect();
        assert_eq!(ours, ["MX_MINE=1"], "{}", shell.name);
        assert!(printed.contains("\nHOME=") || printed.starts_with("HOME="), "{printed}");
        // The function does tell it: a program that only passes it on shows that.
        let (told, _) = shell.said(
            "mkdir $HOME/bin; printf '#!/bin/sh\\nenv\\n' >$HOME/bin/mx; chmod +x $HOME/bin/mx\n\
             PATH=$HOME/bin:$PATH mx limits run nofile=300 -- env",
        );
        assert!(told.contains("MX_INTEGRATION=source\n"), "{}: {told}", shell.name);
    }
}

#[test]
fn several_limits_in_the_units_of_the_shell() {
    for shell in SHELLS {
        let (printed, error) = shell.said(
            "mx limits raise nofile=300 stack=6M core=64k; echo $STATUS; ulimit -Sn; ulimit -Ss; \
             mx limits --json nofile stack core",
        );
        assert_eq!(error, "", "{}", shell.name);
        let expected = "nofile\t200\t300\nstack\t4M\t6M\ncore\t0\t64k\n0\n300\n6144\n";
        assert!(printed.starts_with(expected), "{}: {printed}", shell.name);
        let json = printed.lines().last().expect("JSON");
        let document: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let soft: Vec<u64> = document["limits"]
            .as_array()
            .expect("limits")
            .iter()
            .filter_map(|limit| limit["soft"].as_u64())
            .collect();
        assert_eq!(soft, [300, 6 << 20, 64 << 10], "{}", shell.name);
    }
}

#[test]
fn nothing_is_ever_lowered() {
    let note = "mx: high enough already: nothing was changed\n".to_owned();
    for shell in SHELLS {
        for call in ["mx limits raise nofile=100", "mx limits raise nofile=200"] {
            let said = shell.said(&format!("{call}; echo $STATUS; ulimit -Sn"));
            let printed = "nofile\t200\t200\n0\n200\n".to_owned();
            assert_eq!(said, (printed, note.clone()), "{}: {call}", shell.name);
        }
        let said = shell.said("mx limits raise nofile=100 stack=5M; ulimit -Sn; ulimit -Ss");
        let printed = "nofile\t200\t200\nstack\t4M\t5M\n200\n5120\n".to_owned();
        assert_eq!(said, (printed, String::new()), "{}", shell.name);
    }
}

#[test]
fn unlimited_is_a_value_where_the_hard_limit_is() {
    for shell in SHELLS {
        // The hard limit of the processor time is seldom anything else.
        let text = "ulimit -St 1000; mx limits raise cpu=unlimited; echo $STATUS; ulimit -St";
        let (printed, error) = shell.said(text);
        assert_eq!(error, "", "{}", shell.name);
        assert_eq!(printed, "cpu\t1000s\tunlimited\n0\nunlimited\n", "{}", shell.name);
        let (printed, error) =
            shell.said("mx limits raise nofile=unlimited; echo $STATUS; ulimit -Sn");
        assert_eq!(printed, "3\n200\n", "{}", shell.name);
        let message =
            "mx: cannot raise the limits of this shell: the hard limit of nofile is 400\n";
        assert!(error.starts_with(message), "{}: {error}", shell.name);
    }
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    for shell in SHELLS {
        for (words, status, message) in [
            ("nofile=401", "3", "the hard limit of nofile is 400"),
            ("stack=5M nofile=401", "3", "the hard limit of nofile is 400"),
            ("nofil", "2", "there is no limit and no profile of this name"),
            ("nofil=300", "2", "there is no limit of this name"),
            ("nofile=-1", "2", "it is negative"),
            ("nofile=99999999999999999999", "2", "it is too large"),
            ("nofile=300:400", "2", "cannot raise the hard limit"),
            ("nofile=300 nofile=x", "2", "it is not a number"),
        ] {
            let text = format!("mx limits raise {words}; echo $STATUS; ulimit -Sn; ulimit -Ss");
            let (printed, error) = shell.said(&text);
            assert_eq!(printed, format!("{status}\n200\n4096\n"), "{}: {words}", shell.name);
            assert!(error.contains(message), "{}: {words}: {error}", shell.name);
        }
    }
}

#[test]
fn with_a_closed_output_nothing_is_raised() {
    let error = "mx: cannot raise the limits of this shell: standard output is closed\n";
    for shell in SHELLS {
        for call in [
            "mx limits raise >&-",
            "mx limits raise nofile=300 core=64k >&-",
            "mx l raise --json >&-",
        ] {
            let said = shell.said(&format!("{call}; echo $STATUS; ulimit -Sn; ulimit -Sc"));
            let right = ("3\n200\n0\n".to_owned(), error.to_owned());
            assert_eq!(said, right, "{}: {call}", shell.name);
        }
        // Other calls meet it as the program does; a closed input or error changes nothing.
        let said = shell.said("mx limits raise -q nofile=300 <&-; echo $STATUS; ulimit -Sn");
        assert_eq!(said, ("0\n300\n".to_owned(), String::new()), "{}", shell.name);
        let said = shell.said("mx limits raise nofile=300 2>&-; echo $STATUS; ulimit -Sn");
        let right = ("nofile\t200\t300\n0\n300\n".to_owned(), String::new());
        assert_eq!(said, right, "{}", shell.name);
    }
}

#[test]
fn in_a_pipe_a_subshell_and_a_substitution() {
    for shell in SHELLS {
        let (pipe, substitution) = match shell.name {
            "fish" => ("mx limits raise | cat", "set x (mx limits raise); echo $x"),
            _ => ("mx limits raise | cat", "x=$(mx limits raise); echo \"$x\""),
        };
        for call in [pipe, substitution] {
            let (printed, error) = shell.said(&format!("{call}; ulimit -Sn"));
            // What is printed is true in either case: of the subshell, or of the shell.
            let (now, note) = if shell.subshells { (200, SUBSHELL) } else { (400, "") };
            assert_eq!(printed, format!("nofile\t200\t400\n{now}\n"), "{}: {call}", shell.name);
            assert_eq!(error, note, "{}: {call}", shell.name);
        }
        if shell.subshells {
            let said = shell.said("(mx limits raise; ulimit -Sn); ulimit -Sn");
            let printed = "nofile\t200\t400\n400\n200\n".to_owned();
            assert_eq!(said, (printed, SUBSHELL.to_owned()), "{}", shell.name);
        }
    }
}

#[test]
fn a_profile_and_a_profile_that_is_out_of_reach() {
    for shell in SHELLS {
        let own = "mkdir -p $HOME/.config/mx; \
                   printf '[small]\\nnofile = 300\\n\"fs.file-max\" = 1\\n[large]\\nnofile = 500\\n' \
                   > $HOME/.config/mx/limits.toml";
        let said = shell.said(&format!("{own}; mx limits raise small; ulimit -Sn"));
        assert_eq!(said, ("nofile\t200\t300\n300\n".to_owned(), String::new()), "{}", shell.name);
        let (printed, error) =
            shell.said(&format!("{own}; mx limits raise large; echo $STATUS; ulimit -Sn"));
        assert_eq!(printed, "3\n200\n", "{}", shell.name);
        assert!(error.contains("the hard limit of nofile is 400"), "{}: {error}", shell.name);
    }
}

#[test]
fn without_the_function_the_line_to_type_is_said() {
    for (shell, posix, line) in [
        ("/bin/zsh", "", "ulimit -Sn 300; ulimit -Sc 128; or, "),
        ("/usr/bin/bash", "", "ulimit -Sn 300; ulimit -Sc 64; or, "),
        ("/usr/bin/bash", "POSIXLY_CORRECT", "ulimit -Sn 300; ulimit -Sc 128; or, "),
        ("/usr/bin/fish", "POSIXLY_CORRECT", "ulimit -Sn 300; ulimit -Sc 64; or, "),
        // It has no integration, and counts blocks.
        ("/bin/dash", "", "ulimit -Sn 300; ulimit -Sc 128\n"),
        ("/bin/sh", "", "ulimit -Sn 300; ulimit -Sc 128\n"),
    ] {
        let raise = "exec mx limits raise nofile=300 core=64k";
        let output = Command::new(crate::cli::MX)
            .args(["limits", "run", "nofile=200:400", "core=0:1M", "--", "sh", "-c", raise])
            .env("PATH", path())
            .env("SHELL", shell)
            .env_remove("MX_DIRECTIVES")
            .env(if posix.is_empty() { "NOTHING" } else { posix }, "y")
            .output()
            .expect("mx runs");
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let first = "mx: cannot raise the limits of this shell: its function mx is not loaded\n";
        assert!(error.starts_with(first), "{error}");
        assert!(error.contains(&format!("hint: type: {line}")), "{shell}: {error}");
    }
}

#[test]
fn a_shell_that_did_not_do_it_is_found_out() {
    // The function's part is played here: the second run, with limits that did not change.
    let output = raise_again(&format!("MX_RAISED={}:nofile=200", std::process::id()), "");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "nofile\t200\t200\n");
    let error = "mx: cannot raise the limits of this shell: its ulimit left nofile at 200\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), error);
}

#[test]
fn limits_that_the_environment_claims_were_raised_are_not_believed() {
    let own = std::process::id();
    for (raised, offered) in [
        // Left over from another shell, from an older version, and from the same shell.
        (format!("MX_RAISED={}:nofile=1", own + 1), ""),
        ("MX_RAISED=nofile=1".to_owned(), ""),
        ("MX_RAISED=:nofile=1".to_owned(), ""),
        (format!("MX_RAISED={own}:nofile=1"), "bash"),
    ] {
        let output = raise_again(&raised, offered);
        assert_eq!(output.status.code(), Some(3), "{raised}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{raised}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("its function mx is not loaded"), "{raised}: {error}");
    }
    // The function itself meets such a variable, too.
    for (shell, load) in [
        ("zsh", "source \"$ROOT/mx.plugin.zsh\""),
        ("bash", "source \"$ROOT/shell/mx.bash\""),
        ("fish", "source $ROOT/shell/mx.fish"),
    ] {
        let arguments = if shell == "zsh" { "-fc" } else { "-c" };
        let text = format!("{load}\nulimit -Sn 200\nmx limits raise nofile=300\nulimit -Sn");
        let output = Command::new(shell)
            .args([arguments, &text])
            .env("PATH", path())
            .env("ROOT", crate::zsh::root())
            .env("MX_RAISED", "nofile=1")
            .output()
            .expect("the shell runs");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(printed, "nofile\t200\t300\n300\n", "{shell}: {output:?}");
    }
}

/// `limits raise` as if a function called it again, with this in the environment.
fn raise_again(raised: &str, offered: &str) -> Output {
    let offered = format!("MX_DIRECTIVES={offered}");
    let offered: &[&str] = if offered.ends_with('=') { &[] } else { &[&offered] };
    Command::new(crate::cli::MX)
        .args(["limits", "run", "nofile=200:400", "--", "env", raised])
        .args(offered)
        .args([crate::cli::MX, "limits", "raise", "nofile=300"])
        .output()
        .expect("mx runs")
}

#[test]
#[cfg(target_os = "linux")]
fn bash_in_posix_mode_counts_blocks() {
    let script = "source \"$0\"; mx limits raise -q core=64k fsize=2M stack=6M; \
                  exec grep -E 'core file|file size|stack' /proc/self/limits";
    let integration = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shell/mx.bash");
    for (variable, begin) in [
        ("POSIXLY_CORRECT", ""),
        ("SHELLOPTS", ""),
        ("NEITHER", ""),
        ("NEITHER", "set -o posix; "),
        ("NEITHER", "set -eo posix; "),
    ] {
        let limits = ["core=0:1M", "fsize=1M:4M", "stack=4M:8M"];
        let output = Command::new(crate::cli::MX)
            .args(["limits", "run"])
            .args(limits)
            .args(["--", "bash", "-c", &format!("{begin}{script}"), integration])
            .env("PATH", path())
            .env(variable, "posix")
            .output()
            .expect("mx runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for (title, bytes) in [
            ("Max core file size", "65536 "),
            ("Max file size", "2097152 "),
            ("Max stack size", "6291456 "),
        ] {
            let line = text.lines().find_map(|line| line.strip_prefix(title)).expect(title);
            assert!(line.trim_start().starts_with(bytes), "{variable}: {text}");
        }
    }
}
