//! Selectors of sockets, which people and scripts write.

use crate::{Owner, Selector};

/// Pieces of selectors, so that few bytes make a meaningful text.
const PIECES: [&str; 24] = [
    "localhost",
    ".localhost",
    "http",
    "postgres",
    "://",
    "user",
    "@",
    "127.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "[",
    "]",
    "%lo",
    ":",
    "-",
    "/",
    "8080",
    "65535",
    "0",
    "*",
    "?",
    "!",
    " ",
    ",",
];

/// Any text, and any sequence of such pieces.
pub fn selector(bytes: &[u8]) {
    text(&String::from_utf8_lossy(bytes));
    let pieces = bytes.iter().take(32).map(|&byte| PIECES[usize::from(byte) % PIECES.len()]);
    text(&pieces.collect::<String>());
}

fn text(text: &str) {
    let owner = |name: &str| Owner { name: name.to_owned(), ..Owner::default() };
    let (written, name) = text.split_once('\n').unwrap_or((text, "node"));
    match written.parse::<Selector>() {
        Ok(selector) => {
            let shown = selector.to_string();
            assert_eq!(shown.parse().as_ref(), Ok(&selector), "{written:?} is shown as {shown:?}");
            let matched = selector.matches_owner(&owner(name));
            match selector {
                Selector::Port { ports, .. } => {
                    assert!(!matched && *ports.start() > 0 && !ports.is_empty(), "{written:?}");
                }
                Selector::Process(_) if !written.contains(['*', '?', '[', ']']) => {
                    assert_eq!(matched, written.eq_ignore_ascii_case(name), "{written:?} {name:?}");
                }
                Selector::Process(_) => {}
            }
        }
        Err(error) => assert!(!error.to_string().is_empty(), "{written:?}"),
    }
    if let Some(words) = Selector::for_process(text) {
        let chosen = words.parse::<Selector>().map(|selector| selector.matches_owner(&owner(text)));
        assert_eq!(chosen, Ok(true), "{text:?} is offered as {words:?}");
    }
}
