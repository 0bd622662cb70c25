//! The answers of `mx limits explain` in words.

use super::cause::{Answer, Match, Subject};
use crate::out::Out;

/// The line that matched, the cause, and what helps.
pub(super) fn print(found: &Match, subject: &Subject, out: &Out) {
    /// More of a line is not shown.
    const LONGEST: usize = 200;

    let times = if found.count > 1 { format!(" ({} lines)", found.count) } else { String::new() };
    let line: String = found.line.chars().take(LONGEST).collect();
    out.note(&format!("matched: {line}{times}"));
    out.note(&cause(found));
    let parts = [
        help(found, subject),
        found.persist.as_ref().map(|line| format!("until the next reboot; for good: {line}")),
        found.advice.map(str::to_owned),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        out.hint(&parts.join("; "));
    }
}

fn cause(found: &Match) -> String {
    let cause = found.cause;
    match (found.answer, found.limit) {
        (Answer::Limit | Answer::Elsewhere | Answer::Unseen, Some(limit)) => {
            format!("{limit}: {cause}")
        }
        (Answer::Nothing | Answer::NotNear, Some(_)) => format!("cannot tell {cause}"),
        (_, None) => format!("no limit of mx limits: {cause}"),
        _ => format!("cannot tell: {}: {cause}", found.candidates.join(" or ")),
    }
}

/// What lifts the limit, or why nothing is offered.
fn help(found: &Match, subject: &Subject) -> Option<String> {
    if let Some(fix) = &found.fix {
        return Some(fix.clone());
    }
    let text = match found.answer {
        Answer::Limit => "it is as high as it can be",
        Answer::Elsewhere => "there is no such limit here: it is one of where the program ran",
        Answer::Unseen => {
            "the files of this cgroup are not mounted here: outside of the container the limit can be read and raised"
        }
        Answer::Several if subject.has_process() || found.is_shared => {
            "none of them is near now: look again while the program fails"
        }
        Answer::Several => {
            "none of them is near now; --pid PID of the program, while it fails, decides"
        }
        Answer::Hidden => {
            "the files of this cgroup are not mounted here: outside of the container, its pids.max and memory.max can be read"
        }
        Answer::NotNear => {
            "its use decides, and is not near it now: look again while the program fails"
        }
        Answer::Nothing => return None,
    };
    Some(text.to_owned())
}
