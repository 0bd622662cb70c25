//! `mx limits explain`: the limit behind an error message.

use std::ffi::OsString;
use std::io::{self, IsTerminal};

use limits::explain::{self, Finding};
use limits::{KernelLimit, Limit, Name, Query, Report, Value, mend};
use serde::Serialize;

use super::show;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;

/// Find the limit behind an error message
///
/// Takes a message, or a log from standard input, and shows the limits behind
/// it, as mx limits does, with the cause and the command that mends it.
///
/// What begins with a - and is no option is part of the message; behind --
/// everything is.
///
/// Exit codes: 0 a limit is behind it, 1 no limit that is known, 2 wrong usage,
/// 3 it cannot be told.
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx limits explain 'OSError: [Errno 24] Too many open files'
  journalctl -b | mx limits explain -")]
pub(crate) struct ExplainArgs {
    /// The message; - or nothing reads standard input
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
}

#[derive(Serialize)]
struct Explained {
    matches: Vec<Match>,
    limits: Vec<Limit>,
    kernel: Vec<KernelLimit>,
}

#[derive(Serialize)]
struct Match {
    /// The limit that most likely did it, by a name among the limits below,
    /// unless none of those that may have is here.
    limit: &'static str,
    cause: &'static str,
    /// The command that lifts the limit.
    fix: Option<String>,
    /// What else helps.
    advice: Option<&'static str>,
    /// The first line that showed it.
    line: String,
    /// How many lines did.
    count: u64,
}

pub(super) fn explain(args: &ExplainArgs, out: &Out) -> Outcome {
    if let Some(word) = args.text.iter().find(|word| is_like_an_option(word)) {
        out.hint(&format!("{word} is no option here: it was read as a part of the message"));
    }
    let findings = read(&args.text)?;
    let names: Vec<Name> = findings.iter().flat_map(|one| one.symptom.names()).collect();
    // Without a name everything would be listed.
    if names.is_empty() {
        let nothing = Explained { matches: Vec::new(), limits: Vec::new(), kernel: Vec::new() };
        print(&nothing, out)?;
        out.note("no limit that mx knows of is behind this");
        return Ok(Exit::No);
    }
    let report = limits::list(&Query { names, ..Query::default() })?;
    let matches = findings.into_iter().map(|finding| explained(finding, &report)).collect();
    let explained = Explained { matches, limits: report.limits, kernel: report.kernel };
    print(&explained, out)?;
    for found in &explained.matches {
        let times =
            if found.count > 1 { format!(" ({} lines)", found.count) } else { String::new() };
        out.note(&format!("{}: {}{times}", found.limit, found.cause));
        let listed = explained.limits.iter().any(|limit| limit.resource.name == found.limit)
            || explained.kernel.iter().any(|limit| limit.name == found.limit);
        let fix = match &found.fix {
            Some(fix) => fix,
            None if listed => "it is as high as it can be",
            None => "there is no such limit here: it is one of where the program ran",
        };
        let advice = found.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
        out.hint(&format!("{fix}{advice}"));
    }
    Ok(Exit::Yes)
}

/// The options of this command, which a message may stand before and behind.
const OPTIONS: [&str; 8] =
    ["--json", "--table", "--plain", "-q", "--quiet", "--color", "-h", "--help"];

/// The words of a call, those from a place on with the options first and the
/// message behind `--`: of itself, clap refuses `-bash: fork` as options.
pub(super) fn set_apart(mut words: Vec<OsString>, from: usize) -> Vec<OsString> {
    let mut rest = words.split_off(from).into_iter();
    let mut message = Vec::new();
    while let Some(word) = rest.next() {
        let name = word.to_str().map(|word| word.split('=').next().unwrap_or_default());
        if word == "--" {
            message.extend(rest);
            break;
        } else if name.is_some_and(|name| OPTIONS.contains(&name)) {
            let value = if word == "--color" { rest.next() } else { None };
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

fn read(text: &[String]) -> Result<Vec<Finding>, Failure> {
    let from_stdin = text.is_empty() || matches!(text, [one] if one == "-");
    if !from_stdin {
        return explain::find(text.join(" ").as_bytes())
            .map_err(|error| Failure::unable(format!("cannot read the message: {error}")));
    }
    let stdin = io::stdin();
    if text.is_empty() && stdin.is_terminal() {
        return Err(Failure::usage(
            "cannot explain nothing: no message is given",
            "as in: mx limits explain 'Too many open files', or - for standard input",
        ));
    }
    explain::find(stdin.lock())
        .map_err(|error| Failure::unable(format!("cannot read standard input: {error}")))
}

enum Either<'a> {
    Limit(&'a Limit),
    Kernel(&'a KernelLimit),
}

fn explained(finding: Finding, report: &Report) -> Match {
    let of = |name: Name| {
        let limits = report.limits.iter().filter(move |limit| limit.is(name));
        let kernel = report.kernel.iter().filter(move |limit| limit.is(name));
        limits.map(Either::Limit).chain(kernel.map(Either::Kernel))
    };
    let all = || finding.symptom.names().flat_map(of);
    // No limit stops nothing, unless the message is from elsewhere.
    let is_limit = |one: &Either| match one {
        Either::Limit(limit) => limit.value.soft != Value::Unlimited,
        Either::Kernel(_) => true,
    };
    let mut candidates: Vec<Either> = all().filter(is_limit).collect();
    if candidates.is_empty() {
        candidates.extend(all());
    }
    let likely = explain::nearest(candidates.iter().map(|one| match one {
        Either::Limit(limit) => (one, limit.state),
        Either::Kernel(limit) => (one, limit.state),
    }));
    let (limit, fix) = match likely {
        None => (finding.symptom.limits[0], None),
        Some(Either::Limit(limit)) => (limit.resource.name, mend::lift(limit, None, report.pid)),
        Some(Either::Kernel(limit)) => (limit.name, mend::lift_kernel(limit, None)),
    };
    let Finding { symptom, line, count } = finding;
    Match { limit, cause: symptom.cause, fix, advice: symptom.advice, line, count }
}

fn print(explained: &Explained, out: &Out) -> Result<(), Failure> {
    out.document("mx.limits-explain/1", explained, || {
        show::table(&explained.limits, &explained.kernel)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_message_stands_apart_from_the_options() {
        for (call, apart) in [
            ("-bash: fork", "-- -bash: fork"),
            ("EMFILE --json -q", "--json -q -- EMFILE"),
            ("a --color never -x --color=auto b", "--color never --color=auto -- a -x b"),
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
