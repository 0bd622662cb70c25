//! The table that `mx ports watch` shows: what is new, what is gone, what fits.

use std::collections::HashMap;
use std::slice;
use std::time::{Duration, Instant};

use anstyle::Style;
use ports::watch::{Change, Event};
use ports::{Query, Report, Socket};

use super::kill::Chosen;
use super::listing::{self, Holding, Place};
use crate::keys::Key;
use crate::out::printable;
use crate::table::{Align, Cell, Column, FOOT, GONE, NEW, Table, cut};

/// What is shown beside the sockets that there are, and which part of it all.
pub(super) struct Live {
    query: Query,
    interval: Duration,
    color: bool,
    /// Rows that have come, and until when they are marked.
    new: HashMap<Place, Instant>,
    /// Rows that have gone, and until when they are shown.
    gone: HashMap<Place, (Socket, Instant)>,
    /// Rows above the screen.
    above: usize,
    /// Rows on the screen when it was last drawn.
    room: usize,
    /// The rows when it was last drawn.
    places: Vec<Place>,
    /// The row that keys act on, by its number; `None` before one was chosen.
    cursor: Option<usize>,
    /// Whom to end, if the answer is yes.
    asked: Option<Chosen>,
    /// What to say instead of the status, a hint above it, and until when.
    message: Option<(String, Option<String>, Instant)>,
}

impl Live {
    pub(super) fn new(query: Query, interval: Duration, color: bool) -> Self {
        Self {
            query,
            interval,
            color,
            new: HashMap::new(),
            gone: HashMap::new(),
            above: 0,
            room: 0,
            places: Vec::new(),
            cursor: None,
            asked: None,
            message: None,
        }
    }

    /// Marks what has changed.
    pub(super) fn update(&mut self, changes: &[Change], now: Instant) {
        /// Enough to be noticed, in time and in looks.
        const MARKED: Duration = Duration::from_secs(4);
        const LOOKS: u32 = 2;

        self.new.retain(|_, until| *until > now);
        self.gone.retain(|_, (_, until)| *until > now);
        let until = now + MARKED.max(self.interval * LOOKS);
        for Change { event, socket, before, .. } in changes.iter().filter(|one| !one.initial) {
            match (event, before) {
                (Event::Closed, _) => self.mark_gone(socket, until),
                (Event::Changed, Some(before)) => {
                    if let Some(left) = without(before, socket) {
                        self.mark_gone(&left, until);
                    }
                    if let Some(joined) = without(socket, before) {
                        self.mark_new(&joined, until);
                    }
                }
                (Event::Opened | Event::Changed, _) => self.mark_new(socket, until),
            }
        }
    }

    fn mark_new(&mut self, socket: &Socket, until: Instant) {
        for holding in listing::holdings(slice::from_ref(socket)) {
            self.new.insert(listing::place(holding), until);
        }
    }

    fn mark_gone(&mut self, socket: &Socket, until: Instant) {
        for holding in listing::holdings(slice::from_ref(socket)) {
            let pid = holding.1.map(|owner| owner.pid);
            let mut row = socket.clone();
            row.owners.retain(|owner| Some(owner.pid) == pid);
            let place = listing::place(holding);
            self.new.remove(&place);
            self.gone.insert(place, (row, until));
        }
    }

    /// Moves the cursor, which the screen follows.
    pub(super) fn go(&mut self, key: Key) {
        self.message = None;
        let Some(last) = self.places.len().checked_sub(1) else { return };
        let cursor = self.cursor.unwrap_or(self.above);
        let row = match (key, self.cursor) {
            // The first key shows where it is.
            (Key::Up | Key::Down, None) => cursor,
            (Key::Up, _) => cursor.saturating_sub(1),
            (Key::Down, _) => cursor.saturating_add(1),
            (Key::PageUp, _) => cursor.saturating_sub(self.room),
            (Key::PageDown, _) => cursor.saturating_add(self.room),
            (Key::Home, _) => 0,
            (Key::End, _) => last,
            (Key::Quit | Key::Kill | Key::Yes | Key::No, _) => return,
        };
        self.cursor = Some(row.min(last));
    }

    /// Asks whether to end the owners of the row at the cursor, or says why not.
    pub(super) fn ask(&mut self, report: &Report) {
        let Some(cursor) = self.cursor else {
            return self.say("choose a row first: j and k, or the arrows".to_owned(), None);
        };
        let place = self.places.get(cursor);
        let rows = listing::holdings(&report.sockets);
        let row = rows.into_iter().find(|row| Some(&listing::place(*row)) == place);
        let Some((socket, _)) = row else {
            return self.say("this row is gone".to_owned(), None);
        };
        match Chosen::find(socket, self.query.all_namespaces) {
            Ok(chosen) => self.asked = Some(chosen),
            Err(failure) => self.say(failure.message, failure.hint),
        }
    }

    /// What waits for an answer, if something does.
    pub(super) fn take_asked(&mut self) -> Option<Chosen> {
        self.asked.take()
    }

    /// Shows a text in the last line for a while, and a hint above it.
    pub(super) fn say(&mut self, text: String, hint: Option<String>) {
        const SHOWN: Duration = Duration::from_secs(6);

        self.message = Some((text, hint, Instant::now() + SHOWN));
    }

    /// What a screen of so many columns and lines shows, line by line.
    pub(super) fn frame(&mut self, report: &Report, size: (usize, usize)) -> Vec<String> {
        let (width, height) = size;
        self.place_cursor(report);
        let text = self.table(report).layout(Some(width), self.color);
        let mut rows: Vec<&str> = text.lines().collect();
        let nothing = cut(nothing(report), width);
        let heading = if rows.is_empty() { &nothing } else { rows.remove(0) };

        if self.message.as_ref().is_some_and(|(_, _, until)| *until <= Instant::now()) {
            self.message = None;
        }
        let hint = self.message.as_ref().filter(|_| self.asked.is_none());
        let hint = hint.and_then(|(_, hint, _)| hint.as_ref()).map(|hint| format!("hint: {hint}"));
        let notes: Vec<&String> = report.notes.iter().chain(&hint).collect();
        let around = 2 + notes.len();
        self.room = height.saturating_sub(around).max(1);
        if let Some(cursor) = self.cursor {
            self.above = self.above.clamp((cursor + 1).saturating_sub(self.room), cursor);
        }
        self.above = self.above.min(rows.len().saturating_sub(self.room));
        let shown = &rows[self.above..rows.len().min(self.above + self.room)];
        let below = rows.len() - self.above - shown.len();

        let mut frame = vec![heading.to_owned()];
        frame.extend(shown.iter().map(|row| (*row).to_owned()));
        frame.resize(frame.len().max(height.saturating_sub(around - 1)), String::new());
        frame.extend(notes.into_iter().map(|note| cut(&printable(note), width).into_owned()));
        frame.push(self.status(report, below, width));
        frame.truncate(height);
        frame
    }

    /// Keeps the cursor at its socket and process where rows come and go.
    fn place_cursor(&mut self, report: &Report) {
        let places: Vec<Place> =
            self.rows(report).iter().map(|(holding, _)| listing::place(*holding)).collect();
        // It never passes to another row: what is typed next may end it.
        self.cursor = self.cursor.and_then(|cursor| {
            places.iter().position(|place| Some(place) == self.places.get(cursor))
        });
        self.places = places;
    }

    /// What there is and what has just gone, as `mx ports` sorts it, with a mark for each row.
    fn rows<'a>(&'a self, report: &'a Report) -> Vec<(Holding<'a>, Option<(&'a str, Style)>)> {
        let mut gone: Vec<Holding> = self
            .gone
            .values()
            .flat_map(|(row, _)| listing::holdings(slice::from_ref(row)))
            .collect();
        gone.sort_by_key(|(_, owner)| owner.map(|owner| owner.pid));
        let gone = gone.into_iter().map(|holding| (holding, Some(("-", GONE))));
        let present = listing::holdings(&report.sockets).into_iter().map(|holding| {
            let is_new = self.new.contains_key(&listing::place(holding));
            (holding, is_new.then_some(("+", NEW)))
        });
        let mut rows: Vec<(Holding, Option<(&str, Style)>)> = gone.chain(present).collect();
        rows.sort_by_key(|((socket, _), _)| socket.rank());
        rows
    }

    fn table(&self, report: &Report) -> Table {
        let mut columns = listing::columns(&self.query);
        columns.insert(0, Column { heading: " ", align: Align::Left });
        let rows = self.rows(report).into_iter().enumerate().map(|(index, (holding, mark))| {
            let mut cells = listing::row(holding, &self.query);
            let sign = mark.map_or(" ", |(sign, _)| sign);
            let is_chosen = self.cursor == Some(index);
            let cursor = if is_chosen { ">" } else { "" };
            cells.insert(0, Cell::new(format!("{sign}{cursor}")));
            let style = if is_chosen { Some(FOOT) } else { mark.map(|(_, style)| style) };
            match style {
                Some(style) => cells.into_iter().map(|cell| cell.style(style)).collect(),
                None => cells,
            }
        });
        Table { columns, rows: rows.collect() }
    }

    /// The last line. What is least known comes first: the end may be cut off.
    fn status(&self, report: &Report, below: usize, width: usize) -> String {
        let question = self.asked.as_ref().map(|asked| asked.question(width));
        let message = self.message.as_ref().map(|(text, ..)| text.clone());
        if let Some(text) = question.or(message) {
            return self.foot(&printable(&text), width);
        }
        let mut parts = vec![super::count(report.sockets.len(), "socket")];
        if report.hidden > 0 {
            parts.push(format!("{} hidden", super::count(report.hidden, "owner")));
        }
        match (self.above, below) {
            (0, 0) => {}
            (above, 0) => parts.push(format!("{above} above")),
            (0, below) => parts.push(format!("{below} below")),
            (above, below) => parts.push(format!("{above} above, {below} below")),
        }
        parts.push(format!("every {}", humantime::format_duration(self.interval)));
        parts.push("q quit, j k PgUp PgDn move, x end".to_owned());
        self.foot(&parts.join("  "), width)
    }

    fn foot(&self, text: &str, width: usize) -> String {
        let text = cut(text, width);
        if self.color { format!("{FOOT}{text:width$}{FOOT:#}") } else { text.into_owned() }
    }
}

/// The socket with only those of its owners that do not hold the other; `None` if all do.
fn without(socket: &Socket, other: &Socket) -> Option<Socket> {
    let mut socket = socket.clone();
    socket.owners.retain(|owner| other.owners.iter().all(|still| still.pid != owner.pid));
    (!socket.owners.is_empty()).then_some(socket)
}

fn nothing(report: &Report) -> &'static str {
    if report.cannot_tell() { "nothing is bound that can be seen" } else { "nothing is bound" }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use ports::Selector;
    use ports::watch::Watcher;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn listeners(count: usize) -> Vec<(TcpListener, Selector)> {
        let bind = |_| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
            let port = listener.local_addr().expect("an address").port();
            (listener, port.to_string().parse().expect("a selector"))
        };
        (0..count).map(bind).collect()
    }

    #[test]
    fn a_frame_fills_the_screen_and_no_more() {
        let listeners = listeners(7);
        let selectors = listeners.iter().map(|(_, selector)| selector.clone()).collect();
        let mut some = Watcher::new(Query { selectors, ..Query::default() });
        some.look().expect("the sockets of this machine");
        let none = Watcher::new(Query::default());
        for watcher in [some, none] {
            let mut live = Live::new(Query::default(), Duration::from_secs(1), false);
            for (width, height) in
                (1..120).flat_map(|width| (1..12).map(move |height| (width, height)))
            {
                live.go(if width % 2 == 0 { Key::End } else { Key::PageDown });
                let frame = live.frame(watcher.report(), (width, height));
                assert_eq!(frame.len(), height, "{width}: {frame:?}");
                for line in frame {
                    assert!(line.width() <= width, "{width}: {line:?}");
                }
            }
        }
    }

    #[test]
    fn marks_last_for_a_while() {
        let mut listeners = listeners(2);
        let selectors = listeners.iter().map(|(_, selector)| selector.clone()).collect();
        let mut watcher = Watcher::new(Query { selectors, ..Query::default() });
        let mut live = Live::new(Query::default(), Duration::from_millis(500), false);
        let start = Instant::now();
        let mut signs = |changes: &[Change], report: &Report, seconds| -> Vec<char> {
            live.update(changes, start + Duration::from_secs(seconds));
            let frame = live.frame(report, (80, 5));
            frame[1..4].iter().filter_map(|line| line.chars().next()).collect()
        };
        let first = watcher.look().expect("the sockets of this machine");
        assert_eq!(signs(&first, watcher.report(), 0), [' ', ' ']);
        drop(listeners.pop());
        let second = watcher.look().expect("the sockets of this machine");
        let mut both = signs(&second, watcher.report(), 1);
        both.sort_unstable();
        assert_eq!(both, [' ', '-']);
        assert_eq!(signs(&[], watcher.report(), 4).len(), 2);
        assert_eq!(signs(&[], watcher.report(), 6), [' ']);
    }
}
