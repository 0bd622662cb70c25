//! The widgets and the short names of the zsh integration, in a real zsh.
//!
//! The clipboard is a stand-in, a file: see `session`.

use std::fs;
use std::process::Command;

use super::root;
use super::session::Session;
use crate::cli::{MX, path};

/// The bindings of the README.
const BOUND: &str = "\
for keymap in emacs viins; do
  bindkey -M $keymap '^Xy' mx-copy-line '^Xp' mx-paste
done
bindkey -M vicmd 'gy' mx-copy-line 'gp' mx-paste
";

const COPY: &str = "\x18y";
const PASTE: &str = "\x18p";
const ESCAPE: &str = "\x1b";
/// Waits for no second key, so that ESC is one at once.
const VI: &str = "bindkey -v; KEYTIMEOUT=1";
const EMACS: &str = "bindkey -e";

#[test]
fn the_readme_has_these_bindings() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    assert!(readme.contains(&format!("```zsh\n{BOUND}```\n")));
}

fn session(mode: &str) -> Session {
    Session::with_home(Session::home_with_clipboard(), &format!("source $plugin\n{mode}\n{BOUND}"))
}

#[test]
fn the_line_is_copied_as_it_is_typed() {
    for (mode, typed, keys) in [(EMACS, "", COPY), (VI, "", COPY), (VI, ESCAPE, "gy")] {
        let mut session = session(mode);
        session.press("print -r 'é  x\\n' $(y");
        let before = session.buffer();
        session.press(typed);
        session.probe();
        session.press(keys);
        assert_eq!(session.buffer(), before, "{mode}");
        assert_eq!(session.clipboard(), "print -r 'é  x\\n' $(y", "{mode}");
    }
}

#[test]
fn lines_that_were_entered_before_are_copied_too() {
    let mut session = session(EMACS);
    session.press_until("for i in 1 2\r", "more>");
    session.press("do print $i");
    session.press(COPY);
    session.probe();
    assert_eq!(session.clipboard(), "for i in 1 2\ndo print $i");
}

#[test]
fn a_region_is_copied_alone() {
    let mut session = session(EMACS);
    // ^@ sets the mark, and ^A and ^B move.
    session.press("one two\x02\x02\0\x01");
    assert!(session.probe().contains("cursor=0 mark=5"));
    session.press(COPY);
    assert!(session.probe().contains("cursor=0 mark=-1"), "the region is not active any more");
    assert_eq!(session.clipboard(), "one t");
}

#[test]
fn a_selection_of_vi_is_copied_with_its_last_character_or_as_lines() {
    let mut session = session(VI);
    session.press("one two");
    session.press(ESCAPE);
    assert!(session.probe().contains("keymap=vicmd"));
    session.press("0vllgy");
    session.probe();
    assert_eq!(session.clipboard(), "one");
    session.press("$vhhgy");
    session.probe();
    assert_eq!(session.clipboard(), "two");
    session.set_clipboard(b"first\nsecond\nthird");
    session.press("ddi\x18p");
    session.press(ESCAPE);
    session.probe();
    session.press("kVgy");
    session.probe();
    assert_eq!(session.clipboard(), "second");
}

#[test]
fn with_nothing_typed_the_last_command_is_copied() {
    let mut session = session(EMACS);
    session.press_until(COPY, "mx: there is nothing to copy");
    assert!(!session.path("clipboard").exists());
    session.press_until("print -r 'a\\b'  c\r", "\na");
    session.press_until(COPY, "mx: copied the last command");
    assert_eq!(session.clipboard(), "print -r 'a\\b'  c");
}

#[test]
fn what_failed_is_said_below_the_prompt_and_the_line_stays() {
    let mut session = session(EMACS);
    fs::write(session.path("broken"), "mx: cannot \x1b[2Jreach it\nhint: no\n").expect("a file");
    session.press("print x");
    for keys in [COPY, PASTE] {
        let screen = session.press_until(keys, "mx: cannot ^[[2Jreach it\nhint: no");
        assert!(screen.contains("ready> print x\n"), "{screen}");
        assert_eq!(session.buffer(), "$'print x'");
    }
    fs::remove_file(session.path("broken")).expect("a file");
    session.press_until(PASTE, "mx: the clipboard is empty");
    assert_eq!(session.buffer(), "$'print x'");
    session.press("\x15path=(/nonexistent)\rprint y");
    session.press_until(COPY, "mx: cannot copy: the program mx is not on PATH");
    session.press_until(PASTE, "mx: cannot paste: the program mx is not on PATH");
    assert_eq!(session.buffer(), "$'print y'");
}

#[test]
fn what_is_pasted_does_not_run() {
    for (mode, typed, keys) in [(EMACS, "", PASTE), (VI, "", PASTE), (VI, ESCAPE, "gp")] {
        let mut session = session(mode);
        // Also what ends a paste of the terminal, and keys that accept the line.
        session.set_clipboard(
            b"touch $HOME/ran\r\ntouch $HOME/ran\r\x1b[201~touch $HOME/ran\n\x0d\x0a\x0f\x1bx",
        );
        session.press(typed);
        session.press(keys);
        assert_eq!(
            session.buffer(),
            "$'touch $HOME/ran\\ntouch $HOME/ran\\n[201~touch $HOME/ran\\n\\nx'",
            "{mode}"
        );
        assert!(!session.path("ran").exists());
        // Once it is accepted it runs.
        session.press("\r");
        session.probe();
        assert!(session.path("ran").exists(), "{mode}");
    }
}

#[test]
fn control_characters_are_left_out_and_counted() {
    let mut session = session(EMACS);
    session.set_clipboard("a\0b\x07c\u{9b}d\x7f\té\u{202e}\n".as_bytes());
    session.press_until(PASTE, "mx: left out control characters: 4");
    assert_eq!(session.buffer(), "$'abcd\\té\u{202e}'");
    // Bytes that are no text stay what they are.
    session.set_clipboard(b"\xff\xc3");
    session.press("\x15");
    session.press(PASTE);
    assert_eq!(session.buffer(), "$'\\377\\303'");
}

#[test]
fn a_paste_in_the_middle_is_undone_in_one_step() {
    for (mode, undo) in [(EMACS, "\x1f"), (VI, "\x1f")] {
        let mut session = session(&format!("{mode}\nbindkey '^_' undo"));
        session.set_clipboard(b"one\ntwo\n");
        session.press("ab\x1b[D");
        session.press(PASTE);
        let probe = session.probe();
        // In the middle the line break at the end counts.
        assert!(probe.ends_with("cursor=9 mark=-1 buffer=$'aone\\ntwo\\nb'"), "{mode}: {probe}");
        session.press(undo);
        assert!(session.probe().ends_with("cursor=1 mark=-1 buffer=$'ab'"), "{mode}");
    }
}

#[test]
fn a_paste_replaces_the_region_and_is_quoted_on_request() {
    let mut session = session(EMACS);
    session.set_clipboard(b"it's a; b\n");
    session.press("echo word\0\x1bb");
    session.press(PASTE);
    assert_eq!(session.buffer(), "$'echo it\\'s a; b'");
    session.press("\x15echo \x1b1");
    session.press(PASTE);
    assert_eq!(session.buffer(), "$'echo $\\'it\\\\\\'s a; b\\\\n\\''");
}

#[test]
fn much_text_is_pasted_at_once() {
    let mut session = session(
        "bindkey -e; count() { zle -M \"count=$#BUFFER.\"; BUFFER= }; zle -N count; bindkey '^O' count",
    );
    session.set_clipboard("x y\n".repeat(50_000).as_bytes());
    session.press(PASTE);
    session.press_until("\x0f", "count=199999.");
}

#[test]
fn nothing_is_bound_and_keys_may_be_bound_before_loading() {
    for load in ["source $plugin", "eval \"$(mx init zsh)\""] {
        let mut session = Session::new(load);
        session.press("print \"left=${(M)${(f)$(bindkey -M emacs; bindkey -M viins; bindkey -M vicmd)}:#*mx*}.\"\r");
        session.terminal.wait_for_text("left=.");
        let lines = format!("bindkey -e\n{BOUND}\n{load}\ncompinit");
        let mut session = Session::with_home(Session::home_with_clipboard(), &lines);
        session.set_clipboard(b"pasted");
        session.press(PASTE);
        assert_eq!(session.buffer(), "$'pasted'", "{load}");
    }
}

#[test]
fn options_and_aliases_of_the_user_change_nothing() {
    for options in [
        "setopt ksh_arrays sh_word_split glob_subst ksh_glob",
        "setopt sh_glob ignore_braces ignore_close_braces no_short_loops",
        "setopt no_unset warn_create_global warn_nested_var no_multibyte pipe_fail",
        "alias print=false local=false whence=false builtin=false command=false zle=false",
    ] {
        for load in ["source $plugin", "eval \"$(mx init zsh)\""] {
            let lines = format!("bindkey -e\n{BOUND}\n{load}\n{options}");
            let mut session = Session::with_home(Session::home_with_clipboard(), &lines);
            session.press("one* $x ");
            session.press(COPY);
            session.probe();
            assert_eq!(session.clipboard(), "one* $x ", "{options}: {load}");
            session.set_clipboard(b"two\r\n\x1bthree");
            session.press_until(PASTE, "mx: left out control characters: 1");
            assert_eq!(session.buffer(), "$'one* $x two\\nthree'", "{options}: {load}");
        }
    }
}

#[test]
fn loaded_by_the_editor_itself_the_next_key_works() {
    let lines = format!(
        "{NAMES}\nbindkey -e\n{BOUND}\nzstyle ':mx:*' short-names p; compinit
         load() {{ source $plugin }}; zle -N load; bindkey '^O' load"
    );
    let mut session = Session::with_home(Session::home_with_clipboard(), &lines);
    session.set_clipboard(b"pasted");
    session.press("\x0f");
    session.press(PASTE);
    assert_eq!(session.buffer(), "$'pasted'");
    assert_eq!(names(&mut session, "loaded"), "mx-copy-line,mx-paste,alias p='mx ports'");
}

#[test]
fn without_an_editor_nothing_is_loaded_for_it() {
    let plugin = root().join("mx.plugin.zsh");
    let script = "source $plugin; zmodload -e zsh/zle || print none; mx_plugin_unload";
    // An interactive shell without a terminal has none either.
    for words in [&["zsh", "-f", "-c"][..], &["setsid", "zsh", "-f", "-ic"]] {
        if words[0] == "setsid" && !cfg!(target_os = "linux") {
            continue; // Other systems have no such program.
        }
        let output = Command::new(words[0])
            .args(&words[1..])
            .arg(script)
            .env_clear()
            .env("PATH", path())
            .env("plugin", &plugin)
            .output()
            .expect("zsh runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "none\n", "{words:?}");
    }
}

/// `names WHEN` prints the widgets and the names that are there.
const NAMES: &str = r#"names() {
      local -a found=(${(ok)widgets[(I)mx-*]} ${(f)"$(alias -L p l; alias -gL)"})
      print -r "$1=${(j:,:)found}."
    }
    "#;

/// What `names` prints.
#[track_caller]
fn names(session: &mut Session, when: &str) -> String {
    session.press(&format!("\x15names {when}\r"));
    let start = format!("\n{when}=");
    let screen = session.terminal.wait_for(when, |text| {
        text.split_once(&start).is_some_and(|(_, rest)| rest.contains(".\n"))
    });
    let (_, rest) = screen.split_once(&start).expect("the names");
    rest.split_once(".\n").expect("an end").0.to_owned()
}

#[test]
fn unloading_removes_the_widgets_and_names_that_loading_made() {
    for load in ["source $plugin", "eval \"$(mx init zsh)\"", "source $plugin; compinit"] {
        let mut session = Session::new(&format!(
            "{NAMES}
             mx-paste() {{ zle -M mine }}; zle -N mx-paste
             alias l='ls -l'
             zstyle ':mx:*' short-names yes
             zstyle ':mx:*' global-aliases yes
             {load}"
        ));
        assert_eq!(
            names(&mut session, "loaded"),
            "mx-copy-line,mx-paste,alias p='mx ports',alias l='ls -l',alias -g C='| mx copy'"
        );
        session.press("mx_plugin_unload\r");
        assert_eq!(names(&mut session, "unloaded"), "mx-paste,alias l='ls -l'", "{load}");
        session.press("bindkey '^X^Y' mx-paste\r");
        session.press_until("\x18\x19", "\nmine");
    }
}

#[test]
fn unloading_leaves_what_became_of_a_name() {
    let mut session =
        Session::new(&format!("{NAMES}\nzstyle ':mx:*' short-names yes\nsource $plugin"));
    session.press("alias p='mx ports --json'; alias -g C=mine; mx_plugin_unload\r");
    assert_eq!(names(&mut session, "unloaded"), "alias p='mx ports --json',alias -g C=mine");
}

#[test]
fn unloading_gives_the_completion_of_names_back() {
    let mut session = Session::new(
        "zstyle ':mx:*' short-names yes; compinit; _comps[l]=_ls; source $plugin
         told() { print \"$1=$_comps[mx],$_comps[p],$_comps[l].\" }",
    );
    session.press_until("told loaded\r", "\nloaded=_mx,_mx,_ls.");
    session.press_until("mx_plugin_unload; told unloaded\r", "\nunloaded=_hosts,,_ls.");
}

#[test]
fn names_are_defined_on_request_only_and_override_nothing() {
    for (lines, expected) in [
        ("source $plugin", ""),
        ("zstyle ':mx:*' short-names no; source $plugin", ""),
        (
            "zstyle ':mx:*' short-names yes; source $plugin",
            "alias p='mx ports',alias l='mx limits'",
        ),
        // At the first prompt it counts what there is then.
        ("source $plugin; zstyle ':mx:*' short-names yes; l() { : }", "alias p='mx ports'"),
        ("zstyle ':mx:*' short-names l nonsense; source $plugin", "alias l='mx limits'"),
        ("zstyle ':mx:*' global-aliases true; source $plugin", "alias -g C='| mx copy'"),
        ("alias -g C=mine; zstyle ':mx:*' global-aliases true; source $plugin", "alias -g C=mine"),
        (
            "zstyle ':mx:*' short-names p; eval \"$(mx init zsh)\"; eval \"$(mx init zsh)\"",
            "alias p='mx ports'",
        ),
    ] {
        let mut session = Session::new(&format!("{NAMES}\n{lines}"));
        let found = names(&mut session, "loaded");
        let widgets = "mx-copy-line,mx-paste";
        assert_eq!(
            found.strip_prefix(widgets).expect(&found).trim_matches(','),
            expected,
            "{lines}"
        );
    }
}

#[test]
fn a_program_of_a_short_name_keeps_it() {
    let home = Session::home_with_clipboard();
    fs::copy(home.path().join("bin/mx"), home.path().join("bin/p")).expect("a program");
    let mut session = Session::with_home(home, "zstyle ':mx:*' short-names yes; source $plugin");
    session.press("whence -w p l\r");
    session.terminal.wait_for_text("\np: command\nl: alias");
}

#[test]
fn the_global_alias_copies() {
    let mut session = Session::with_home(
        Session::home_with_clipboard(),
        "zstyle ':mx:*' global-aliases yes; source $plugin",
    );
    session.press("print -r one two C; print done\r");
    session.terminal.wait_for_text("\ndone");
    assert_eq!(session.clipboard(), "one two\n");
}

#[test]
fn short_names_complete_with_and_without_complete_aliases() {
    for options in ["", "setopt complete_aliases"] {
        for order in ["source $plugin; compinit", "compinit; source $plugin"] {
            let mut session = Session::new(&format!(
                "zstyle ':mx:*' short-names yes; {options}; {order}; alias lim='command mx limits'"
            ));
            session.press_until("p ki\t--fo\t", "p kill --force");
            session.press_until("\x15l nofi\t", "> l nofile");
            session.press_until("\x15p wait --json --ti\t5\t", "p wait --json --timeout=5");
            if !options.is_empty() {
                session.press("\x15compdef _mx lim\r");
            }
            session.press_until("\x15lim che\tm\t", "lim check ml");
        }
    }
    let output = Command::new(MX).args(["init", "zsh", "--whole"]).output().expect("mx runs");
    assert!(String::from_utf8_lossy(&output.stdout).contains("function _mx_names {"));
}
