//! Escape sequences for the terminal.

/// Bytes that screen takes in one device control string.
const SCREEN_CHUNK: usize = 240;
/// The least that a terminal is known to take: tmux drops what is longer, and
/// keeps what it had.
const LEAST: usize = 1 << 20;

/// A place of the terminal's clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// What copy and paste of a desktop mean.
    Clipboard,
    /// What is selected.
    Primary,
}

/// The sequence that asks a terminal to take text (OSC 52). None answers it.
pub fn set_clipboard(selection: Selection, text: &[u8]) -> Vec<u8> {
    let place = match selection {
        Selection::Clipboard => 'c',
        Selection::Primary => 'p',
    };
    let mut sequence = format!("\x1b]52;{place};").into_bytes();
    encode(text, &mut sequence);
    // Not the other end of a sequence, ESC \: screen would take it for its own.
    sequence.push(0x07);
    sequence
}

/// How many bytes of text a terminal of this kind takes for its clipboard, as
/// far as is known: what is more may be dropped in silence.
pub fn clipboard_limit(kind: &str) -> usize {
    const KNOWN: [(&str, usize); 3] =
        [("xterm-ghostty", 8 << 20), ("xterm-kitty", 8 << 20), ("foot", 20_000_000)];
    let encoded = KNOWN.iter().find(|(name, _)| kind.starts_with(name)).map_or(LEAST, |one| one.1);
    encoded / 4 * 3
}

/// The sequence in the wrapping that makes screen hand it on to its terminal.
pub fn through_screen(sequence: &[u8]) -> Vec<u8> {
    let wrap = |chunk: &[u8]| [b"\x1bP", chunk, b"\x1b\\"].concat();
    sequence.chunks(SCREEN_CHUNK).flat_map(wrap).collect()
}

/// Appends bytes in base64.
fn encode(bytes: &[u8], text: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    text.reserve(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| group.get(index).copied().unwrap_or(0);
        let number = u32::from_be_bytes([0, at(0), at(1), at(2)]);
        for digit in 0..4 {
            let value = (number >> (18 - 6 * digit)) & 0x3f;
            text.push(if digit > group.len() { b'=' } else { DIGITS[value as usize] });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_rfc_4648_has_it() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut text = Vec::new();
            encode(bytes.as_bytes(), &mut text);
            assert_eq!(String::from_utf8_lossy(&text), expected);
        }
        let mut text = Vec::new();
        encode(&[0xff, 0xef, 0xbe, 0x00], &mut text);
        assert_eq!(text, b"/+++AA==");
    }

    #[test]
    fn a_sequence_for_each_selection() {
        assert_eq!(set_clipboard(Selection::Clipboard, b"hi"), b"\x1b]52;c;aGk=\x07");
        assert_eq!(set_clipboard(Selection::Primary, b"hi"), b"\x1b]52;p;aGk=\x07");
    }

    #[test]
    fn screen_gets_it_in_pieces_that_make_the_whole() {
        let sequence = set_clipboard(Selection::Clipboard, &[b'x'; 1000]);
        let wrapped = through_screen(&sequence);
        let pieces: Vec<&[u8]> = wrapped.split(|&byte| byte == b'\\').collect();
        let (last, pieces) = pieces.split_last().expect("pieces");
        assert!(last.is_empty() && pieces.len() == sequence.len().div_ceil(SCREEN_CHUNK));
        let inner = pieces.iter().map(|piece| {
            let inner = piece.strip_prefix(b"\x1bP").expect("a beginning");
            inner.strip_suffix(b"\x1b").expect("an end")
        });
        assert_eq!(inner.collect::<Vec<_>>().concat(), sequence);
    }

    #[test]
    fn limits_are_of_text_not_of_base64() {
        assert_eq!(clipboard_limit("xterm-256color"), 786_432);
        assert_eq!(set_clipboard(Selection::Clipboard, &vec![0; 786_432]).len(), LEAST + 8);
        assert!(clipboard_limit("foot-extra") > clipboard_limit("xterm-kitty"));
    }
}
