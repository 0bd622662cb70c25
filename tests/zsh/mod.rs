//! The zsh integration in a real zsh: typed into a pseudo-terminal, read from the screen.

mod groups;
mod loaders;
mod matrix;
mod session;
mod values;
mod widgets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;
use tempfile::TempDir;

use crate::cli::{MX, path};
use crate::fixture::Fixture;
use crate::terminal::Terminal;

const PROMPT: &str = "ready>";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the source tree")
}

/// Copies what loading the plugin takes into a directory of this name.
fn copy_plugin(directory: &Path) {
    fs::create_dir(directory).expect("a directory");
    let mut copy = Command::new("cp");
    copy.arg("-R").args(["mx.plugin.zsh", "shell", "completions"]).arg(directory);
    assert!(copy.current_dir(root()).status().expect("cp runs").success());
}

/// A start-up file: a plain prompt, completion with headings, and these lines.
///
/// Names of processes may take as long as they need: a busy machine is no failure.
fn start_up(lines: &str) -> String {
    let plugin = root().join("mx.plugin.zsh");
    format!(
        "PS1='{PROMPT} '; unset RPS1\n\
         zstyle ':completion:*' group-name ''\n\
         zstyle ':completion:*' format '<%d>'\n\
         zstyle ':completion:*:ports' command 'command mx __complete ports --within 1m'\n\
         compinit() {{ unfunction compinit; autoload -Uz compinit; compinit -u -d $ZDOTDIR/dump }}\n\
         plugin='{}'\n{lines}\n",
        plugin.display()
    )
}

/// A home with a start-up file.
fn home(lines: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join(".zshrc"), start_up(lines)).expect("a start-up file");
    home
}

fn zsh(home: &TempDir) -> Terminal {
    let mut command = CommandBuilder::new("zsh");
    // -d leaves out the start-up files of the system.
    command.args(["-d", "-i"]);
    command.env_clear();
    command.env("ZDOTDIR", home.path());
    command.env("HOME", home.path());
    command.env("PATH", path());
    command.env("TERM", "xterm");
    command.env("LANG", "C.UTF-8");
    let mut terminal = Terminal::new(command, 100);
    terminal.wait_for_text(PROMPT);
    terminal
}

/// A script in a zsh that reads no start-up file.
fn script(text: &str) -> Output {
    let plugin = root().join("mx.plugin.zsh");
    Command::new("zsh")
        .args(["-f", "-c", text])
        .env_clear()
        .env("PATH", path())
        .env("plugin", plugin)
        .env("MX", MX)
        .output()
        .expect("zsh runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The ways in which people load a plugin, relative to compinit.
const LOADED: [&str; 4] = [
    "compinit; source $plugin",
    "source $plugin; compinit",
    "source $plugin; compinit; source $plugin",
    "eval \"$(mx init zsh)\"; compinit",
];

#[test]
fn tab_completes_commands_ports_and_options() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let port = fixture.port(0).to_string();
    for lines in LOADED {
        let mut terminal = zsh(&home(lines));
        terminal.type_text("mx po\t");
        terminal.wait_for_text("> mx ports");
        terminal.type_text("\t");
        let screen = terminal.wait_for("the ports and the processes", |text| {
            text.contains("<ports>") && text.contains("<processes>")
        });
        let row = screen
            .lines()
            .find(|line| line.starts_with(&port))
            .unwrap_or_else(|| panic!("{screen}"));
        assert!(row.contains(&format!("({})", fixture.pid())), "{screen}");
        // All but the last digit is typed: the whole port must come from completion.
        terminal.type_text(&format!("{}\t", &port[..port.len() - 1]));
        terminal.wait_for("the port", |text| {
            // Where another port begins alike, both are listed, and no command with them.
            let listed = !text.contains("<command>") && text.contains(&port);
            listed || text.contains(&format!("> mx ports {port}"))
        });
        // Options also behind a selector.
        terminal.type_text(&format!("\x15mx ports {port} --js\t"));
        terminal.wait_for_text(&format!("mx ports {port} --json"));
        terminal.type_text("\r");
        terminal.wait_for_text("\"schema\": \"mx.ports/1\"");
    }
}

#[test]
fn tab_lists_subcommands_and_never_a_hidden_one() {
    let mut terminal = zsh(&home(LOADED[0]));
    terminal.type_text("mx \t");
    let screen = terminal.wait_for("every command", |text| {
        let listed = |command: &&str| text.lines().any(|line| line.starts_with(command));
        text.contains("<command>") && ["ports", "setup", "init", "help"].iter().all(listed)
    });
    assert!(!screen.contains("__complete"), "{screen}");
}

#[test]
fn tab_completes_limits_their_values_and_profiles() {
    let mut terminal = zsh(&home(LOADED[0]));
    terminal.type_text("mx limits no\t");
    terminal.wait_for_text("> mx limits nofile");
    terminal.type_text("\x15mx limits raise nof\t");
    terminal.wait_for_text("> mx limits raise nofile=");
    terminal.type_text("\x15");
    // Behind the name comes the value, without a space.
    terminal.type_text("mx limits run nof\t300 cor\t0 -- echo run\r");
    let screen = terminal.wait_for_text("\nrun");
    assert!(screen.contains("mx limits run nofile=300 core=0 -- echo run"), "{screen}");
    terminal.type_text("mx limits run core=0 -- zcomp\t");
    terminal.wait_for_text("mx limits run core=0 -- zcompile");
    terminal.type_text("\x15mx limits check wat\t");
    terminal.wait_for_text("> mx limits check watch");
}

#[test]
fn an_address_before_the_port_is_kept() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let port = fixture.port(0);
    let mut terminal = zsh(&home(LOADED[0]));
    terminal.type_text(&format!("mx p localhost:{port}\t"));
    // The completed word is followed by a space.
    terminal.type_text("--tab\t\r");
    terminal.wait_for("the row of the port", |text| text.contains(&fixture.pid().to_string()));
}

#[test]
fn a_hostile_process_name_stays_inert() {
    if !cfg!(target_os = "linux") {
        return; // Only Linux lets a test rename a process.
    }
    let name = crate::fixture::hex(b"a:b\nc\x1b[2J`x`");
    let fixture = Fixture::new(&format!("tcp 127.0.0.1:0\nname {name}"));
    let mut terminal = zsh(&home(LOADED[0]));
    terminal.type_text("mx ports a:b\t");
    terminal.type_text("\x15mx ports \t");
    let screen = terminal.wait_for_text("<processes>");
    // The column of ports is as wide as those of one process that has many.
    let words: Vec<&str> = screen.split_whitespace().collect();
    let line = format!("{} -- a:b c[2J`x` ({})", fixture.port(0), fixture.pid());
    assert!(words.join(" ").contains(&line), "{screen}");
}

#[test]
fn names_that_the_user_made_readonly_do_no_harm() {
    let names = "word cur prev i n line lines rest state context key tag tags rows shown separator \
        now ret alias commands end text said plain name widget file hidden program expl";
    for load in LOADED {
        let lines = format!("{load}\nfor each in {names}; do readonly $each=mine; done");
        let mut terminal = zsh(&home(&lines));
        for (typed, completed) in [
            ("mx po\t", "mx ports"),
            ("mx p kill -y --dr\t", "mx p kill -y --dry-run"),
            ("mx p kill --signal HU\t", "mx p kill --signal HUP"),
            ("mx limits run -- mx ports --ud\t", "mx limits run -- mx ports --udp"),
        ] {
            terminal.type_text(&format!("\x15{typed}"));
            let screen = terminal.wait_for_text(&format!("> {completed}"));
            assert!(!screen.contains("read-only"), "{load}: {screen}");
        }
    }
}

#[test]
fn the_completion_of_hosts_does_not_win() {
    for lines in LOADED {
        let mut terminal = zsh(&home(&format!("{lines}; compinit")));
        terminal.type_text("print \"is=$_comps[mx] hook=$precmd_functions[(I)_mx_register].\"\r");
        terminal.wait_for_text("is=_mx hook=0.");
    }
}

#[test]
fn completion_that_is_set_up_after_the_first_prompt_is_found() {
    let mut terminal = zsh(&home("source $plugin"));
    terminal.type_text("compinit\r");
    terminal.type_text("print \"is=$_comps[mx].\"\r");
    terminal.wait_for_text("is=_mx.");
}

#[test]
fn a_stale_dump_does_no_harm() {
    // It names a completion that was in fpath when it was written.
    let old = tempfile::tempdir().expect("a directory");
    fs::write(old.path().join("_mx"), "#compdef mx\ncompadd stale\n").expect("a file");
    for lines in [
        "source $plugin; compinit -C -d $ZDOTDIR/stale",
        "compinit -C -d $ZDOTDIR/stale; source $plugin",
        "source $plugin; fpath=($old $fpath); compinit -C -d $ZDOTDIR/stale",
        "fpath=($old $fpath); compinit -C -d $ZDOTDIR/stale; source $plugin",
    ] {
        let old = old.path().display();
        let home = home(&format!("old={old}; unfunction compinit; autoload -Uz compinit; {lines}"));
        let dump = format!(
            "fpath=({old} $fpath); autoload -Uz compinit; compinit -u -d {}; print $_comps[mx]",
            home.path().join("stale").display()
        );
        assert_eq!(stdout(&script(&dump)), "_mx\n");
        let mut terminal = zsh(&home);
        terminal.type_text("mx po\t");
        terminal.wait_for_text("> mx ports");
        terminal.type_text("\x15mx_plugin_unload; clear\r");
        terminal.type_text("print -r -- \"is=$_comps[mx] $functions[_mx]\"\r");
        terminal.wait_for_text("is=_mx builtin autoload -X");
    }
}

#[test]
fn the_prompt_shows_the_status_of_the_command_before() {
    let mut terminal = zsh(&home("source $plugin; PS1='%? ready> '"));
    // Now there is something for the hook to do.
    terminal.type_text("compinit; false\r");
    terminal.wait_for_text("\n1 ready>");
    terminal.type_text("print \"is=$_comps[mx].\"\r");
    terminal.wait_for_text("is=_mx.");
}

#[test]
fn sourcing_starts_no_process_and_leaves_the_shell_as_it_was() {
    let output = script(
        "setopt ksh_arrays; IFS=x; before=\"$fpath $(setopt) $IFS\"\n\
         false; source $plugin; status_after=$?\n\
         [[ \"$fpath $(setopt) $IFS\" == $before ]] && print same $status_after",
    );
    assert_eq!(stdout(&output), "same 0\n");
    let plugin = root().join("mx.plugin.zsh");
    let zsh = |text: &str| started_processes(&["zsh", "-f", "-c", text, &plugin.to_string_lossy()]);
    if let (Some(without), Some(with)) = (zsh(":"), zsh("source $0")) {
        assert_eq!(with, without);
        assert!(zsh("x=$(:)") > Some(without), "a fork is noticed");
    }
}

/// Writes everything that a plugin could have changed, but for what changes by itself.
const DUMP: &str = "dump() {
      typeset -p | grep -Ev '^typeset [^=]*(RANDOM|SECONDS|LINENO|EPOCH[A-Z]*|TTYIDLE|_|status|pipestatus|ZSH_EVAL_CONTEXT|zsh_eval_context|mapfile|jobstates|jobdirs|jobtexts|history|historywords|commands|functrace|funcfiletrace|funcsourcetrace|funcstack|dirstack|sysparams|before|after)($|=| )'
      functions; alias -L; alias -gL; setopt; zle -lL; bindkey -L; hash -dL; zstyle -L
      print fpath $fpath; trap
    }
    ";

#[test]
fn unloading_takes_everything_back() {
    for (before, load) in [
        ("", "source $plugin"),
        ("precmd_functions=()", "source $plugin"),
        ("true() { : }; precmd_functions=(true)", "source $plugin; source $plugin"),
        ("autoload -Uz compinit; compinit -u -D", "source $plugin"),
        ("autoload -Uz compinit; compinit -u -D", "source $plugin; source $plugin"),
        ("autoload -Uz compinit; compinit -u -D; unset '_comps[mx]'", "source $plugin"),
        ("mx() { print mine }", "source $plugin"),
        ("setopt ksh_arrays sh_word_split glob_subst", "source $plugin"),
        ("autoload -Uz compinit; compinit -u -D", "eval \"$($MX init zsh)\""),
    ] {
        let output = script(&format!(
            r#"{DUMP}
            {before}
            # What zsh itself loads at the first completion, and for its table of functions.
            zmodload -F zsh/parameter p:functions p:functions_source
            if [[ -v _comps ]]; then autoload +X _arguments; fi
            before="$(dump)"; before="$(dump)"
            {load}
            after="$(dump)"; [[ "$after" != "$before" ]] || print no change
            mx --version >/dev/null; _mx >/dev/null 2>&1
            if [[ -v _comps ]]; then _mx_register; fi
            mx_plugin_unload
            after="$(dump)"
            diff <(print -r -- "$before") <(print -r -- "$after") && print same"#
        ));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{before}: {load}");
        assert_eq!(stdout(&output), "same\n", "{before}: {load}");
    }
}

#[test]
fn unloading_after_use_leaves_nothing_behind() {
    for load in LOADED {
        let mut terminal = zsh(&home(load));
        terminal.type_text("mx po\t");
        terminal.wait_for_text("> mx ports");
        terminal.type_text("\t");
        terminal.wait_for_text("<command>");
        terminal.type_text("\x15mx_plugin_unload\r");
        terminal.type_text(
            "print \"is=$_comps[mx] left=${(M)${(k)functions}:#*mx*} ${(kM)parameters:#_mx*}.\"\r",
        );
        terminal.wait_for_text("is=_hosts left= .");
    }
}

/// How many processes and programs a program starts; `None` where strace is missing by nature.
pub(crate) fn started_processes(program: &[&str]) -> Option<usize> {
    if !cfg!(target_os = "linux") {
        return None; // strace is for Linux.
    }
    let trace = tempfile::NamedTempFile::new().expect("a file");
    let status = Command::new("strace")
        .args(["-f", "-q", "-e", "trace=fork,vfork,clone,clone3,execve", "-o"])
        .arg(trace.path())
        .args(program)
        .env("ROOT", root())
        .status()
        .expect("strace runs");
    assert!(status.success());
    let text = fs::read_to_string(trace.path()).expect("a trace");
    // A thread is no process: fish reads a substitution with one.
    let is_process = |line: &&str| !line.contains("+++") && !line.contains("CLONE_THREAD");
    Some(text.lines().filter(is_process).count())
}

#[test]
fn ports_that_are_listed_grow_old() {
    let mut terminal = zsh(&home("compinit; source $plugin"));
    let first = Fixture::new("tcp 127.0.0.1:0");
    terminal.type_text("mx ports \t");
    terminal.wait_for_text(&format!("\n{} ", first.port(0)));
    let second = Fixture::new("tcp 127.0.0.1:0");
    let row = format!("\n{} ", second.port(0));
    // What is kept for two seconds may be listed again and again until they are over.
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut screen = String::new();
    while !screen.contains(&row) {
        assert!(Instant::now() < deadline, "never saw {row}: {screen}");
        terminal.type_text("\x15\x0cmx ports \t");
        screen = terminal.wait_for_text("watch ");
        // The line is empty again before the next list.
        terminal.type_text("\x15\x0c");
        terminal.wait_for("an empty screen", |text| !text.contains("watch "));
    }
}

#[test]
fn the_function_passes_arguments_and_status() {
    let output = script("source $plugin; mx ports '' 2>&1; print \"status $?\"; whence -w mx");
    let text = stdout(&output);
    assert!(text.starts_with("mx: cannot use '' as a selector: it is empty\n"), "{text}");
    assert!(text.ends_with("status 2\nmx: function\n"), "{text}");
}

#[test]
fn an_alias_keeps_brackets_from_being_patterns() {
    let fixture = Fixture::new("tcp [::1]:0");
    let port = fixture.port(0);
    for (words, matched) in [
        (format!("[::1]:{port}"), true),
        (format!("'[::1]:{port}'"), true),
        ("mx-no-such-?*".to_owned(), false),
    ] {
        for load in ["source $plugin", "eval \"$(mx init zsh)\""] {
            let output =
                script(&format!("{load}; alias mx='noglob mx'; eval \"mx ports {words}\""));
            let text = stdout(&output);
            assert_eq!(text.contains(&port.to_string()), matched, "{words}: {output:?}");
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!error.contains("no matches found"), "{words}: {error}");
        }
    }
}

#[test]
fn without_the_program_the_function_says_so() {
    let output = script("source $plugin; path=(/nonexistent); mx ports; print \"status $?\"");
    assert_eq!(stdout(&output), "status 127\n");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.starts_with("mx: cannot run: the program mx is not on PATH\nhint: "), "{error}");
}

#[test]
fn setup_makes_the_next_shell_complete() {
    let home = home("compinit");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(MX);
        command.args(arguments).env_clear().env("HOME", home.path()).env("ZDOTDIR", home.path());
        assert!(command.output().expect("mx runs").status.success());
    };
    let before = fs::read(home.path().join(".zshrc")).expect("a start-up file");
    run(&["setup", "zsh"]);
    let mut terminal = zsh(&home);
    terminal.type_text("mx po\t");
    terminal.wait_for_text("> mx ports");
    drop(terminal);
    run(&["setup", "zsh", "--uninstall"]);
    assert_eq!(fs::read(home.path().join(".zshrc")).expect("a start-up file"), before);
}

#[test]
fn a_table_fits_the_terminal() {
    // Very many words, too: looking for the last one that fits must not take long.
    let words = vec!["word".as_ref(); 20_000];
    let fixture = Fixture::with(Fixture::command("tcp 127.0.0.1:0", &words));
    let mut terminal = zsh(&home(LOADED[0]));
    terminal.type_text(&format!("mx ports {}; print done\r", fixture.port(0)));
    let screen = terminal.wait_for("the table", |text| text.contains("\ndone\n"));
    let rows: Vec<&str> = screen.lines().skip_while(|line| !line.starts_with("PROTO")).collect();
    assert!(rows[1].starts_with("tcp") && rows[1].ends_with('…'), "{screen}");
    assert_eq!(rows[2], "done", "{screen}");
}
