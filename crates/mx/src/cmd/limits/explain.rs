//! `mx limits explain`: the limit that an error message is about.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use limits::explain::{self, Finding};

use super::cause::{self, Answer, Match, Subject};
use super::{answer, show};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;

/// Find the limit that an error message is about
///
/// Takes a message, or a log from a file or standard input, and shows the limit
/// that stopped the program, as mx limits does, with the line, the cause and
/// the fix. Only what is certain is answered: where a message has several
/// causes and none of their limits is near, mx says what would decide.
///
/// With --pid or --unit the limits are those of that process or service, and
/// the fix is for it. Without, they are those of the shell, unless the message
/// names a daemon that mx knows.
///
/// A word that begins with - and is no option is part of the message; after --
/// everything is.
///
/// Exit codes: 0 a limit is the cause, 1 none is, or the message does not
/// decide, 2 wrong usage, 3 it cannot be told here.
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx limits explain 'OSError: [Errno 24] Too many open files'
  journalctl -b | mx limits explain -
  mx limits explain build.log
  mx limits explain --unit web.service 'accept: Too many open files'")]
pub(crate) struct ExplainArgs {
    /// The message, or files with logs; - or nothing reads standard input
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
    /// The process that the message is from
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// The systemd service that the message is from
    #[arg(long, value_name = "UNIT", conflicts_with = "pid")]
    unit: Option<String>,
}

pub(super) fn explain(args: &ExplainArgs, out: &Out) -> Outcome {
    if let Some(word) = args.text.iter().find(|word| is_like_an_option(word)) {
        out.hint(&format!("{word} is no option here: it was read as a part of the message"));
    }
    let findings = read(&args.text)?;
    let subject = Subject::new(args.pid, args.unit.as_deref());
    let explained = cause::explain(findings, &subject)?;
    out.document("mx.limits-explain/1", &explained, || {
        show::table(&explained.limits, &explained.kernel)
    })?;
    if explained.matches.is_empty() {
        out.note("no limit that mx knows of is the cause");
        if let Some(hint) = hint_for_path(&args.text) {
            out.hint(&hint);
        }
        return Ok(Exit::No);
    }
    if let Some(unit) = subject.without_process() {
        out.note(&format!(
            "{unit} has no process that can be seen: its limits and what it uses are not known"
        ));
    }
    for found in &explained.matches {
        answer::print(found, &subject, out);
    }
    Ok(exit(&explained.matches))
}

fn exit(matches: &[Match]) -> Exit {
    let any = |wanted: &[Answer]| matches.iter().any(|found| wanted.contains(&found.answer));
    if any(&[Answer::Limit, Answer::Elsewhere, Answer::Unseen]) {
        Exit::Yes
    } else if any(&[Answer::Hidden]) {
        Exit::Unable
    } else {
        Exit::No
    }
}

/// The options of this command, which may come before and after a message.
const OPTIONS: [&str; 10] =
    ["--json", "--table", "--plain", "-q", "--quiet", "--color", "-h", "--help", "--pid", "--unit"];

/// Those that the next word belongs to.
const WITH_VALUE: [&str; 3] = ["--color", "--pid", "--unit"];

/// The words of a call, those from a place on with the options first and the
/// message after `--`: of itself, clap refuses `-bash: fork` as options.
pub(super) fn set_apart(mut words: Vec<OsString>, from: usize) -> Vec<OsString> {
    let mut rest = words.split_off(from).into_iter();
    let mut message = Vec::new();
    while let Some(word) = rest.next() {
        let name = word.to_str().map(|word| word.split('=').next().unwrap_or_default());
        if word == "--" {
            message.extend(rest);
            break;
        } else if name.is_some_and(|name| OPTIONS.contains(&name)) {
            let has_value = WITH_VALUE.iter().any(|name| word == *name);
            let value = if has_value { rest.next() } else { None };
            words.push(word);
            words.extend(value);
        } else {
            message.push(word);
        }
    }
    if !message.is_empty() {
        words.push("--".into());
    }
    words.extend(message);
    words
}

/// Whether a word could be an option with a slip: `--jsno`.
fn is_like_an_option(word: &str) -> bool {
    let name = word.strip_prefix("--").unwrap_or_default();
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// Words that are the names of files are logs.
fn read(text: &[String]) -> Result<Vec<Finding>, Failure> {
    let from_stdin = text.is_empty() || matches!(text, [one] if one == "-");
    if from_stdin {
        let stdin = io::stdin();
        if text.is_empty() && stdin.is_terminal() {
            return Err(Failure::usage(
                "cannot explain nothing: no message is given",
                "as in: mx limits explain 'Too many open files', or - for standard input",
            ));
        }
        return explain::find(stdin.lock())
            .map_err(|error| Failure::unable(format!("cannot read standard input: {error}")));
    }
    if !text.iter().all(|word| Path::new(word).is_file()) {
        return explain::find(text.join(" ").as_bytes())
            .map_err(|error| Failure::unable(format!("cannot read the message: {error}")));
    }
    let mut logs: Box<dyn Read> = Box::new(io::empty());
    for path in text {
        let file = File::open(path)
            .map_err(|error| Failure::unable(format!("cannot read {path}: {error}")))?;
        logs = Box::new(logs.chain(&b"\n"[..]).chain(file));
    }
    explain::find(logs)
        .map_err(|error| Failure::unable(format!("cannot read {}: {error}", text.join(" "))))
}

/// What was perhaps meant as the name of a file.
fn hint_for_path(text: &[String]) -> Option<String> {
    let [word] = text else { return None };
    let path = Path::new(word);
    if path.is_dir() {
        return Some(format!("{word} is a directory: name a file in it"));
    }
    let is_like_a_path = !word.contains(' ') && (word.contains('/') || path.extension().is_some());
    (is_like_a_path && !path.exists()).then(|| format!("there is no file {word}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_message_is_apart_from_the_options() {
        for (call, apart) in [
            ("-bash: fork", "-- -bash: fork"),
            ("EMFILE --json -q", "--json -q -- EMFILE"),
            ("a --color never -x --color=auto b", "--color never --color=auto -- a -x b"),
            ("--pid 7 fork --unit x y", "--pid 7 --unit x -- fork y"),
            ("a -- --json -- b", "-- a --json -- b"),
            ("--jsno - -n", "-- --jsno - -n"),
            ("--json --color", "--json --color"),
            ("--json", "--json"),
        ] {
            let words = call.split(' ').map(OsString::from).collect();
            assert_eq!(set_apart(words, 0).join(&OsString::from(" ")), apart, "{call}");
        }
    }

    #[test]
    fn every_option_is_known() {
        let mut mx = crate::Mx::command();
        mx.build();
        let limits = mx.find_subcommand("limits").expect("a command");
        let explain = limits.find_subcommand("explain").expect("a command");
        let options = explain.get_arguments().filter(|arg| !arg.is_positional());
        let spellings = options.flat_map(|arg| {
            let short = arg.get_short().map(|short| format!("-{short}"));
            short.into_iter().chain(arg.get_long().map(|long| format!("--{long}")))
        });
        let mut spellings: Vec<String> = spellings.collect();
        spellings.sort_unstable();
        let mut known = OPTIONS;
        known.sort_unstable();
        assert_eq!(spellings, known);
    }
}
