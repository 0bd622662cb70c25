//! Finding the lines of a long text that may show something, at the speed of
//! reading it.
//!
//! Each pattern has a piece that begins with a known word. Where a word begins,
//! its first three letters are looked up in a table of bits; few words pass, and
//! only for these is anything compared.

use std::io::{self, Read};

use crate::matching::{self, is_word};

/// So much is read at once; a longer line is looked at in parts.
const BLOCK: usize = 256 * 1024;

/// Known words, and the numbers of what they belong to.
pub(crate) struct Scanner {
    /// Bit `n` is set if a known word begins with the letters `n`.
    begins: Box<[u64; 512]>,
    /// By their first letters.
    keys: Vec<(u16, &'static str, u16)>,
}

impl Scanner {
    pub(crate) fn new(keys: impl Iterator<Item = (&'static str, u16)>) -> Self {
        let mut begins = Box::new([0_u64; 512]);
        let mut keys: Vec<_> = keys
            .map(|(words, number)| {
                let begin = letters(words.as_bytes()).expect("each key has three letters");
                begins[usize::from(begin / 64)] |= 1 << (begin % 64);
                (begin, words, number)
            })
            .collect();
        keys.sort_unstable();
        Self { begins, keys }
    }

    /// Calls `found` with each line that holds known words, and their numbers in order.
    pub(crate) fn scan(
        &self,
        mut text: impl Read,
        mut found: impl FnMut(&[u8], &[u16]),
    ) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        let mut filled = 0;
        loop {
            let read = match text.read(&mut block[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            filled += read;
            if read == 0 {
                self.lines(&block[..filled], &mut found);
                return Ok(());
            }
            let last = block[..filled].iter().rposition(|byte| *byte == b'\n');
            let whole = match last {
                Some(last) => last + 1,
                None if filled == BLOCK => filled,
                None => continue,
            };
            self.lines(&block[..whole], &mut found);
            block.copy_within(whole..filled, 0);
            filled -= whole;
        }
    }

    fn lines(&self, block: &[u8], found: &mut impl FnMut(&[u8], &[u16])) {
        let mut numbers = Vec::new();
        let mut at = 0;
        while let Some(hit) = self.next(block, at) {
            let start = block[..hit].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let rest = block[hit..].iter().position(|byte| *byte == b'\n');
            let end = rest.map_or(block.len(), |length| hit + length);
            let line = &block[..end];
            numbers.clear();
            let mut word = Some(hit);
            while let Some(place) = word {
                self.at(line, place, |number| numbers.push(number));
                word = self.next(line, place + 1);
            }
            numbers.sort_unstable();
            numbers.dedup();
            found(&line[start..], &numbers);
            at = end;
        }
    }

    /// The next place from `from` on where known words are.
    fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut before = from.checked_sub(1).map_or(b' ', |at| text[at]);
        for (offset, window) in text.get(from..)?.windows(3).enumerate() {
            let last = before;
            before = window[0];
            // A colour ends in an m.
            if (is_word(last) && last != b'm') || !is_word(window[0]) {
                continue;
            }
            let begin = pack(window[0], window[1], window[2]);
            if self.begins[usize::from(begin / 64)] >> (begin % 64) & 1 == 0 {
                continue;
            }
            let at = from + offset;
            let mut any = false;
            self.at(text, at, |_| any = true);
            if any {
                return Some(at);
            }
        }
        None
    }

    /// The numbers of all known words at a place.
    fn at(&self, text: &[u8], at: usize, mut found: impl FnMut(u16)) {
        if at > 0 && is_word(text[at - 1]) && !ends_in_colour(&text[..at]) {
            return;
        }
        let Some(begin) = letters(&text[at..]) else { return };
        let first = self.keys.partition_point(|(other, ..)| *other < begin);
        let same = self.keys[first..].iter().take_while(|(other, ..)| *other == begin);
        for (_, words, number) in same {
            if matching::end_of(&text[at..], words).is_some() {
                found(*number);
            }
        }
    }
}

/// Whether a text ends in a sequence that sets the colour of a terminal.
fn ends_in_colour(text: &[u8]) -> bool {
    let Some(rest) = text.strip_suffix(b"m") else { return false };
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b';';
    let digits = rest.iter().rev().take_while(|byte| is_part(byte)).count();
    rest[..rest.len() - digits].ends_with(b"\x1b[")
}

fn letters(text: &[u8]) -> Option<u16> {
    let [one, two, three, ..] = *text else { return None };
    Some(pack(one, two, three))
}

/// Five bits of each: the same for upper and lower case.
fn pack(one: u8, two: u8, three: u8) -> u16 {
    let bits = |byte: u8| u16::from(byte & 31);
    bits(one) << 10 | bits(two) << 5 | bits(three)
}

/// A line in lower case, without colours and control characters.
pub(crate) fn cleaned(line: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(line.len());
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\x1b' => {
                let mut rest = bytes.clone();
                if rest.next() == Some(b'[') {
                    let _ = rest.find(u8::is_ascii_alphabetic);
                    bytes = rest;
                }
            }
            b'\t' => clean.push(b' '),
            byte if byte.is_ascii_control() => {}
            byte => clean.push(byte.to_ascii_lowercase()),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &[u8]) -> Vec<(String, Vec<u16>)> {
        let scanner =
            Scanner::new([("emfile", 1), ("too many open files", 2), ("errno 24", 3)].into_iter());
        let mut lines = Vec::new();
        scanner
            .scan(text, |line, numbers| {
                lines.push((String::from_utf8_lossy(line).into_owned(), numbers.to_vec()));
            })
            .expect("memory can be read");
        lines
    }

    #[test]
    fn lines_with_known_words() {
        let text = b"ok\nError: EMFILE: too many open files\nsystemfile\n\x1b[31mEMFILE\x1b[0m\n\
                     [Errno 24]\n[Errno 245]\nlast emfile";
        let lines = found(text);
        let numbers: Vec<&[u16]> = lines.iter().map(|(_, numbers)| numbers.as_slice()).collect();
        assert_eq!(numbers, [&[1, 2][..], &[1], &[3], &[1]]);
        assert_eq!(lines[0].0, "Error: EMFILE: too many open files");
        assert_eq!(lines[3].0, "last emfile");
        assert_eq!(found(b""), []);
    }

    #[test]
    fn lines_across_blocks_and_lines_longer_than_one() {
        for before in [BLOCK - 30, BLOCK - 8, BLOCK - 3, BLOCK + 5, 3 * BLOCK + 17] {
            let mut text = b"x\n".repeat(before / 2);
            text.extend_from_slice(b"an EMFILE here\nend\n");
            assert_eq!(found(&text), [("an EMFILE here".to_owned(), vec![1])], "{before}");
        }
        let mut text = vec![b'x'; BLOCK + 100];
        text.extend_from_slice(b"\nEMFILE\n");
        assert_eq!(found(&text), [("EMFILE".to_owned(), vec![1])]);
    }

    #[test]
    fn a_line_without_what_a_terminal_obeys() {
        assert_eq!(cleaned(b"\x1b[1;31mA\x1b[0m\tB\x07c\r"), b"a bc");
        assert_eq!(cleaned(b"\x1b"), b"");
        assert_eq!(cleaned(b"\x1b[31"), b"");
    }
}
