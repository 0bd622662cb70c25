//! Which limit is behind an error message.
//!
//! What is known stands in the table [`SYMPTOMS`]; here it is looked up.

use std::io::{self, BufRead};

use crate::{Name, State};

pub use crate::symptoms::{SYMPTOMS, Symptom};

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
        let line = format!("\n{}\n", line.trim().to_lowercase());
        let shows = |pattern: &[&str]| pattern.iter().all(|piece| line.contains(piece));
        SYMPTOMS.iter().find(|symptom| symptom.patterns.iter().any(|pattern| shows(pattern)))
    }

    /// The limits behind it, by the names that are listed.
    pub fn names(&self) -> impl Iterator<Item = Name> {
        self.limits.iter().filter_map(|name| name.parse().ok())
    }
}

/// The causes that the lines of a text show, each once, in the order of their first lines.
pub fn find(mut text: impl BufRead) -> io::Result<Vec<Finding>> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if read_line(&mut text, &mut line)? == 0 {
            return Ok(findings);
        }
        let text = String::from_utf8_lossy(&line);
        let Some(symptom) = Symptom::of(&text) else { continue };
        match findings.iter_mut().find(|finding| finding.symptom == symptom) {
            Some(finding) => finding.count += 1,
            None => findings.push(Finding { symptom, line: text.trim().to_owned(), count: 1 }),
        }
    }
}

/// Reads a line, or so much of one that is longer than any message.
fn read_line(text: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    const LONGEST: u64 = 64 * 1024;

    io::Read::take(text, LONGEST).read_until(b'\n', line)
}

/// The limit among these that most likely stopped something: the nearest, or
/// the first that the symptom names.
pub fn nearest<'a, T>(limits: impl Iterator<Item = (&'a T, Option<State>)>) -> Option<&'a T> {
    let mut best: Option<(&T, Option<State>)> = None;
    for (limit, state) in limits {
        if best.is_none_or(|(_, best)| state > best && state > Some(State::Ok)) {
            best = Some((limit, state));
        }
    }
    best.map(|(limit, _)| limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_explains_its_own_messages() {
        for symptom in SYMPTOMS {
            assert!(!symptom.examples.is_empty(), "{symptom:?}");
            for example in symptom.examples {
                assert_eq!(Symptom::of(example), Some(symptom), "{example}");
            }
        }
    }

    #[test]
    fn each_row_is_well_formed() {
        for symptom in SYMPTOMS {
            assert_eq!(symptom.names().count(), symptom.limits.len(), "{symptom:?}");
            assert!(!symptom.limits.is_empty() && !symptom.patterns.is_empty(), "{symptom:?}");
            for piece in symptom.patterns.iter().copied().flatten() {
                assert_eq!(*piece, piece.to_lowercase(), "pieces are in lower case");
            }
            assert!(!symptom.cause.ends_with('.') && !symptom.cause.is_empty(), "{symptom:?}");
        }
    }

    #[test]
    fn each_pattern_is_needed_and_can_match() {
        for symptom in SYMPTOMS {
            for pattern in symptom.patterns {
                // A line of nothing but the pieces shows that no earlier row hides the pattern.
                assert_eq!(Symptom::of(&pattern.join(" ")), Some(symptom), "{pattern:?}");
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
        ] {
            assert_eq!(Symptom::of(text), None, "{text}");
        }
    }

    #[test]
    fn a_log_shows_each_cause_once() {
        let padding = "x".repeat(200_000);
        let log = format!(
            "starting\nEMFILE: too many open files, open 'a'\n\n{padding}\nemfile again\r\n\
             \u{fffd}\nENOSPC: no watch left\nno newline: Too many open files"
        );
        let findings = find(log.as_bytes()).expect("memory can be read");
        let shown: Vec<(&str, u64, &str)> = findings
            .iter()
            .map(|finding| (finding.symptom.limits[0], finding.count, finding.line.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("nofile", 3, "EMFILE: too many open files, open 'a'"),
                ("fs.inotify.max_user_watches", 1, "ENOSPC: no watch left"),
            ]
        );
        assert_eq!(find(&b"\xff\xfe EMFILE \x80\n"[..]).expect("readable").len(), 1);
    }

    #[test]
    fn the_nearest_of_several_limits() {
        let pick = |states: &[Option<State>]| {
            let pairs: Vec<(usize, Option<State>)> = states.iter().copied().enumerate().collect();
            nearest(pairs.iter().map(|(index, state)| (index, *state))).copied()
        };
        assert_eq!(pick(&[]), None);
        assert_eq!(pick(&[None, Some(State::Ok)]), Some(0));
        assert_eq!(pick(&[Some(State::Ok), Some(State::Near), None]), Some(1));
        assert_eq!(pick(&[Some(State::Near), Some(State::Reached)]), Some(1));
        assert_eq!(pick(&[Some(State::Near), Some(State::Near)]), Some(0));
    }
}
