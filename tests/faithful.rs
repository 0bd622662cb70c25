//! The function `mx` beside the program: each control form, under each option, in each
//! shell, loaded in each way, must give the same bytes and the same status.
//!
//! The same script runs in a shell that has not loaded the integration, where `mx` is the
//! program: what that prints is what is right. A script stands in for the program; it
//! prints its arguments and the descriptors that it finds open.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::cli::MX;
use crate::terminal::Terminal;
use crate::zsh::root;

/// `mx STATUS WORD…`; `cat` as a word copies the standard input.
const STAND_IN: &str = r#"#!/bin/sh
case ${1-} in
  init | setup | __*) exec "$MX" "$@" ;;
  stop) kill -STOP $$; echo continued; exit 5 ;;
esac
open=
for fd in 0 1 2 3 4 5 6 7 8 9; do
  if [ -e /dev/fd/$fd ]; then open="$open $fd"; fi
done
# In one piece: what runs beside it prints, too.
count=$# words=
for word do words="$words <$word>"; done
[ $count -gt 0 ] || words=' <>'
printf '%s arguments:%s, descriptors%s, variable %s\n' \
  $count "$words" "$open" "${VARIABLE-unset}" 2>/dev/null
case "$*" in *cat) cat ;; esac
echo "error of $1" 2>/dev/null >&2
exit "${1-0}"
"#;

/// The forms that sh, bash and zsh share; `mx 7` fails.
const FORMS: &str = r#"mx 7 'a b' '' '*' '$x'
mx 0
if mx 7; then echo yes; else echo "no $?"; fi
if ! mx 7; then echo not; fi
if mx 0; then echo yes; fi
mx 7 || echo "or $?"
mx 7 && echo and
mx 0 && mx 7 || echo "last $?"
! mx 7
! mx 0
while mx 7; do echo loop; break; done; echo "after $?"
until mx 7; do echo loop; break; done
for i in 1 2; do mx 7 || continue; echo never; done
case $(mx 0 one) in *one*) echo matched ;; esac
mx 7 | cat
echo in | mx 7 cat
mx 0 | mx 7 cat
x=$(mx 7); echo "$x $?"
echo "$(mx 7 inside)"
x=`mx 7` || echo "$x"
(mx 7); echo "subshell $?"
(mx 7) || echo "subshell $?"
{ mx 7; }
{ mx 7; } || echo "group $?"
mx 7 & wait "$!"; echo "waited $?"
mx 7 & wait "$!" || echo "waited $?"
f() { mx 7; echo "in f"; }; f
f() { mx 7; }; f || echo "f $?"
eval 'mx 7'; echo "eval $?"
eval 'mx 7' || echo "eval $?"
VARIABLE=1 mx 7; echo "${VARIABLE-unset}"
set -- p 'q r'; mx 0 "$@"; echo "$# $2"
\mx 7
command mx 7 || echo "$?"
mx 7 <&-
mx 7 >&-
mx 7 2>&-
mx 7 <&- >&- 2>&- || echo closed
exec <&-; mx 7 || echo "$?"
exec 2>&-; mx 7 || echo "$?"
mx 7 3>&1 4<&0 9>&2
exec 3>&1 4>&1 5>&1 6>&1 7>&1 8>&1 9>&1; mx 7 || echo "$?"; echo kept >&9
trap 'echo "exit $?"' EXIT; mx 7
exec mx 7
echo mx 0 limits raise; mx 0 limits raise || echo "$?"
"#;

const BASH_FORMS: &str = "mx 7 | cat >/dev/null; echo \"${PIPESTATUS[@]}\"
mx 7 || :; echo \"${PIPESTATUS[@]}\"
cat <(mx 7)
[[ $(mx 0) ]] && mx 7 || echo \"$?\"
coproc { mx 7; }; wait \"$!\" || echo \"$?\"
";

const ZSH_FORMS: &str = "mx 7 | cat >/dev/null; echo $pipestatus
mx 7 || :; echo $pipestatus
cat <(mx 7)
cat =(mx 7)
repeat 2; do mx 7 || echo $?; done
{ mx 7 } always { echo always }
() { mx 7 \"$@\"; echo in } a b
noglob mx 7 *
";

const BASH_OPTIONS: &str = "
set -e
set -u
set -o pipefail
set -o posix
set -euo pipefail
set -o posix; set -e
set -f; IFS=xm7
trap 'echo ERR' ERR
set -E; trap 'echo ERR' ERR
set -eE; trap 'echo ERR' ERR
trap 'echo DEBUG' DEBUG
shopt -s inherit_errexit; set -e; BASH_COMPAT=4.3
readonly word command shell lines line raised code i settings limit last
command() { echo own; return 9; }
type() { echo own; }; printf() { echo own; }
exec 3>&1 4>&1 5>&1 6>&1 7>&1 8>&1 9>&1
";

const ZSH_OPTIONS: &str = "
setopt err_exit
setopt err_return
setopt no_unset
setopt pipe_fail err_exit
setopt err_exit no_unset pipe_fail
emulate sh
emulate ksh; set -e
setopt posix_builtins sh_word_split ksh_arrays glob_subst
TRAPZERR() { echo ZERR }
trap 'echo ZERR' ZERR
TRAPZERR() { echo ZERR }; setopt err_exit
TRAPEXIT() { echo EXIT }
readonly word command shell lines line raised code settings limit last timed
exec 3>&1 4>&1 5>&1 6>&1 7>&1 8>&1 9>&1
";

const FISH_FORMS: &str = r"mx 7 'a b' '' '*'; echo $status
if mx 7; echo yes; else; echo no $status; end
mx 7; or echo or $status
mx 7; and echo and
not mx 7; echo $status
mx 7 || echo $status
while mx 7; echo loop; break; end; echo $status
mx 7 | cat; echo $pipestatus
echo in | mx 7 cat; echo $status
set x (mx 7 one); echo $x $status
begin; mx 7; end; or echo group $status
function f; mx 7; end; f; or echo $status
eval mx 7; echo $status
mx 7 >/dev/null 2>&1; echo $status
mx 7 2>/dev/null | mx 0 cat; echo $pipestatus
VARIABLE=1 mx 7; set -q VARIABLE; or echo unset
for i in 1 2; mx 7; or continue; echo never; end
mx 7 <&-; echo $status
set -g word mine; set -g asked mine; mx 7; echo $word $asked
";

struct Shell {
    name: &'static str,
    arguments: &'static [&'static str],
    forms: String,
    options: &'static str,
    /// How to load the integration, with a name for each way.
    ways: [&'static str; 3],
}

fn shells() -> [Shell; 3] {
    [
        Shell {
            name: "bash",
            arguments: &["--norc", "--noprofile", "-c"],
            forms: [FORMS, BASH_FORMS].concat(),
            options: BASH_OPTIONS,
            ways: [
                "source \"$ROOT/shell/mx.bash\"",
                "eval \"$(\"$MX\" init bash)\"",
                "source \"$HOME/.bashrc\"",
            ],
        },
        Shell {
            name: "zsh",
            arguments: &["-f", "-c"],
            forms: [FORMS, ZSH_FORMS].concat(),
            options: ZSH_OPTIONS,
            ways: [
                "source \"$ROOT/mx.plugin.zsh\"",
                "eval \"$(\"$MX\" init zsh)\"",
                "source \"$HOME/.zshrc\"",
            ],
        },
        Shell {
            name: "fish",
            arguments: &["-c"],
            forms: FISH_FORMS.to_owned(),
            options: "\n",
            ways: [
                "source $ROOT/shell/mx.fish",
                "$MX init fish | source",
                "functions mx >/dev/null",
            ],
        },
    ]
}

/// A home with the stand-in, where `mx setup` has run.
fn home(shell: &str, set_up: bool) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    let bin = home.path().join("bin");
    fs::create_dir(&bin).expect("a directory");
    fs::write(bin.join("mx"), STAND_IN).expect("a script");
    fs::set_permissions(bin.join("mx"), fs::Permissions::from_mode(0o755)).expect("a mode");
    if set_up {
        let mut setup = Command::new(MX);
        setup.args(["setup", shell, "--quiet"]).env_clear().env("HOME", home.path());
        assert!(setup.output().expect("mx runs").status.success());
    }
    home
}

fn environment(home: &Path) -> [(&'static str, String); 6] {
    let path = std::env::var("PATH").unwrap_or_default();
    [
        ("HOME", home.display().to_string()),
        ("PATH", format!("{}:{path}", home.join("bin").display())),
        ("ROOT", root().display().to_string()),
        ("MX", MX.to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("TERM", "xterm".to_owned()),
    ]
}

/// What a shell prints, both streams in one, and what its status is. Whatever it does, it
/// and what it has started are gone after two minutes.
fn bounded(mut command: Command) -> String {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    command.stdin(Stdio::null());
    command.stdout(writer.try_clone().expect("a pipe")).stderr(writer).process_group(0);
    let mut child = command.spawn().expect("the shell runs");
    drop(command);
    let group = Pid::from_child(&child);
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = reader.read_to_end(&mut text);
        let _ = sender.send(text);
    });
    let deadline = Instant::now() + Duration::from_secs(120);
    let text = ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    let _ = kill_process_group(group, Signal::KILL);
    let status = child.wait().expect("a child");
    let text = text.unwrap_or_else(|_| panic!("never ended: {status}"));
    format!("{}{status}\n", String::from_utf8_lossy(&text))
}

/// Runs every form under an option, in a shell that has run the line `load` before.
fn run(shell: &Shell, home: &Path, load: &str, option: &str) -> Vec<String> {
    let quoted = |form: &str| format!("'{}'", form.replace('\'', "'\\''"));
    let forms = shell.forms.lines().map(|form| match shell.name {
        // fish has no subshells, and no options to speak of.
        "fish" => format!("echo '=== '; {form}\n"),
        _ => format!("echo '=== '; ( {option}\neval {} ); echo \"ended $?\"\n", quoted(form)),
    });
    let text = format!("{load}\n{}", forms.collect::<String>());
    let mut command = Command::new(shell.name);
    command.args(shell.arguments).arg(text).env_clear().envs(environment(home));
    let printed = bounded(command);
    printed.split("=== \n").map(str::to_owned).collect()
}

/// What no function can do like a program.
fn is_exempt(shell: &Shell, option: &str, form: &str) -> bool {
    match shell.name {
        // bash becomes a program that ends a subshell, and so runs no trap of the subshell.
        "bash" => option.contains("E; trap") && form.starts_with("(mx 7); "),
        // POSIX lets the variable stay in front of a function.
        "zsh" => {
            let is_posix = option.starts_with("emulate") || option.contains("posix_builtins");
            is_posix && form.starts_with("VARIABLE=1")
        }
        _ => false,
    }
}

/// The lines of what a form prints. What runs in the background prints when it comes to it.
fn lines<'a>(form: &str, printed: &'a str) -> Vec<&'a str> {
    let mut lines: Vec<&str> = printed.lines().collect();
    if form.contains(" & ") {
        lines.sort_unstable();
    }
    lines
}

fn check(shell: &Shell) {
    let forms: Vec<&str> = std::iter::once("loading").chain(shell.forms.lines()).collect();
    let mut different = String::new();
    for option in shell.options.split_terminator('\n') {
        let plain = home(shell.name, false);
        let right = run(shell, plain.path(), "", option);
        assert_eq!(right.len(), forms.len(), "{}: {option}: {right:?}", shell.name);
        for (index, way) in shell.ways.iter().enumerate() {
            let home = home(shell.name, index == 2);
            let tried = run(shell, home.path(), way, option);
            for (form, (right, tried)) in forms.iter().zip(right.iter().zip(&tried)) {
                let is_same = right == tried || lines(form, right) == lines(form, tried);
                if !is_same && !is_exempt(shell, option, form) {
                    different += &format!(
                        "{}, {way}, [{option}], [{form}]:\n{tried}instead of:\n{right}",
                        shell.name
                    );
                }
            }
            assert_eq!(tried.len(), forms.len(), "{}: {way}: {option}: {tried:?}", shell.name);
        }
    }
    assert!(different.is_empty(), "{different}");
}

#[test]
fn bash_cannot_tell_the_function_from_the_program() {
    check(&shells()[0]);
}

#[test]
fn zsh_cannot_tell_the_function_from_the_program() {
    check(&shells()[1]);
}

#[test]
fn fish_cannot_tell_the_function_from_the_program() {
    check(&shells()[2]);
}

/// An interactive shell with the integration of a source tree, at its first prompt.
fn interactive(shell: &Shell, home: &Path) -> Terminal {
    let (file, prompt) = match shell.name {
        "bash" => (".bashrc", "PS1='ready> '"),
        "zsh" => (".zshrc", "PS1='ready> '; unset RPS1"),
        _ => (
            ".config/fish/config.fish",
            "function fish_prompt; echo -n 'ready> '; end\nset fish_greeting",
        ),
    };
    let file = home.join(file);
    fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
    fs::write(file, format!("{prompt}\n{}\n", shell.ways[0])).expect("a file");
    let mut command = CommandBuilder::new(shell.name);
    match shell.name {
        "bash" => command.args(["--noprofile", "-i"]),
        "zsh" => command.args(["-d", "-i"]),
        _ => command.arg("-i"),
    }
    command.env_clear();
    for (name, value) in environment(home) {
        command.env(name, value);
    }
    let mut terminal = Terminal::new(command, 100);
    terminal.wait_for_text("ready>");
    terminal
}

#[test]
fn a_stopped_call_is_a_job() {
    for shell in shells() {
        let home = home(shell.name, false);
        let mut terminal = interactive(&shell, home.path());
        terminal.type_text("mx stop\r");
        // fish shows a message for programs only. A stopped call gives the prompt back.
        terminal.wait_for("the prompt", |text| text.matches("ready>").count() == 2);
        terminal.type_text("fg\r");
        terminal.wait_for_text("\ncontinued");
        let status = if shell.name == "fish" { "$status" } else { "$?" };
        terminal.type_text(&format!("echo ended {status}\r"));
        // zsh and fish lose the status of every function that was stopped.
        let status = if shell.name == "bash" { 5 } else { 0 };
        terminal.wait_for_text(&format!("\nended {status}"));
    }
}

#[test]
fn time_prints_the_times_of_a_call() {
    for shell in shells() {
        let home = home(shell.name, false);
        let mut terminal = interactive(&shell, home.path());
        let expected: &[(&str, &str)] = match shell.name {
            "bash" => &[("time mx 0", "real"), ("time mx 0 | cat", "real")],
            "zsh" => &[
                ("time mx 0 a 'b c%J'", "mx 0 a 'b c%J'  "),
                ("if true; then time mx 7 x; fi", "mx 7 x  "),
                ("TIMEFMT='took of %J'; time VARIABLE=1 mx 3", "took of mx 3"),
                ("time \\mx 4", "took of mx 4"),
            ],
            _ => &[("time mx 0", "Executed in")],
        };
        for (line, times) in expected {
            terminal.type_text(&format!("clear; {line}\r"));
            terminal.wait_for(times, |text| {
                text.lines().any(|line| line.starts_with(times))
                    && text.trim_end().ends_with("ready>")
            });
        }
        if shell.name == "zsh" {
            // Not asked for, or timed by zsh itself.
            let lines =
                ["mx 0 time mx", "echo 'run time mx'; mx 0", "time (mx 0)", "time mx 0 | cat"];
            for (index, line) in lines.iter().enumerate() {
                terminal.type_text(&format!("clear; {line}; print end {index}\r"));
                let screen = terminal.wait_for_text(&format!("\nend {index}\n"));
                let times = screen.lines().filter(|line| line.starts_with("took of")).count();
                // The pipeline has a line for each of its programs.
                let right = if line.contains('|') { 2 } else { usize::from(line.contains('(')) };
                assert_eq!(times, right, "{line}: {screen}");
            }
        }
    }
}
