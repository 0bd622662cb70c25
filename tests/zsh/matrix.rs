//! The plugin loaded in every way under every setting: the user's shell stays as it is,
//! and unloading gives exactly that shell back.
//!
//! `matrix.zsh` does it, in a subshell for each setting; here are the ways and settings.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{copy_plugin, root};
use crate::cli::{MX, path};

const SOURCE: &str = r#"\builtin source "$PLUGIN""#;
const INIT: &str = r#"\builtin eval "$("$MX" init zsh)""#;
const COMPINIT: &str = r#"\compinit -C -d "$DUMP""#;

/// Of the emulation of csh, where no quoted text may have two lines, only a file stays
/// readable.
const CSH: &str = "emulate csh\nemulate -R csh\n";

/// What people have set before they load a plugin, one a line; the first is nothing.
const SETTINGS: &str = r#"
emulate sh
emulate ksh
emulate -R sh
emulate -R ksh
setopt ksh_arrays sh_word_split no_unset err_exit pipe_fail glob_subst sh_glob posix_argzero
setopt err_return posix_builtins posix_identifiers posix_aliases posix_strings posix_traps
setopt no_short_loops ignore_braces ignore_close_braces all_export no_clobber no_multi_func_def
setopt warn_create_global warn_nested_var ksh_autoload ksh_typeset rc_expand_param null_glob
IFS=
unset IFS
IFS='mx_/.[]0-'
for name in ${(k)builtins} ${(k)reswords}; do alias -- "$name=boom"; done
alias -g mx=boom _mx=boom _comps=boom precmd_functions=boom _mx_load=boom
mx() { builtin print mx $VERSION }
alias mx='echo mine'
precmd_functions=()
hook() { false }; precmd_functions=(hook); typeset -gU precmd_functions
TRAPZERR() { builtin print -u2 trapped }
trap 'builtin print -u2 trapped' ZERR
command_not_found_handler() { builtin print -u2 "no $1"; return 127 }
if [[ -v _comps ]]; then _comps[mx]=_own; fi
if [[ -v _comps ]]; then unset '_comps[mx]'; fi
PMSPEC=0fuUpiPs
ZERO=/nowhere/other.plugin.zsh
fpath=()
fpath=(/nowhere); typeset -gU fpath
LC_ALL=C
zstyle '*' '*' '*'
"#;

/// Functions that are called like builtins; `builtin` itself stays, and what ends a function.
/// zsh's own completion would not survive it while it is set up.
const SHADOWED: &str = "for name in ${(k)builtins:#(builtin|return|exit)}; do \
    functions[$name]='builtin print -u2 shadowed; builtin return 1'; done\n";

/// The plugin behind links, and below a name full of characters that mean something to zsh.
fn places() -> TempDir {
    let places = tempfile::tempdir().expect("a directory");
    symlink(root(), places.path().join("tree")).expect("a link");
    symlink(root().join("mx.plugin.zsh"), places.path().join("file.zsh")).expect("a link");
    copy_plugin(&places.path().join("a b $(c) %x [d]*'\"!~"));
    places
}

/// The same, and what compinit has found before there was mx.
fn places_with_dump() -> TempDir {
    let places = places();
    let dump = "autoload -Uz compinit; compinit -u -d $1/dump; (( ${+_comps[mx]} ))";
    let status = Command::new("zsh").args(["-f", "-c", dump, "zsh"]).arg(places.path()).status();
    assert!(status.expect("zsh runs").success(), "zsh completes hosts behind mx by itself");
    places
}

/// What `matrix.zsh` has to say.
fn tried(places: &Path, [before, load, behind]: [&str; 3], settings: &str) -> String {
    let output = Command::new("zsh")
        .arg("-f")
        .arg(root().join("tests/zsh/matrix.zsh"))
        .args([before, load, behind, settings.trim_end()])
        .current_dir(root())
        .env_clear()
        .env("PATH", path())
        .env("MX", MX)
        .env("PLUGIN", root().join("mx.plugin.zsh"))
        .env("PLACES", places)
        .env("DUMP", places.join("dump"))
        .env("VERSION", env!("CARGO_PKG_VERSION"))
        .output()
        .expect("zsh runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{load}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn check(places: &Path, way: [&str; 3], settings: &str) {
    let count = settings.trim_end().split('\n').count();
    assert_eq!(tried(places, way, settings), format!("{count}\n"), "{way:?}");
}

#[test]
fn every_setting_survives_without_compinit() {
    let places = places();
    check(places.path(), ["", SOURCE, ""], &[SETTINGS, CSH, SHADOWED].concat());
    check(places.path(), ["", INIT, ""], &[SETTINGS, SHADOWED].concat());
}

#[test]
fn every_setting_survives_behind_and_before_compinit() {
    let places = places_with_dump();
    check(places.path(), [COMPINIT, SOURCE, ""], &[SETTINGS, CSH, SHADOWED].concat());
    check(places.path(), [COMPINIT, INIT, ""], &[SETTINGS, SHADOWED].concat());
    // compinit reads a dump, in which an alias of a builtin is expanded, and finds itself by fpath.
    let bearable = |line: &&str| !line.contains("alias -- ") && !line.contains("fpath=(");
    let settings: String =
        SETTINGS.lines().filter(bearable).flat_map(|line| [line, "\n"]).collect();
    check(places.path(), ["", SOURCE, COMPINIT], &settings);
    check(places.path(), ["", INIT, COMPINIT], &settings);
}

#[test]
fn every_option_survives() {
    let places = places();
    for (load, but) in [(SOURCE, "none"), (INIT, "cshjunkiequotes")] {
        let said = tried(places.path(), ["", load, ""], &format!("each option but {but}"));
        let count: usize = said.trim_end().parse().unwrap_or_else(|_| panic!("{said}"));
        assert!(count > 40, "zsh has more options than four times {count}");
    }
}

#[test]
fn every_place_will_do() {
    let places = places_with_dump();
    for load in [
        r#"\builtin source "$PLACES/file.zsh""#,
        r#"\builtin source "$PLACES/tree/mx.plugin.zsh""#,
        r#"\builtin source "$PLACES/a b "*/mx.plugin.zsh"#,
        r"\builtin source ./mx.plugin.zsh",
        r#"\builtin source "${PLUGIN%/*}/shell/mx.plugin.zsh""#,
        r#"\builtin source "$PLUGIN"; \builtin source "$PLUGIN""#,
        r#"\builtin eval "$("$MX" init zsh)"; \builtin eval "$("$MX" init zsh)""#,
        r#"\builtin source "$PLUGIN"; \builtin eval "$("$MX" init zsh)""#,
        r#"\builtin eval "$("$MX" init zsh)"; \builtin source "$PLUGIN""#,
        // A loader that evaluates the text, and one whose own options are in force.
        r#"ZERO=$PLUGIN; \builtin eval "$(<"$PLUGIN")"; \builtin unset ZERO"#,
        r#"() { \builtin emulate -L zsh -o no_unset -o err_return; \builtin source "$PLUGIN" }"#,
        r#"() { \builtin emulate -L sh; \builtin source "$PLUGIN" }"#,
    ] {
        check(
            places.path(),
            [COMPINIT, load, ""],
            "\nsetopt ksh_arrays sh_word_split no_unset\nIFS=/\n",
        );
    }
}

#[test]
fn what_a_plugin_should_not_do_is_noticed() {
    let places = places_with_dump();
    for (fault, noticed) in [
        ("fpath+=(/nowhere)", "others, before and loaded"),
        ("\\builtin setopt dot_glob", "> globdots"),
        ("\\builtin alias ll='ls -l'", "> alias ll='ls -l'"),
        ("IFS=:", "> IFS :"),
        ("own=1", "> own scalar 1"),
        ("own() { : }", "> own () {"),
        ("_comps[ls]=_mx", "others, before and loaded"),
        ("functions[_mx_own]=:; functions[mx_plugin_unload]=:", "ours, before and after"),
        ("\\builtin print hello", "prints: hello"),
        ("\\builtin set -- other", "1|other"),
        ("\\builtin false", "'1|3|"),
    ] {
        let load = format!("{SOURCE}; {fault}");
        let said = tried(places.path(), [COMPINIT, &load, ""], "\n");
        assert!(said.contains(noticed), "{fault}: {said}");
    }
}
