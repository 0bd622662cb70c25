//! What a user types at a full-screen view, from the bytes that a terminal sends.

use std::time::Duration;

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Quit,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    /// End what is in this row.
    Kill,
    Yes,
    No,
}

/// How long the rest of a key's sequence may take. What follows the byte of Esc
/// later than that was typed by itself.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);

const ESCAPE: u8 = 0x1b;
const INTERRUPT: u8 = 0x03;

/// Bytes that have arrived and are not yet keys.
#[derive(Default)]
pub(crate) struct Keys {
    pending: Vec<u8>,
}

impl Keys {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Whether the sequence of a key has begun and not ended.
    pub(crate) fn is_partial(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The next whole key; what means nothing here is passed over.
    pub(crate) fn next(&mut self) -> Option<Key> {
        loop {
            let length = sequence(&self.pending)?;
            let key = key(&self.pending[..length]);
            self.pending.drain(..length);
            if key.is_some() {
                return key;
            }
        }
    }

    /// The rest of a sequence has not come: it was Esc, or nothing.
    pub(crate) fn give_up(&mut self) -> Option<Key> {
        let alone = self.pending == [ESCAPE];
        self.pending.clear();
        alone.then_some(Key::Quit)
    }
}

/// The length of the first key's bytes; `None` if some are still to come.
fn sequence(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [] | [ESCAPE] | [ESCAPE, b'O'] => None,
        // ECMA-48: a control sequence ends with a byte from @ to ~.
        [ESCAPE, b'[', rest @ ..] => {
            rest.iter().position(|byte| matches!(byte, b'@'..=b'~')).map(|end| end + 3)
        }
        [ESCAPE, b'O', ..] => Some(3),
        [ESCAPE, ESCAPE, ..] => Some(1),
        [ESCAPE, ..] => Some(2),
        _ => Some(1),
    }
}

fn key(sequence: &[u8]) -> Option<Key> {
    Some(match sequence {
        [b'q' | b'Q' | ESCAPE | INTERRUPT] => Key::Quit,
        [b'x'] => Key::Kill,
        [b'y' | b'Y'] => Key::Yes,
        [b'n' | b'N'] => Key::No,
        [b'k'] | [ESCAPE, b'[' | b'O', b'A'] => Key::Up,
        [b'j' | b'\n' | b'\r'] | [ESCAPE, b'[' | b'O', b'B'] => Key::Down,
        [b'b'] | [ESCAPE, b'[', b'5', b'~'] => Key::PageUp,
        [b' '] | [ESCAPE, b'[', b'6', b'~'] => Key::PageDown,
        [b'g'] | [ESCAPE, b'[' | b'O', b'H'] | [ESCAPE, b'[', b'1' | b'7', b'~'] => Key::Home,
        [b'G'] | [ESCAPE, b'[' | b'O', b'F'] | [ESCAPE, b'[', b'4' | b'8', b'~'] => Key::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &mut Keys, bytes: &[u8]) -> Vec<Key> {
        keys.feed(bytes);
        std::iter::from_fn(|| keys.next()).collect()
    }

    #[test]
    fn keys_of_every_terminal() {
        for (bytes, key) in [
            (&b"q"[..], Key::Quit),
            (b"\x03", Key::Quit),
            (b"x", Key::Kill),
            (b"Y", Key::Yes),
            (b"n", Key::No),
            (b"k", Key::Up),
            (b"\x1b[A", Key::Up),
            (b"\x1bOA", Key::Up),
            (b"j", Key::Down),
            (b"\x1b[B", Key::Down),
            (b"\x1b[5~", Key::PageUp),
            (b"\x1b[6~", Key::PageDown),
            (b" ", Key::PageDown),
            (b"\x1b[H", Key::Home),
            (b"\x1b[1~", Key::Home),
            (b"G", Key::End),
            (b"\x1bOF", Key::End),
        ] {
            assert_eq!(read(&mut Keys::default(), bytes), [key], "{bytes:?}");
            // A slow line brings a byte at a time.
            let mut keys = Keys::default();
            let slowly: Vec<Key> =
                bytes.iter().flat_map(|byte| read(&mut keys, &[*byte])).collect();
            assert_eq!(slowly, [key], "{bytes:?}");
        }
    }

    #[test]
    fn what_means_nothing_is_passed_over_as_a_whole() {
        // Shift and an arrow, F5, Alt-q, a mouse report, a letter of two bytes.
        let noise = b"\x1b[1;2A\x1b[15~\x1bq\x1b[<0;3;4Mz\xc3\xa9";
        let mut keys = Keys::default();
        assert_eq!(read(&mut keys, noise), []);
        assert!(!keys.is_partial());
        assert_eq!(read(&mut keys, b"zjz\x1b[Bq"), [Key::Down, Key::Down, Key::Quit]);
    }

    #[test]
    fn escape_alone_quits_once_nothing_follows() {
        let mut keys = Keys::default();
        assert_eq!(read(&mut keys, b"\x1b"), []);
        assert!(keys.is_partial());
        assert_eq!(keys.give_up(), Some(Key::Quit));
        assert!(!keys.is_partial());
        assert_eq!(read(&mut keys, b"\x1b["), []);
        assert_eq!(keys.give_up(), None);
        assert_eq!(read(&mut keys, b"\x1b\x1b"), [Key::Quit]);
    }
}
