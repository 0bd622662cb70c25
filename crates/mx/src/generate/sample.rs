//! Kinds of arguments that few commands have, completed in real shells.

use std::fs;
use std::path::Path;
use std::process::Command as Process;

use clap::builder::PossibleValue;
use clap::{Arg, Command, ValueHint};

use super::{bash, fish, zsh};

/// Commands with files, directories and another program's command line.
fn sample() -> Command {
    let option = |name: &'static str, hint| Arg::new(name).long(name).value_hint(hint);
    let words = [PossibleValue::new("one").help("It's \"1\" [$]"), PossibleValue::new("two")];
    let copy = Command::new("copy")
        .visible_alias("c")
        .arg(option("into", ValueHint::DirPath).short('i'))
        .arg(option("mode", ValueHint::Unknown).value_parser(words))
        .arg(option("any", ValueHint::Unknown))
        .arg(Arg::new("from").value_hint(ValueHint::FilePath))
        .arg(Arg::new("to").value_parser(["left", "right"]));
    let run =
        Command::new("run").arg(Arg::new("names").num_args(1..).value_hint(ValueHint::Other)).arg(
            Arg::new("command")
                .num_args(1..)
                .last(true)
                .value_hint(ValueHint::CommandWithArguments),
        );
    let mut sample = Command::new("mx").subcommand(copy).subcommand(run);
    sample.build();
    sample
}

/// What is typed, whether a blank ends it, and what completion then offers.
const CASES: [(&str, &[&str]); 12] = [
    ("mx copy ", &["a file", "dir/"]),
    ("mx c a", &["a file"]),
    ("mx copy x ", &["left", "right"]),
    ("mx copy x left ", &[]),
    ("mx copy -i ", &["dir/"]),
    ("mx copy --into=d", &["dir/"]),
    ("mx copy --mode ", &["one", "two"]),
    ("mx copy --mode=t", &["two"]),
    ("mx copy --any ", &[]),
    ("mx run ", &[]),
    ("mx run x -- mx-sample-p", &["mx-sample-program"]),
    ("mx run x -- cat a", &["a file"]),
];

/// A directory with a file, a directory and a program, and the completion.
fn directory(name: &str, script: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    fs::write(path.join(name), script).expect("a file");
    fs::create_dir_all(path.join("work/dir")).expect("a directory");
    fs::write(path.join("work/a file"), "").expect("a file");
    fs::create_dir(path.join("bin")).expect("a directory");
    std::os::unix::fs::symlink("/bin/sh", path.join("bin/mx-sample-program")).expect("a link");
    directory
}

fn run(shell: &str, arguments: &[&str], directory: &Path) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Process::new(shell)
        .args(arguments)
        .current_dir(directory.join("work"))
        .env("PATH", format!("{}:{path}", directory.join("bin").display()))
        .env("HOME", directory)
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .expect("the shell runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn zsh_offers_files_where_files_belong() {
    // A shell behind a pseudo-terminal completes each line at ^G, and writes to
    // `offered` what its completion functions add.
    const TRY: &str = r#"
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z 'autoload -Uz compinit; compinit -u -D; autoload -Uz $PWD/../_mx; compdef _mx mx'
        zpty -w z 'compadd() {
            local -a added
            if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
              builtin compadd -A added "$@"; offered+=("${added[@]}")
            fi
            builtin compadd "$@"
          }
          offer() {
            local -a offered
            _main_complete
            # Where nothing else can stand, zsh offers options.
            offered=("${(@uQ)offered:#-*}")
            offered=("${(@)offered/%dir/dir/}")
            print -r -- "${(j:|:)offered}" >>../offered
            compstate[insert]= compstate[list]=
          }
          zle -C offer complete-word offer
          clear-and-tell() { BUFFER= }
          zle -N clear-and-tell
          bindkey "^G" offer "^O" clear-and-tell'
        for line; do zpty -w -n z "$line"$'\C-G\C-O'; done
        zpty -w z 'exit'
        while zpty -r z; do :; done >../screen
        cat ../offered"#;
    let directory = directory("_mx", &zsh::script(&sample()));
    let lines = CASES.map(|(typed, _)| typed);
    let arguments = [&["-f", "-c", TRY, "zsh"], lines.as_slice()].concat();
    assert_offered(&run("zsh", &arguments, directory.path()));
}

/// One line for each case: the candidates, separated by `|`.
fn assert_offered(printed: &str) {
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), CASES.len(), "{printed}");
    for ((typed, expected), line) in CASES.iter().zip(lines) {
        // fish writes the option in front of its value.
        let words = line.split('|').filter(|word| !word.is_empty());
        let mut offered: Vec<&str> =
            words.map(|word| word.split_once('=').map_or(word, |(_, value)| value)).collect();
        offered.sort_unstable();
        assert_eq!(&offered, expected, "{typed}");
    }
}

#[test]
fn bash_offers_files_where_files_belong() {
    const TRY: &str = r#"
        source ../mx.bash
        shopt -u progcomp_alias 2>/dev/null
        for line; do
          COMP_LINE=$line COMP_POINT=${#line} COMP_WORDS=(${line//=/ = })
          [[ $line == *' ' ]] && COMP_WORDS+=('')
          COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
          _mx
          for i in "${!COMPREPLY[@]}"; do
            [[ -d ${COMPREPLY[i]} ]] && COMPREPLY[i]+=/  # As Readline does.
          done
          (IFS='|'; printf '%s\n' "${COMPREPLY[*]}")
        done"#;
    let directory = directory("mx.bash", &bash::script(&sample()));
    let lines = CASES.map(|(typed, _)| typed);
    let arguments = [&["--norc", "-c", TRY, "bash"], lines.as_slice()].concat();
    assert_offered(&run("bash", &arguments, directory.path()));
}

#[test]
fn fish_offers_files_where_files_belong() {
    const TRY: &str = r"
        source ../mx.fish
        for line in $argv
            echo (complete -C $line | string replace -r '\t.*' '' | string join '|')
        end";
    let directory = directory("mx.fish", &fish::script(&sample()));
    let lines = CASES.map(|(typed, _)| typed);
    let arguments = [&["--no-config", "-c", TRY], lines.as_slice()].concat();
    assert_offered(&run("fish", &arguments, directory.path()));
}
