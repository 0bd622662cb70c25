//! Tables: columns that are aligned on a terminal, and separated by tabs elsewhere.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::out::printable;

/// Columns and rows; the last column gives way where the line is too narrow.
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

pub(crate) struct Column {
    pub(crate) heading: &'static str,
    pub(crate) align: Align,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// One value of a table.
pub(crate) struct Cell {
    text: String,
    /// What stands for the text in a table that would be too wide.
    short: Option<String>,
    style: Style,
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        let text = printable(text.as_ref()).into_owned();
        Self { text, short: None, style: Style::new() }
    }

    /// At most `room` columns where the table would be too wide for the
    /// terminal; of a path the end is kept.
    pub(crate) fn at_most(self, room: usize) -> Self {
        let is_path = self.text.starts_with(['/', '~']);
        let short = if is_path { cut_start(&self.text, room) } else { cut(&self.text, room) };
        Self { short: Some(short.into_owned()), ..self }
    }

    fn shown(&self, narrow: bool) -> &str {
        self.short.as_deref().filter(|_| narrow).unwrap_or(&self.text)
    }

    pub(crate) fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

/// Stands out: what the row is about.
pub(crate) const KEY: Style = AnsiColor::Cyan.on_default();
/// Wants attention.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Less important than the rest.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Has just come.
pub(crate) const NEW: Style = AnsiColor::Green.on_default().bold();
/// Has just gone.
pub(crate) const GONE: Style = DIM.strikethrough();
/// Belongs to the screen, not to what it shows.
pub(crate) const FOOT: Style = Style::new().invert();
const HEADING: Style = Style::new().bold();
/// Blanks between columns.
const GAP: usize = 2;

impl Table {
    /// The rows, with tabs between columns and no heading.
    pub(crate) fn plain(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            for (index, cell) in row.iter().enumerate() {
                if index > 0 {
                    text.push('\t');
                }
                text.push_str(&cell.text);
            }
            text.push('\n');
        }
        text
    }

    /// Aligned columns under a heading, no line wider than `width`.
    pub(crate) fn layout(&self, width: Option<usize>, color: bool) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let heading: Vec<Cell> =
            self.columns.iter().map(|column| Cell::new(column.heading).style(HEADING)).collect();
        let widths = |narrow: bool| -> Vec<usize> {
            let rows = || self.rows.iter().chain([&heading]);
            let width = |index: usize| rows().map(|row| row[index].shown(narrow).width()).max();
            (0..self.columns.len()).map(|index| width(index).unwrap_or(0)).collect()
        };
        let full = widths(false);
        let total: usize = full.iter().map(|width| width + GAP).sum();
        let narrow = width.is_some_and(|width| total > width + GAP);
        let widths = if narrow { widths(true) } else { full };
        let mut text = String::new();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let texts: Vec<&str> = row.iter().map(|cell| cell.shown(narrow)).collect();
            self.line(row, &texts, &widths, width, color, &mut text);
        }
        text
    }

    fn line(
        &self,
        row: &[Cell],
        texts: &[&str],
        widths: &[usize],
        limit: Option<usize>,
        color: bool,
        text: &mut String,
    ) {
        let last = row.len() - 1;
        let mut used = 0;
        for (index, cell) in row.iter().enumerate() {
            let room = limit.map_or(usize::MAX, |limit| limit.saturating_sub(used));
            let shown =
                if index == last { shorten(texts[index], room) } else { cut(texts[index], room) };
            let blank = widths[index].saturating_sub(shown.width());
            let (before, after) = match self.columns[index].align {
                Align::Right => (blank, 0),
                Align::Left => (0, blank),
            };
            let padding = |blank: usize| " ".repeat(blank.min(room.saturating_sub(shown.width())));
            text.push_str(&padding(before));
            if color && !shown.is_empty() {
                text.push_str(&format!("{}{shown}{:#}", cell.style, cell.style));
            } else {
                text.push_str(&shown);
            }
            if index != last {
                text.push_str(&padding(after + GAP));
            }
            used += widths[index] + GAP;
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
}

/// Drops words from the end until the text fits; a first word that is too long is cut.
fn shorten(text: &str, room: usize) -> Cow<'_, str> {
    let Some(end) = overflow(text, room) else { return Cow::Borrowed(text) };
    // What is kept, a space and the ellipsis must fit.
    let kept = &text[..overflow(text, room.saturating_sub(2)).unwrap_or(end)];
    let ends_word = text[kept.len()..].starts_with(' ');
    let words = if ends_word { Some(kept) } else { kept.rsplit_once(' ').map(|(words, _)| words) };
    match words.filter(|words| !words.is_empty() && room > 2) {
        Some(words) => Cow::Owned(format!("{words} …")),
        None => cut(text.split(' ').next().unwrap_or(text), room),
    }
}

/// Cuts the text to `room` columns, the last one telling that it was cut.
pub(crate) fn cut(text: &str, room: usize) -> Cow<'_, str> {
    match overflow(text, room) {
        None => Cow::Borrowed(text),
        Some(_) if room == 0 => Cow::Borrowed(""),
        Some(end) => {
            let end = overflow(text, room - 1).unwrap_or(end);
            Cow::Owned(format!("{}…", &text[..end]))
        }
    }
}

/// Cuts the text to its last `room` columns, the first one telling that it was cut.
fn cut_start(text: &str, room: usize) -> Cow<'_, str> {
    let mut used = 0;
    for (at, char) in text.char_indices().rev() {
        used += char.width().unwrap_or(0);
        if used >= room && at > 0 {
            let rest = &text[at + char.len_utf8()..];
            return Cow::Owned(if room == 0 { String::new() } else { format!("…{rest}") });
        }
    }
    Cow::Borrowed(text)
}

/// Where the first character stands that is beyond `room` columns. A command
/// line can be very long: what is beyond is not looked at.
fn overflow(text: &str, room: usize) -> Option<usize> {
    let mut used = 0;
    for (at, char) in text.char_indices() {
        used += char.width().unwrap_or(0);
        if used > room {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_gives_way_word_by_word() {
        let command = "node server.js --port 8080";
        for (room, shown) in [
            (26, command),
            (25, "node server.js --port …"),
            (23, "node server.js --port …"),
            (22, "node server.js …"),
            (6, "node …"),
            (4, "node"),
            (3, "no…"),
            (1, "…"),
            (0, ""),
        ] {
            assert_eq!(shorten(command, room), shown, "{room}");
        }
    }

    #[test]
    fn of_a_path_the_end_is_kept() {
        for (room, shown) in
            [(10, "/srv/shop"), (9, "/srv/shop"), (8, "…rv/shop"), (1, "…"), (0, "")]
        {
            assert_eq!(cut_start("/srv/shop", room), shown, "{room}");
        }
        assert_eq!(cut_start("/日本語", 4), "…語");
        let cell = |text| Cell::new(text).at_most(8);
        let column = |heading| Column { heading, align: Align::Left };
        let table = Table {
            columns: vec![column("FROM"), column("COMMAND")],
            rows: vec![
                vec![cell("/home/ana/src/shop"), Cell::new("node x")],
                vec![cell("container web"), Cell::new("nginx")],
            ],
        };
        assert!(table.layout(Some(30), false).contains("/home/ana/src/shop  node x\n"));
        assert_eq!(
            table.layout(Some(20), false),
            "FROM      COMMAND\n…rc/shop  node x\ncontain…  nginx\n"
        );
        assert!(table.plain().starts_with("/home/ana/src/shop\tnode x\n"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let column = |heading, align| Column { heading, align };
        let table = Table {
            columns: vec![
                column("PORT", Align::Right),
                column("NAME", Align::Left),
                column("COMMAND", Align::Left),
            ],
            rows: vec![
                vec![Cell::new("80"), Cell::new("日本語"), Cell::new("a b c d e f")],
                vec![Cell::new("65535"), Cell::new("x"), Cell::new("")],
            ],
        };
        assert_eq!(
            table.layout(None, false),
            " PORT  NAME    COMMAND\n   80  日本語  a b c d e f\n65535  x\n"
        );
        for width in 0..40 {
            for line in table.layout(Some(width), false).lines() {
                assert!(line.width() <= width, "{width}: {line:?}");
            }
        }
        let empty = Table { columns: table.columns, rows: Vec::new() };
        assert_eq!(empty.layout(None, false), "");
    }
}
