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
    /// How many columns of the text are always shown, where it may be cut.
    least: Option<usize>,
    style: Style,
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        let text = printable(text.as_ref()).into_owned();
        Self { text, least: None, style: Style::new() }
    }

    /// May be cut where the table is too wide for the terminal, to no fewer
    /// columns than `least`; or it goes on over empty cells after it. Of a path
    /// or a dotted name the end is kept.
    pub(crate) fn at_least(self, least: usize) -> Self {
        Self { least: Some(least), ..self }
    }

    fn cut(&self, room: usize) -> Cow<'_, str> {
        let is_path = self.text.starts_with(['/', '~']);
        let is_dotted = self.text.contains('.') && !self.text.contains(' ');
        if self.least.is_some() && (is_path || is_dotted) {
            cut_start(&self.text, room)
        } else {
            cut(&self.text, room)
        }
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
        let widths = self.widths(&heading, width);
        let mut text = String::new();
        for row in std::iter::once(&heading).chain(&self.rows) {
            self.line(row, &widths, width, color, &mut text);
        }
        text
    }

    /// The width of each column. Where they do not fit, the widest of those that
    /// may be cut gives way first, so that no column is cut for a longer neighbour.
    fn widths(&self, heading: &[Cell], limit: Option<usize>) -> Vec<usize> {
        /// What the last column keeps as long as another one may give way.
        const LAST: usize = 12;

        let last = self.columns.len() - 1;
        let rows = || self.rows.iter().map(Vec::as_slice).chain([heading]);
        let widest = |index: usize, width: &dyn Fn(&Cell) -> usize| {
            rows().map(|row| width(&row[index])).max().unwrap_or(0)
        };
        let full = |cell: &Cell| cell.text.width();
        let kept = |cell: &Cell| full(cell).min(cell.least.unwrap_or(usize::MAX));
        let mut widths: Vec<usize> = (0..=last).map(|index| widest(index, &full)).collect();
        let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * last;
        let Some(limit) = limit.filter(|limit| total(&widths) > *limit) else { return widths };
        for (index, width) in widths.iter_mut().enumerate().take(last.saturating_sub(1)) {
            let goes_on =
                |row: &[Cell]| row[index].least.is_some() && row[index + 1].text.is_empty();
            let needed =
                |row: &[Cell]| if goes_on(row) { kept(&row[index]) } else { full(&row[index]) };
            *width = rows().map(needed).max().unwrap_or(0);
        }
        widths[last] = widths[last].min(limit);
        let mut floors: Vec<usize> = (0..=last).map(|index| widest(index, &kept)).collect();
        floors[last] = LAST.min(widths[last]);
        while total(&widths) > limit {
            let shrinkable = (0..=last).filter(|&index| widths[index] > floors[index]);
            let Some(widest) = shrinkable.max_by_key(|&index| widths[index]) else { break };
            widths[widest] -= 1;
        }
        widths
    }

    fn line(
        &self,
        row: &[Cell],
        widths: &[usize],
        limit: Option<usize>,
        color: bool,
        text: &mut String,
    ) {
        let last = row.len() - 1;
        let (mut used, mut index) = (0, 0);
        while let Some(cell) = row.get(index) {
            let room = limit.map_or(usize::MAX, |limit| limit.saturating_sub(used));
            let mut width = widths[index];
            // A long name goes on over the empty cells after it.
            let mut end = index;
            while cell.text.width() > width && end + 1 < last && row[end + 1].text.is_empty() {
                end += 1;
                width += GAP + widths[end];
            }
            let shown =
                if index == last { shorten(&cell.text, room) } else { cell.cut(room.min(width)) };
            let blank = width.saturating_sub(shown.width());
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
            used += width + GAP;
            index = end + 1;
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
    if room == 0 {
        return Cow::Borrowed("");
    }
    let mut used = 0;
    for (at, char) in text.char_indices().rev() {
        used += char.width().unwrap_or(0);
        if used >= room && at > 0 {
            let rest = &text[at + char.len_utf8()..];
            return Cow::Owned(format!("…{rest}"));
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
    use proptest::prelude::*;

    fn column(heading: &'static str) -> Column {
        Column { heading, align: Align::Left }
    }

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
        let cell = |text| Cell::new(text).at_least(8);
        let table = Table {
            columns: vec![column("FROM"), column("COMMAND")],
            rows: vec![
                vec![cell("/home/ana/src/shop"), Cell::new("node x")],
                vec![cell("container web"), Cell::new("nginx")],
                vec![cell("kernel.pid_max.of.all"), Cell::new("x")],
            ],
        };
        assert!(table.layout(Some(30), false).contains("/home/ana/src/shop     node x\n"));
        assert_eq!(
            table.layout(Some(18), false),
            "FROM       COMMAND\n…src/shop  node x\ncontaine…  nginx\n…x.of.all  x\n"
        );
        assert!(table.plain().starts_with("/home/ana/src/shop\tnode x\n"));
    }

    #[test]
    fn a_column_is_not_cut_for_a_longer_neighbour() {
        let row = |from: &str, command: &str| {
            vec![Cell::new("80"), Cell::new(from).at_least(8), Cell::new(command)]
        };
        let long = "word ".repeat(1000);
        let table = |from: &str| Table {
            columns: vec![column("PORT"), column("FROM"), column("COMMAND")],
            rows: vec![row(from, &long), row("~", "x")],
        };
        // The command is as long as it may be: the directory is whole.
        let directory = "/home/ana/work/customers/shop/backend";
        assert!(table(directory).layout(Some(120), false).contains(directory));
        // Both are too long: they share what there is.
        let shown = table(&"/directory".repeat(20)).layout(Some(100), false);
        let first = shown.lines().nth(1).expect("a row");
        let from = first.split("  ").find(|text| text.starts_with('…')).expect("a path");
        let command = &first[first.find("word").expect("a command")..];
        assert!(from.width().abs_diff(command.width()) < 8, "{first}");
    }

    #[test]
    fn a_long_name_goes_on_over_empty_cells() {
        let row = |name: &str, soft: &str| {
            vec![Cell::new(name).at_least(6), Cell::new(soft), Cell::new("what it limits")]
        };
        let table = Table {
            columns: vec![column("NAME"), column("SOFT"), column("LIMITS")],
            rows: vec![row("nofile", "unlimited"), row("fs.inotify.max", "")],
        };
        assert_eq!(
            table.layout(Some(33), false),
            "NAME    SOFT       LIMITS\n\
             nofile  unlimited  what it limits\n\
             fs.inotify.max     what it limits\n"
        );
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

    proptest! {
        /// No line is wider than the terminal; a column is cut only to what it
        /// always shows, and the last one is there as long as there is room for it.
        #[test]
        fn every_table_fits(
            rows in prop::collection::vec(prop::array::uniform3("[a-z/. ]{0,60}"), 1..5),
            least in 1usize..20,
            width in 0usize..140,
        ) {
            let cells = |[one, two, three]: [String; 3]| {
                vec![Cell::new(one), Cell::new(two).at_least(least), Cell::new(three)]
            };
            let rows: Vec<Vec<Cell>> = rows.into_iter().map(cells).collect();
            let columns = vec![column("A"), column("B"), column("C")];
            let heading: Vec<Cell> = columns.iter().map(|one| Cell::new(one.heading)).collect();
            let table = Table { columns, rows };
            for line in table.layout(Some(width), false).lines() {
                prop_assert!(line.width() <= width, "{line:?}");
            }
            let full = table.widths(&heading, None);
            let fitted = table.widths(&heading, Some(width));
            prop_assert_eq!(fitted[0], full[0]);
            prop_assert!(fitted[1] >= full[1].min(least));
            prop_assert!(fitted[2] >= full[2].min(12).min(width));
            if fitted != full {
                let [wide, narrow] = [fitted[1].max(fitted[2]), fitted[1].min(fitted[2])];
                let is_whole = narrow == full[1] || narrow == full[2];
                prop_assert!(is_whole || wide - narrow <= 1 || narrow <= least.max(12));
            }
        }
    }
}
