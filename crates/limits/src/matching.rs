//! Pieces of messages, and where in a line they are.
//!
//! Words match as a whole: not inside an identifier. The text or the name of an
//! error counts only where programs print it, which prose about errors, source
//! code and names of tests do not.

use crate::errno::Errno;

/// What is looked for in a line. Everything is in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Whole words, anywhere. With a `*` at the end the last word may go on.
    Words(&'static str),
    /// Words at the begin of the message, after a time, a host or a program at most.
    Begin(&'static str),
    /// Words in the place of an error's text: after a colon and the like, and
    /// at the end of a clause.
    Text(&'static str),
    /// Words that are the whole message.
    Whole(&'static str),
    /// An error number, by name, text or number, in its place.
    Error(&'static Errno),
}

/// Pieces that show a cause together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What a line is searched for at first.
    pub key: Piece,
    /// What must be there, too.
    pub all: &'static [Piece],
    /// One of these must be there, too, if there are any.
    pub any: &'static [Piece],
    /// What must not be there.
    pub not: &'static [Piece],
}

/// A pattern of one piece.
pub(crate) const fn says(key: Piece) -> Pattern {
    Pattern { key, all: &[], any: &[], not: &[] }
}

impl Pattern {
    pub(crate) const fn and(self, all: &'static [Piece]) -> Self {
        Self { all, ..self }
    }

    pub(crate) const fn and_any(self, any: &'static [Piece]) -> Self {
        Self { any, ..self }
    }

    pub(crate) const fn without(self, not: &'static [Piece]) -> Self {
        Self { not, ..self }
    }

    /// Whether a line, in lower case, shows all of it.
    pub(crate) fn is_in(&self, line: &[u8]) -> bool {
        self.key.is_in(line)
            && self.all.iter().all(|piece| piece.is_in(line))
            && (self.any.is_empty() || self.any.iter().any(|piece| piece.is_in(line)))
            && !self.not.iter().any(|piece| piece.is_in(line))
    }
}

impl Piece {
    /// The words that are in each line with this piece: one of them.
    pub(crate) fn keys(&self) -> Vec<&'static str> {
        match *self {
            Self::Words(words) | Self::Begin(words) | Self::Text(words) | Self::Whole(words) => {
                vec![words]
            }
            Self::Error(errno) => {
                let texts = errno.texts.iter().chain(errno.numbers).copied();
                texts.chain([errno.name]).collect()
            }
        }
    }

    pub(crate) fn is_in(self, line: &[u8]) -> bool {
        match self {
            Self::Words(words) => places(line, words).next().is_some(),
            Self::Begin(words) => places(line, words).any(|(at, _)| is_begin(&line[..at])),
            Self::Text(words) => is_text_in(line, words),
            Self::Whole(words) => places(line, words)
                .any(|(at, end)| is_begin(&line[..at]) && line[end..].trim_ascii().is_empty()),
            Self::Error(errno) => {
                errno.texts.iter().any(|text| is_text_in(line, text))
                    || errno.numbers.iter().any(|number| places(line, number).next().is_some())
                    || places(line, errno.name)
                        .filter(|(_, end)| !is_prose(&line[*end..], errno.texts))
                        .any(|(at, end)| is_place_of_name(&line[..at], &line[end..]))
            }
        }
    }
}

fn is_text_in(line: &[u8], text: &'static str) -> bool {
    places(line, text).any(|(at, end)| is_before_text(&line[..at]) && is_after_text(&line[end..]))
}

/// Where words are, as whole words: begin and end.
fn places<'a>(line: &'a [u8], words: &'static str) -> impl Iterator<Item = (usize, usize)> + 'a {
    let first = words.as_bytes()[0];
    let starts = line.iter().enumerate().filter(move |(_, byte)| **byte == first);
    starts.filter_map(move |(at, _)| {
        let is_start = at == 0 || !is_word(line[at - 1]);
        let end = if is_start { end_of(&line[at..], words)? } else { return None };
        Some((at, at + end))
    })
}

/// The length of `words` at the begin of a text in any case, if they are whole there.
pub(crate) fn end_of(text: &[u8], words: &str) -> Option<usize> {
    let (words, may_go_on) = match words.strip_suffix('*') {
        Some(words) => (words, true),
        None => (words, false),
    };
    let words = words.as_bytes();
    let is_there = text.get(..words.len())?.eq_ignore_ascii_case(words);
    let goes_on = is_word(*words.last()?) && text.get(words.len()).copied().is_some_and(is_word);
    (is_there && (may_go_on || !goes_on)).then_some(words.len())
}

/// Whether a byte is part of a word: an identifier of a program is one.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn ends_in(text: &[u8], ends: &[&str]) -> bool {
    ends.iter().any(|end| text.ends_with(end.as_bytes()))
}

/// Whether what precedes a message is at most where it comes from.
fn is_begin(head: &[u8]) -> bool {
    let head = head.trim_ascii_end();
    // `[worker 1] …`, `web-1  | …`, `# …` of a JVM.
    head.is_empty() || ends_in(head, &[":", "]", "|", "#", "!!!", "***"])
}

fn is_before_text(head: &[u8]) -> bool {
    let trimmed = head.trim_ascii_end();
    if trimmed.is_empty() || ends_in(trimmed, &[":", "]", "(", "|"]) {
        return true;
    }
    let unquoted = trimmed.strip_suffix(b"\"").or_else(|| trimmed.strip_suffix(b"'"));
    if let Some(before) = unquoted {
        // An escaped quote is one in a text.
        let before = before.strip_suffix(b"\\").unwrap_or(before).trim_ascii_end();
        return before.is_empty() || ends_in(before, &[":", "=", "error"]) || {
            before.ends_with(b",") && ends_in_number(&before[..before.len() - 1])
        };
    }
    // `error=24, Too many …` of Java, `(28)No space …` of Apache.
    if let Some(before) = trimmed.strip_suffix(b",").or_else(|| trimmed.strip_suffix(b")")) {
        return ends_in_number(before);
    }
    if let Some(before) = head.strip_suffix(b"=") {
        return before.last().copied().is_some_and(is_word);
    }
    ends_in(head, &[" - ", "=> ", "> ", "error ", "due to ", "failed with ", "because of "])
}

fn ends_in_number(text: &[u8]) -> bool {
    text.last().is_some_and(u8::is_ascii_digit)
}

fn is_after_text(tail: &[u8]) -> bool {
    const GOES_ON: [&str; 12] = [
        " (",
        " [",
        " -",
        " at ",
        " while ",
        " when ",
        " for ",
        " on ",
        " by ",
        " opening ",
        " after ",
        "\\",
    ];
    let Some(first) = tail.first() else { return true };
    match first {
        // The end of a text in source code.
        b'"' | b'\'' => !matches!(tail.get(1), Some(b';')),
        b'.' => !tail.get(1).copied().is_some_and(is_word),
        b':' | b',' | b';' | b')' | b']' | b'}' | b'!' | b'<' => true,
        _ => {
            tail.trim_ascii().is_empty()
                || GOES_ON.iter().any(|begin| tail.starts_with(begin.as_bytes()))
        }
    }
}

/// Whether a sentence goes on after `: too many open files`.
fn is_prose(tail: &[u8], texts: &'static [&'static str]) -> bool {
    let Some(rest) = tail.strip_prefix(b": ") else { return false };
    texts
        .iter()
        .find_map(|text| end_of(rest, text))
        .is_some_and(|end| !is_after_text(&rest[end..]) && !rest[end..].starts_with(b" in "))
}

/// The name of an error: `EMFILE: …`, `= -1 EMFILE (…)`, `spawn node EAGAIN`.
fn is_place_of_name(head: &[u8], tail: &[u8]) -> bool {
    const CALLS: [&str; 12] = [
        "spawn ",
        "spawnsync ",
        "connect ",
        "bind ",
        "fork ",
        "open ",
        "read ",
        "write ",
        "accept ",
        "watch ",
        "scandir ",
        "listen ",
    ];
    let is_call = ends_in(head, &CALLS);
    let is_spawn = contains(head, b"spawn ") || contains(head, b"spawnsync ");
    let ends = tail.trim_ascii().is_empty();
    if is_call || (is_spawn && ends) {
        return true;
    }
    let before = is_before_text(head) || ends_in(head, &["-1 ", "-", "returned ", "got "]);
    before && is_after_text(tail) && !is_listed(head, tail)
}

/// Whether a name is an item of a list or of a manual: `EMFILE,`, `EMFILE (since
/// Linux 4.7) The …`, `gave the error EFBIG for …`.
fn is_listed(head: &[u8], tail: &[u8]) -> bool {
    if head.trim_ascii().is_empty() {
        return tail.trim_ascii_end() == b"," || tail.starts_with(b" (");
    }
    // The name of a constant in Rust; Ruby's `Errno::EMFILE` is an error.
    if head.ends_with(b"::") && !head.ends_with(b"errno::") {
        return true;
    }
    let goes_on = tail.first() == Some(&b' ') && !tail.starts_with(b" (");
    goes_on && ends_in(head, &["the error "]) && !tail.trim_ascii().is_empty()
}

pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::{EAGAIN, EMFILE};

    #[test]
    fn whole_words_only() {
        let is_in = |words, line: &str| Piece::Words(words).is_in(line.as_bytes());
        assert!(is_in("inotify", "tail: inotify cannot be used"));
        assert!(is_in("torch_*", "file </torch_123>"));
        assert!(!is_in("inotify", "pyinotify is not installed"));
        assert!(!is_in("inotify", "inotify_init1"));
        assert!(!is_in("oom", "zoom"));
    }

    #[test]
    fn an_error_counts_in_its_place_only() {
        let shows = |line: &str| Piece::Error(&EMFILE).is_in(line.to_lowercase().as_bytes());
        for line in [
            "EMFILE",
            "cat: x: Too many open files",
            "Too many open files (os error 24)",
            "OSError(24, 'Too many open files')",
            "openat(AT_FDCWD, \"x\", O_RDONLY) = -1 EMFILE (Too many open files)",
            r#"{"level":"error","error":"open x: too many open files"}"#,
            "level=error err=\"accept tcp: too many open files\"",
            "  code: 'EMFILE',",
            "java.io.IOException: error=24, Too many open files",
            "open /x: No file descriptors available",
            "EMFILE (Too many open files)",
            "it failed with the error EMFILE",
            "app.rb:3:in 'open': Errno::EMFILE",
        ] {
            assert!(shows(line), "{line}");
        }
        for line in [
            "openENFILE is not a function, nor openEMFILE",
            "SystEMFILEReader.java",
            "retry on EMFILE when too many open files are there",
            "there were too many open files in the editor",
            "errno 245",
            "const char *text = \"Too many open files\";",
            "       EMFILE (since Linux 4.7) The process's limit, described in",
            "       EMFILE (dup()) Some of the specified files",
            "    EMFILE,",
            "Err(io::Error::from_raw_os_error(libc::EMFILE))",
            "before that, Linux gave the error EMFILE for this case.",
            "a program prints the message \"Too many open files\".",
            "    return fail(\"too many open files\");",
        ] {
            assert!(!shows(line), "{line}");
        }
        assert!(Piece::Error(&EAGAIN).is_in(b"error: spawn /usr/bin/node eagain"));
        assert!(!Piece::Error(&EAGAIN).is_in(b"the eagain case of spawn is handled"));
    }

    #[test]
    fn the_begin_of_a_message_and_the_whole_of_one() {
        assert!(Piece::Whole("killed").is_in(b"killed"));
        assert!(Piece::Whole("killed").is_in(b"web-1  | killed "));
        assert!(!Piece::Whole("killed").is_in(b"killed 3 processes"));
        assert!(Piece::Begin("oom").is_in(b"nov 26 10:00:00 kernel: oom now"));
        assert!(!Piece::Begin("oom").is_in(b"an oom now"));
    }
}
