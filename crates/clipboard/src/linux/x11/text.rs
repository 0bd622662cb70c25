//! Text in the encoding that a target stands for.

use std::borrow::Cow;

/// The longest text that is offered in Latin-1: whoever asks for that is older
/// than long texts, and to look at each character of one takes time.
const LONGEST: usize = 1 << 20;

/// The text in ISO Latin-1, which `STRING` stands for (ICCCM 2.7.1); `None` if it
/// has characters that Latin-1 lacks. What is no text at all stays as it is.
pub(super) fn latin1(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if text.len() > LONGEST {
        return None;
    }
    if text.is_ascii() {
        return Some(Cow::Borrowed(text));
    }
    let Ok(text) = str::from_utf8(text) else { return Some(Cow::Borrowed(text)) };
    text.chars()
        .map(|char| u8::try_from(u32::from(char)).ok())
        .collect::<Option<_>>()
        .map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_latin1_has() {
        for (text, expected) in [
            (&b"plain\0"[..], Some(&b"plain\0"[..])),
            ("naïve".as_bytes(), Some(b"na\xefve")),
            ("日本".as_bytes(), None),
            (b"\xff\xfe", Some(b"\xff\xfe")),
        ] {
            assert_eq!(latin1(text).as_deref(), expected);
        }
    }
}
