//! The table of error messages and the limits that they are about.
//!
//! To teach `mx limits explain` a message, add a row. Rows are tried from the
//! top and the first that matches a line is taken, so the more special one comes
//! first. Each row has messages that must match it, as programs print them, and
//! neighbours: lines with the same words that must match no row. The tests
//! refuse a row without both.

mod files;
mod memory;
mod others;
mod processes;

use crate::matching::Pattern;

/// Error messages of one cause.
#[derive(Debug, PartialEq, Eq)]
pub struct Symptom {
    /// What the messages decide.
    pub verdict: Verdict,
    /// One of these shows it.
    pub patterns: &'static [Pattern],
    /// What happened, in a sentence.
    pub cause: &'static str,
    /// What helps besides a higher limit; where the message decides nothing,
    /// what would decide it.
    pub advice: Option<&'static str>,
    /// What it is about: a message that decides this takes the place of one
    /// that does not in the same log.
    pub about: &'static str,
    /// Messages that must match this row.
    pub messages: &'static [&'static str],
    /// Lines with the same words that must match no row.
    pub neighbours: &'static [&'static str],
}

/// What a message decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One of these limits is the cause, the likeliest first. Those that a
    /// system lacks are passed over there.
    Limits(&'static [&'static str]),
    /// It may be one of these limits, or something else.
    Unsure(&'static [&'static str]),
    /// It is one of these limits if one is near, and then this is the cause; it
    /// may be something else.
    IfNear(&'static [&'static str], &'static str),
    /// It is no limit that is listed; the cause says what it is.
    Other,
}

impl Symptom {
    /// The limits that it is about, as the table names them.
    pub fn limits(&self) -> &'static [&'static str] {
        match self.verdict {
            Verdict::Limits(limits) | Verdict::Unsure(limits) | Verdict::IfNear(limits, _) => {
                limits
            }
            Verdict::Other => &[],
        }
    }
}

/// Every known message, in parts.
static TABLE: &[&[Symptom]] =
    &[others::SYMPTOMS, files::SYMPTOMS, processes::SYMPTOMS, memory::SYMPTOMS];

/// Every row, in the order in which they are tried.
pub(crate) fn rows() -> impl Iterator<Item = &'static Symptom> {
    TABLE.iter().copied().flatten()
}
