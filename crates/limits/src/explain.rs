//! Which limit an error message is about.
//!
//! What is known is in the table of `symptoms`; here it is
//! looked up, line by line, in memory that does not grow with the text.

use std::io::{self, Read};

use crate::matching::Pattern;
use crate::quoted::is_quoted;
use crate::scan::{Scanner, cleaned};
use crate::{Name, State, symptoms};

pub use crate::symptoms::{Symptom, Verdict};

/// A cause that was found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is known about it.
    pub symptom: &'static Symptom,
    /// The first line that showed it.
    pub line: String,
    /// How many lines did.
    pub count: u64,
}

impl Symptom {
    /// The cause that a line of text shows.
    pub fn of(line: &str) -> Option<&'static Self> {
        let findings = find(line.as_bytes()).expect("memory can be read");
        findings.first().map(|finding| finding.symptom)
    }

    /// Whether it has one cause, or causes that what is in use decides between.
    fn decides(&self) -> bool {
        matches!(self.verdict, Verdict::Limits(_) | Verdict::Other)
    }

    /// The limits that it is about, by the names that are listed.
    pub fn names(&self) -> impl Iterator<Item = Name> {
        self.limits().iter().filter_map(|name| name.parse().ok())
    }
}

/// The causes that the lines of a text show, each once, in the order of their
/// first lines. A line that decides a cause takes the place of those that do not.
pub fn find(text: impl Read) -> io::Result<Vec<Finding>> {
    /// More of a line is not shown.
    const LONGEST: usize = 2000;

    let patterns: Vec<(&'static Symptom, &'static Pattern)> =
        symptoms::rows().flat_map(|row| row.patterns.iter().map(move |one| (row, one))).collect();
    let numbers = (0_u16..).zip(&patterns);
    let scanner = Scanner::new(numbers.flat_map(|(number, (_, pattern))| {
        pattern.key.keys().into_iter().map(move |words| (words, number))
    }));
    let mut findings: Vec<Finding> = Vec::new();
    scanner.scan(text, |line, numbers| {
        let clean = cleaned(line);
        let mut hits = numbers.iter().map(|number| patterns[usize::from(*number)]);
        let Some((symptom, _)) = hits.find(|(_, pattern)| pattern.is_in(&clean)) else { return };
        if is_quoted(&clean) {
            return;
        }
        if let Some(known) = findings.iter_mut().find(|finding| finding.symptom == symptom) {
            known.count += 1;
            return;
        }
        let shown = &line[..line.len().min(LONGEST)];
        let line = String::from_utf8_lossy(shown).trim().to_owned();
        findings.push(Finding { symptom, line, count: 1 });
    })?;
    let decided: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.symptom.decides())
        .map(|finding| finding.symptom.about)
        .collect();
    findings.retain(|finding| {
        let symptom = finding.symptom;
        !(!symptom.decides() && !symptom.about.is_empty() && decided.contains(&symptom.about))
    });
    Ok(findings)
}

/// The limit among these that is the cause: the only one, or the only one that
/// is near. `None` if several may be.
pub fn decided<'a, T>(limits: impl Iterator<Item = (&'a T, Option<State>)>) -> Option<&'a T> {
    let limits: Vec<(&T, Option<State>)> = limits.collect();
    if let [(only, _)] = limits[..] {
        return Some(only);
    }
    [State::Reached, State::Near].into_iter().find_map(|wanted| {
        let mut there = limits.iter().filter(|(_, state)| *state == Some(wanted));
        there.next().map(|(limit, _)| *limit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_explains_its_own_messages_and_no_neighbour() {
        let mut wrong = Vec::new();
        for symptom in symptoms::rows() {
            assert!(!symptom.messages.is_empty(), "{symptom:?}");
            assert!(!symptom.neighbours.is_empty(), "{symptom:?}");
            for message in symptom.messages {
                let found = Symptom::of(message).map(|found| found.cause);
                if found != Some(symptom.cause) {
                    wrong.push(format!("{message}: {found:?}"));
                }
            }
            for neighbour in symptom.neighbours {
                let found = Symptom::of(neighbour).map(|found| found.cause);
                wrong.extend(found.map(|found| format!("{neighbour}: {found}")));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn each_message_is_found_behind_a_prefix_of_a_log() {
        for symptom in symptoms::rows() {
            for message in symptom.messages {
                let line = format!("Nov 26 01:25:38 host app[4711]: {message}");
                let found = Symptom::of(&line).map(|found| found.cause);
                assert_eq!(found, Some(symptom.cause), "{line}");
            }
        }
    }

    #[test]
    fn each_row_is_well_formed() {
        for symptom in symptoms::rows() {
            assert_eq!(symptom.names().count(), symptom.limits().len(), "{symptom:?}");
            assert!(!symptom.patterns.is_empty(), "{symptom:?}");
            for words in symptom.patterns.iter().flat_map(|pattern| pattern.key.keys()) {
                assert_eq!(words, words.to_lowercase(), "words are in lower case");
                assert!(words.len() > 2 && words.as_bytes()[0].is_ascii_alphanumeric(), "{words}");
            }
            assert!(!symptom.cause.ends_with('.') && !symptom.cause.is_empty(), "{symptom:?}");
            let decides = !matches!(symptom.verdict, Verdict::Limits(_));
            assert!(!decides || symptom.advice.is_some(), "says what decides: {symptom:?}");
        }
    }

    #[test]
    fn each_pattern_is_needed() {
        for symptom in symptoms::rows() {
            for pattern in symptom.patterns {
                let shown = |message: &&&str| pattern.is_in(&cleaned(message.as_bytes()));
                let words = pattern.key.keys();
                let any = symptom.messages.iter().any(|message| shown(&message))
                    || Symptom::of(words[0]).is_none_or(|found| found.cause == symptom.cause);
                assert!(any, "an earlier row hides {pattern:?}");
            }
        }
    }

    #[test]
    fn what_is_no_limit() {
        for text in [
            "",
            "bash: ./a.out: Text file busy",
            "OSError: [Errno 26] Text file busy: './x'",
            "Error: ETXTBSY: text file is busy",
            "No space left on device",
            "OSError: [Errno 28] No space left on device: '/home/ana/x'",
            "Permission denied",
            "bind: Address already in use",
            "Segmentation fault (core dumped)",
            "the cat killed a mouse",
            "Resource temporarily unavailable",
            "open files are fine, nothing to watch",
            "-bash: fork",
        ] {
            assert_eq!(Symptom::of(text), None, "{text}");
        }
    }

    /// What compilers, interpreters, shells, package managers, git, a kernel and
    /// a journal print in ordinary work, with errors that are about no limit.
    #[test]
    fn an_ordinary_log_shows_nothing() {
        let corpus = include_str!("../../../tests/corpus/ordinary.log");
        assert!(corpus.lines().count() >= 2000);
        let found = find(corpus.as_bytes()).expect("memory can be read");
        let shown: Vec<&str> = found.iter().map(|finding| finding.line.as_str()).collect();
        assert!(shown.is_empty(), "{shown:#?}");
    }

    #[test]
    fn a_log_shows_each_cause_once() {
        let padding = "x".repeat(200_000);
        let log = format!(
            "starting\nEMFILE: too many open files, open 'a'\n\n{padding}\nemfile\r\n\
             \u{fffd}\nError: ENOSPC: no space left on device, watch 'a'\nx: Too many open files"
        );
        let findings = find(log.as_bytes()).expect("memory can be read");
        let shown: Vec<(&str, u64, &str)> = findings
            .iter()
            .map(|finding| (finding.symptom.limits()[0], finding.count, finding.line.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("nofile", 3, "EMFILE: too many open files, open 'a'"),
                (
                    "fs.inotify.max_user_watches",
                    1,
                    "Error: ENOSPC: no space left on device, watch 'a'"
                ),
            ]
        );
        assert_eq!(find(&b"\xff\xfe EMFILE: \x80\n"[..]).expect("readable").len(), 0);
        assert_eq!(find(&b"\xff\xfe: EMFILE\n"[..]).expect("readable").len(), 1);
    }

    #[test]
    fn a_line_that_decides_takes_the_place_of_one_that_does_not() {
        let limits = |log: &str| -> Vec<&str> {
            let findings = find(log.as_bytes()).expect("memory can be read");
            findings.iter().map(|finding| finding.symptom.limits()[0]).collect()
        };
        let head = "python3 invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0\n";
        let group =
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=a,mems_allowed=0\n";
        let machine = "Out of memory: Killed process 912 (chrome) total-vm:9216000kB\n";
        assert_eq!(limits(&format!("{head}{group}")), ["memory.max"]);
        assert_eq!(limits(&format!("{head}{machine}")), ["MemTotal"]);
        assert_eq!(limits(&format!("Killed\n{head}{group}")), ["memory.max"]);
        let unsure = find(head.as_bytes()).expect("memory can be read");
        assert!(matches!(unsure[0].symptom.verdict, Verdict::Unsure(_)));
    }

    #[test]
    fn the_one_of_several_limits_that_is_near() {
        let pick = |states: &[Option<State>]| {
            let pairs: Vec<(usize, Option<State>)> = states.iter().copied().enumerate().collect();
            decided(pairs.iter().map(|(index, state)| (index, *state))).copied()
        };
        assert_eq!(pick(&[]), None);
        assert_eq!(pick(&[Some(State::Ok)]), Some(0));
        assert_eq!(pick(&[None, Some(State::Ok)]), None);
        assert_eq!(pick(&[Some(State::Ok), Some(State::Near), None]), Some(1));
        assert_eq!(pick(&[Some(State::Near), Some(State::Reached)]), Some(1));
        assert_eq!(pick(&[Some(State::Near), Some(State::Near)]), Some(0));
    }
}
