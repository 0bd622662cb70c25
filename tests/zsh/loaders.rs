//! The plugin under the plugin managers.
//!
//! Those that Debian carries are tested themselves, from a repository on this disk; so is
//! every other that stands in the directory `MX_TEST_LOADERS`, as `NAME/…` of [`REAL`].
//! For all of them there are the stand-ins of `loaders.zsh`, which do what the manuals say
//! and can show no more than that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{PROMPT, copy_plugin, root, start_up, started_processes, zsh};

/// A plugin manager.
struct Loader {
    name: &'static str,
    /// Its main file; a relative path is one below `MX_TEST_LOADERS`.
    file: &'static str,
    /// What loads `$TREE` from .zshrc, with that file as `$LOADER`.
    lines: &'static str,
}

/// The first two are packages of Debian, and must be there on Linux.
const REAL: [Loader; 10] = [
    Loader {
        name: "antigen",
        file: "/usr/share/zsh-antigen/antigen.zsh",
        lines: "source $LOADER; antigen bundle $TREE; antigen apply",
    },
    Loader {
        name: "zplug",
        file: "/usr/share/zplug/init.zsh",
        lines: "ZPLUG_HOME=$ZDOTDIR/zplug; source $LOADER; zplug $TREE, from:local; zplug load",
    },
    Loader {
        name: "zinit light",
        file: "zinit/zinit.zsh",
        lines: "source $LOADER; zinit light $TREE; zicompinit; zicdreplay -q",
    },
    Loader {
        name: "zinit load, behind compinit",
        file: "zinit/zinit.zsh",
        lines: "compinit; source $LOADER; zinit load $TREE",
    },
    Loader {
        name: "zinit, in turbo mode",
        file: "zinit/zinit.zsh",
        lines: "source $LOADER; zinit wait lucid light-mode \
                atload'zicompinit; zicdreplay -q; zle -M loaded' for $TREE",
    },
    Loader {
        name: "antidote",
        file: "antidote/antidote.zsh",
        lines: "source $LOADER; print -r -- $TREE >$ZDOTDIR/.zsh_plugins.txt; \
                antidote load; compinit",
    },
    Loader {
        name: "oh-my-zsh",
        file: "ohmyzsh/oh-my-zsh.sh",
        lines: "ZSH=${LOADER:h} ZSH_CUSTOM=$ZDOTDIR ZSH_THEME= plugins=(mx); \
                zstyle ':omz:update' mode disabled; source $LOADER; PS1='ready> '",
    },
    Loader {
        name: "prezto",
        file: "prezto/init.zsh",
        lines: "zstyle ':prezto:load' pmodule-dirs $ZDOTDIR/plugins; \
                zstyle ':prezto:load' pmodule environment utility mx; source $LOADER; compinit",
    },
    Loader {
        name: "zim",
        file: "zimfw/zimfw.zsh",
        lines: "ZIM_HOME=$ZDOTDIR/zim; print -r -- zmodule $TREE >$ZDOTDIR/.zimrc; \
                source $LOADER init -q; source $ZIM_HOME/init.zsh; compinit",
    },
    Loader {
        name: "sheldon",
        file: "cargo/bin/sheldon",
        lines: "export SHELDON_CONFIG_DIR=$ZDOTDIR SHELDON_DATA_DIR=$ZDOTDIR/sheldon; \
                print -rl 'shell = \"zsh\"' '[plugins.mx]' \"local = '$TREE'\" >$ZDOTDIR/plugins.toml; \
                eval \"$($LOADER --quiet source)\"; compinit",
    },
];

/// The stand-ins, and how a start-up file uses them; one with `later` loads after the prompt.
const STAND_INS: [&str; 14] = [
    "oh-my-zsh $TREE; compinit",
    "compinit; oh-my-zsh $TREE",
    "zinit-light $TREE; compinit; replay",
    "compinit; zinit-light $TREE; replay",
    "compinit; zinit-load $TREE",
    "later 'zinit-light $TREE; compinit; replay'",
    "compinit; later 'zinit-load $TREE'",
    "compinit; antidote $TREE",
    "compinit; later 'antidote $TREE'",
    "antigen $TREE; compinit",
    "zplug $TREE; compinit",
    "prezto $TREE; compinit",
    "zim $TREE; compinit",
    "sheldon $TREE; compinit",
];

/// A home in which `plugins/mx` is a git repository with the plugin.
fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a directory");
    let tree = home.path().join("plugins/mx");
    fs::create_dir(home.path().join("plugins")).expect("a directory");
    copy_plugin(&tree);
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@localhost", "-C"]).arg(&tree);
        assert!(git.args(arguments).status().expect("git runs").success());
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "mx"]);
    (home, tree)
}

/// The first prompt is all that is seen; its first TAB completes; unloading leaves nothing.
fn check(home: &TempDir, lines: &str) {
    fs::write(home.path().join(".zshrc"), start_up(lines)).expect("a start-up file");
    let mut terminal = zsh(home);
    if lines.contains("loaded") || lines.contains("later") {
        terminal.wait_for("nothing but the prompt and a message", |text| {
            text.split_whitespace().eq([PROMPT, "loaded"])
        });
    } else {
        terminal.wait_for("nothing but the prompt", |text| text.trim() == PROMPT);
    }
    terminal.type_text("mx po\t");
    terminal.wait_for_text("> mx ports");
    terminal.type_text("\x15mx_plugin_unload; clear\r");
    terminal.type_text(
        "print -r -- is=$_comps[mx] left=${(M)${(k)functions}:#(mx|mx_*|_mx*)}\
         ${(M)${(k)parameters}:#_mx}${(M)precmd_functions:#_mx*}.\r",
    );
    terminal.wait_for_text("\nis=_hosts left=.");
}

/// Where a plugin manager is, if it is.
fn installed(loader: &Loader) -> Option<PathBuf> {
    let file = match std::env::var_os("MX_TEST_LOADERS") {
        Some(directory) => Path::new(&directory).join(loader.file),
        None => PathBuf::from(loader.file),
    };
    (file.is_absolute() && file.exists()).then_some(file)
}

#[test]
fn plugin_managers_load_it() {
    let (linux, mut seen) = (cfg!(target_os = "linux"), Vec::new());
    for loader in &REAL {
        let Some(file) = installed(loader) else { continue };
        seen.push(loader.name);
        let (home, tree) = home();
        let lines = format!("LOADER={}; TREE={}; {}", file.display(), tree.display(), loader.lines);
        // The first shell of all installs, and may say so.
        fs::write(home.path().join(".zshrc"), start_up(&lines)).expect("a start-up file");
        drop(zsh(&home));
        check(&home, &lines);
    }
    assert!(!linux || seen.starts_with(&["antigen", "zplug"]), "{seen:?}");
}

#[test]
fn stand_ins_for_plugin_managers_load_it() {
    let (home, tree) = home();
    for lines in STAND_INS {
        let loaders = root().join("tests/zsh/loaders.zsh");
        check(&home, &format!("source {}; TREE={}; {lines}", loaders.display(), tree.display()));
    }
}

#[test]
fn stand_ins_for_plugin_managers_start_no_process_for_it() {
    let (home, tree) = home();
    let empty = home.path().join("empty/mx");
    fs::create_dir_all(&empty).expect("a directory");
    fs::write(empty.join("mx.plugin.zsh"), "").expect("a file");
    let loaders = root().join("tests/zsh/loaders.zsh");
    let processes = |lines: &str, tree: &Path| {
        let lines = format!("compinit() {{ }}; compdef() {{ }}; source $1; TREE=$2; {lines}");
        let file = |path: &Path| path.display().to_string();
        started_processes(&["zsh", "-f", "-c", &lines, "zsh", &file(&loaders), &file(tree)])
    };
    // After the prompt there is no shell to ask; the same functions load it before.
    for lines in STAND_INS.iter().filter(|lines| !lines.contains("later")) {
        assert_eq!(processes(lines, &tree), processes(lines, &empty), "{lines}");
    }
}
