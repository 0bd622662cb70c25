//! `mx limits explain`: the limit that an error message is about.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use limits::daemons::Daemon;
use limits::explain::{self, Finding, Verdict};
use limits::mend::{self, Fix, GroupLimit, Target};
use limits::scope::{self, Starter};
use limits::{KernelLimit, Limit, Name, Query, Report, State, Value};
use serde::Serialize;

use super::{fix, show};
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

#[derive(Serialize)]
struct Explained {
    matches: Vec<Match>,
    limits: Vec<Limit>,
    kernel: Vec<KernelLimit>,
}

#[derive(Serialize)]
struct Match {
    /// The limit that is the cause, or the likeliest of several.
    limit: Option<&'static str>,
    /// Whether it is this one; false if the message and what is in use leave several.
    certain: bool,
    /// All limits that may be the cause.
    candidates: Vec<&'static str>,
    cause: &'static str,
    /// What lifts the limit.
    fix: Option<String>,
    /// What keeps it lifted after a reboot.
    persist: Option<String>,
    /// What else helps, or would decide.
    advice: Option<&'static str>,
    /// The first line that showed it.
    line: String,
    /// How many lines did.
    count: u64,
    #[serde(skip)]
    answer: Answer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// This limit.
    Limit,
    /// It is a limit that is not here.
    Elsewhere,
    /// No limit that is listed, or the message does not decide.
    Nothing,
    /// Several may be, and none is near.
    Several,
    /// The cgroup's limits cannot be seen.
    Hidden,
}

pub(super) fn explain(args: &ExplainArgs, out: &Out) -> Outcome {
    if let Some(word) = args.text.iter().find(|word| is_like_an_option(word)) {
        out.hint(&format!("{word} is no option here: it was read as a part of the message"));
    }
    let findings = read(&args.text)?;
    let pid = match &args.unit {
        Some(unit) => scope::process_of_unit(&unit_name(unit)),
        None => args.pid,
    };
    let names: Vec<Name> = findings.iter().flat_map(|one| one.symptom.names()).collect();
    // Without a name everything would be listed.
    let report = if names.is_empty() {
        Report {
            pid: 0,
            limits: Vec::new(),
            kernel: Vec::new(),
            notes: Vec::new(),
            holders: None,
            hidden: 0,
        }
    } else {
        limits::list(&Query { names, pid, ..Query::default() })?
    };
    let nothing = findings.is_empty();
    let matches: Vec<Match> =
        findings.into_iter().map(|finding| explained(finding, &report, args)).collect();
    let explained = Explained { matches, limits: report.limits, kernel: report.kernel };
    print(&explained, out)?;
    if nothing {
        out.note("no limit that mx knows of is the cause");
        if let Some(hint) = hint_for_path(&args.text) {
            out.hint(&hint);
        }
        return Ok(Exit::No);
    }
    for found in &explained.matches {
        report_match(found, out);
    }
    let any =
        |answers: &[Answer]| explained.matches.iter().any(|one| answers.contains(&one.answer));
    Ok(if any(&[Answer::Limit, Answer::Elsewhere]) {
        Exit::Yes
    } else if any(&[Answer::Hidden]) {
        Exit::Unable
    } else {
        Exit::No
    })
}

fn report_match(found: &Match, out: &Out) {
    let times = if found.count > 1 { format!(" ({} lines)", found.count) } else { String::new() };
    let line: String = found.line.chars().take(200).collect();
    out.note(&format!("matched: {line}{times}"));
    let names = match (found.answer, found.limit) {
        (Answer::Limit | Answer::Elsewhere, Some(limit)) => limit.to_owned(),
        (_, None) if found.candidates.is_empty() => "no limit of mx limits".to_owned(),
        _ => format!("cannot tell: {}", found.candidates.join(" or ")),
    };
    out.note(&format!("{names}: {}", found.cause));
    let advice = found.advice.unwrap_or_default();
    let hint = match (&found.fix, found.answer) {
        (Some(fix), _) => fix.clone(),
        (None, Answer::Limit) => "it is as high as it can be".to_owned(),
        (None, Answer::Elsewhere) => {
            "there is no such limit here: it is one of where the program ran".to_owned()
        }
        (None, Answer::Several) => {
            "none of them is near now; --pid PID of the program, while it fails, decides".to_owned()
        }
        (None, Answer::Hidden) => {
            "the files of this cgroup are not mounted here: outside of the container, its pids.max and memory.max can be read".to_owned()
        }
        (None, Answer::Nothing) => String::new(),
    };
    let persist =
        found.persist.iter().map(|line| format!("until the next reboot; for good: {line}"));
    let parts: Vec<String> = [hint].into_iter().chain(persist).chain([advice.to_owned()]).collect();
    let parts: Vec<&str> =
        parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    if !parts.is_empty() {
        out.hint(&parts.join("; "));
    }
}

/// `web` is `web.service`.
fn unit_name(unit: &str) -> String {
    if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") }
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

#[derive(Clone, Copy)]
enum Either<'a> {
    Limit(&'a Limit),
    Kernel(&'a KernelLimit),
}

impl Either<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Limit(limit) => limit.resource.name,
            Self::Kernel(limit) => limit.name,
        }
    }

    fn state(self) -> Option<State> {
        match self {
            Self::Limit(limit) => limit.state,
            Self::Kernel(limit) => limit.state,
        }
    }

    /// Whether it can stop a process: no limit stops nothing, and root is
    /// exempt from the limit on its processes.
    fn binds(self, pid: u32) -> bool {
        match self {
            Self::Limit(limit) => {
                limit.value.soft != Value::Unlimited
                    && !(limit.resource.name == "nproc" && scope::is_exempt_from_nproc(pid))
            }
            Self::Kernel(_) => true,
        }
    }
}

fn explained(finding: Finding, report: &Report, args: &ExplainArgs) -> Match {
    let symptom = finding.symptom;
    let of = |name: Name| {
        let limits = report.limits.iter().filter(move |limit| limit.is(name));
        let kernel = report.kernel.iter().filter(move |limit| limit.is(name));
        limits.map(Either::Limit).chain(kernel.map(Either::Kernel))
    };
    let all: Vec<Either> = symptom.names().flat_map(of).collect();
    let is_only = all.iter().all(|one| one.name() == all[0].name());
    let mut candidates: Vec<Either> =
        all.iter().copied().filter(|one| one.binds(report.pid)).collect();
    // A message that has only one cause is from elsewhere, where it binds.
    if candidates.is_empty() && symptom.limits().len() == 1 {
        candidates = all;
    }
    let decided = explain::decided(candidates.iter().map(|one| (one, one.state()))).copied();
    let is_near = decided.is_some_and(|one| one.state().is_some_and(|state| state > State::Ok));
    // What does not bind the shell may have bound the program.
    let decided = decided.filter(|_| is_near || is_only);
    let has_group = symptom.limits().iter().any(|name| matches!(*name, "pids.max" | "memory.max"));
    let is_hidden = has_group && !is_near && scope::hides_cgroup(report.pid);
    let of_group = fix_of_group(&finding);
    let (answer, fix) = match (symptom.verdict, decided) {
        (Verdict::Other | Verdict::Unsure(_), _) => (Answer::Nothing, None),
        _ if of_group.is_some() => (Answer::Elsewhere, of_group),
        _ if is_hidden => (Answer::Hidden, None),
        (_, Some(one)) => (Answer::Limit, lift(one, &finding, report, args)),
        (_, None) if candidates.is_empty() => (Answer::Elsewhere, None),
        _ => (Answer::Several, None),
    };
    let names: Vec<&'static str> = candidates.iter().map(|one| one.name()).collect();
    let likeliest = decided.map(Either::name).or_else(|| names.first().copied());
    let Finding { line, count, .. } = finding;
    Match {
        limit: likeliest.or_else(|| symptom.limits().first().copied()),
        certain: matches!(answer, Answer::Limit | Answer::Elsewhere),
        candidates: if names.is_empty() { symptom.limits().to_vec() } else { names },
        cause: symptom.cause,
        fix: fix.as_ref().map(|fix| with_setting(fix, &line)),
        persist: fix.as_ref().and_then(fix::for_good),
        advice: symptom.advice,
        line,
        count,
        answer,
    }
}

fn lift(one: Either, finding: &Finding, report: &Report, args: &ExplainArgs) -> Option<Fix> {
    match one {
        Either::Kernel(limit) => mend::lift_kernel(limit, None),
        Either::Limit(limit) => mend::lift(limit, None, &target(finding, report, args)),
    }
}

/// Where a limit of a process is to be lifted: of the process that is named,
/// the daemon that the message is from, or else of the shell.
fn target(finding: &Finding, report: &Report, args: &ExplainArgs) -> Target {
    if let Some(unit) = &args.unit {
        return Target::Unit(unit_name(unit));
    }
    if let Some(pid) = args.pid {
        return match scope::starter(pid) {
            Some(Starter::Unit(unit)) => Target::Unit(unit),
            Some(Starter::Container) => Target::Container,
            None => Target::Process(pid),
        };
    }
    match Daemon::of(&finding.line).filter(|_| mend::HAS_UNITS) {
        Some(daemon) => Target::Unit(daemon.unit.to_owned()),
        None => Target::Shell(report.pid),
    }
}

/// The fix, and the setting of a daemon that does the same.
fn with_setting(fix: &Fix, line: &str) -> String {
    let text = fix::command(fix);
    let setting = Daemon::of(line).and_then(|daemon| daemon.files_setting);
    match (fix, setting) {
        (Fix::Unit { resource, value, .. }, Some((name, file))) if resource.name == "nofile" => {
            format!("{text}; or {name} with {value} in {file}")
        }
        _ => text,
    }
}

/// What lifts the limit of the cgroup that the message names.
fn fix_of_group(finding: &Finding) -> Option<Fix> {
    let limit = match finding.symptom.limits() {
        ["pids.max"] => GroupLimit::Pids,
        ["memory.max"] => GroupLimit::Memory,
        _ => return None,
    };
    mend::lift_group(scope::cgroup_in(&finding.line)?, limit, None)
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
