//! Everything that is printed: tables, tab-separated lines, JSON, notes, errors.
//!
//! Text that came from outside passes through [`printable`] before it is
//! printed, in every format. A reader that closes the pipe early is no error.

use std::borrow::Cow;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::table::{self, Table};

/// Options that every command takes.
#[derive(clap::Args)]
pub(crate) struct OutputArgs {
    /// Print one JSON document
    #[arg(long, global = true, help_heading = "Output", conflicts_with_all = ["table", "plain"])]
    json: bool,
    /// Print a table, also into a pipe
    #[arg(long, global = true, help_heading = "Output", conflicts_with = "plain")]
    table: bool,
    /// Print lines of columns separated by tabs, also on a terminal
    #[arg(long, global = true, help_heading = "Output")]
    plain: bool,
    /// Print nothing but errors
    #[arg(short, long, global = true, help_heading = "Output")]
    quiet: bool,
    /// When to use colour
    #[arg(
        long,
        global = true,
        help_heading = "Output",
        value_name = "WHEN",
        default_value = "auto"
    )]
    color: Color,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Table,
    Plain,
    Json,
}

/// Where and how a command prints.
pub(crate) struct Out {
    format: Format,
    color: bool,
    quiet: bool,
    terminal: bool,
}

impl Out {
    pub(crate) fn new(args: &OutputArgs) -> Result<Self, Failure> {
        // clap compares only what stands on the same side of a command's name.
        if [args.json, args.table, args.plain].iter().filter(|flag| **flag).count() > 1 {
            return Err(Failure::usage(
                "cannot print in several formats at once",
                "accepted: one of --json, --table and --plain",
            ));
        }
        let terminal = io::stdout().is_terminal();
        let format = if args.json {
            Format::Json
        } else if args.table || (terminal && !args.plain) {
            Format::Table
        } else {
            Format::Plain
        };
        let color = match args.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
            }
        };
        Ok(Self { format, color: color && format == Format::Table, quiet: args.quiet, terminal })
    }

    /// Prints a document of the schema `name`, or the table made from the same data.
    pub(crate) fn document<T: Serialize>(
        &self,
        schema: &'static str,
        data: &T,
        table: impl FnOnce() -> Table,
    ) -> Result<(), Failure> {
        if self.quiet {
            return Ok(());
        }
        match self.format {
            Format::Json => self.text(&json(schema, data, self.terminal)?),
            Format::Plain => self.text(&table().plain()),
            Format::Table => self.text(&table().layout(self.width(), self.color)),
        }
    }

    /// Prints a document of the schema `name`, or the text that is its only part.
    pub(crate) fn script<T: Serialize>(
        &self,
        schema: &'static str,
        data: &T,
        text: &str,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.text(&json(schema, data, self.terminal)?),
            _ => self.text(text),
        }
    }

    /// Whether to show something that changes as a screen, rather than as lines.
    pub(crate) fn is_live(&self) -> Result<bool, Failure> {
        let lines = "--plain and --json print a line for each change";
        if self.quiet {
            return Err(Failure::usage("cannot watch and print nothing: --quiet is given", lines));
        }
        if self.format == Format::Table && !self.terminal {
            let message = "cannot show a table that changes: this is no terminal";
            return Err(Failure::usage(message, lines));
        }
        Ok(self.format == Format::Table)
    }

    /// Whether text is coloured.
    pub(crate) fn is_colored(&self) -> bool {
        self.color
    }

    /// Prints one of many documents, as one line, or the lines of the table made
    /// from the same data. False if nobody reads them any more.
    pub(crate) fn event<T: Serialize>(
        &self,
        schema: &'static str,
        data: &T,
        table: impl FnOnce() -> Table,
    ) -> Result<bool, Failure> {
        match self.format {
            Format::Json => write(&json(schema, data, false)?),
            Format::Plain | Format::Table => write(&table().plain()),
        }
    }

    /// Whether the answer is a document.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints bytes exactly as they are into a pipe or a file; on a terminal,
    /// without what it would obey.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        if !self.terminal {
            return stdout.write_all(bytes).and_then(|()| stdout.flush());
        }
        let text = String::from_utf8_lossy(bytes);
        let mut shown = harmless(&text);
        if shown.chars().count() != text.replace("\r\n", "\n").chars().count() {
            self.note("control characters are left out here, and are there in a pipe or a file");
        }
        if !shown.ends_with('\n') {
            shown.push('\n');
        }
        stdout.write_all(shown.as_bytes()).and_then(|()| stdout.flush())
    }

    /// Whether [`Out::bytes`] must be given everything at once.
    pub(crate) fn wants_whole_text(&self) -> bool {
        self.terminal
    }

    /// Prints text as it is.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        if self.quiet {
            return Ok(());
        }
        write(text).map(drop)
    }

    /// Says something beside the answer. In JSON it is part of the document instead.
    pub(crate) fn note(&self, text: &str) {
        self.aside("mx", text);
    }

    /// Says several things beside the answer, to a terminal that may take nothing more.
    pub(crate) fn notes_where_it_may_rest(&self, texts: Vec<String>) {
        if !self.quiet && self.format != Format::Json {
            where_it_may_rest(move || texts.iter().for_each(|text| stderr_line("mx", text)));
        }
    }

    /// Says what to do next.
    pub(crate) fn hint(&self, text: &str) {
        self.aside("hint", text);
    }

    /// Says something that no document holds, in every format.
    pub(crate) fn remark(&self, text: &str) {
        if !self.quiet {
            stderr_line("mx", text);
        }
    }

    /// Says what a question is about: whoever can answer must see it, in every format.
    pub(crate) fn ask_about(text: &str) {
        stderr_line("mx", text);
    }

    /// Asks a question that is answered with yes or no; `None` if there is nobody to ask.
    pub(crate) fn confirm(question: &str) -> Option<bool> {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return None;
        }
        let _ = write!(io::stderr().lock(), "{} [y/N] ", printable(question));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        Some(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// A line on stderr that tells how far a long wait has come, on a terminal only.
    pub(crate) fn progress(&self) -> Progress {
        let wanted = !self.quiet && self.format != Format::Json && io::stderr().is_terminal();
        Progress { wanted, shown: false }
    }

    fn aside(&self, prefix: &str, text: &str) {
        if !self.quiet && self.format != Format::Json {
            stderr_line(prefix, text);
        }
    }

    fn width(&self) -> Option<usize> {
        let stdout = io::stdout();
        let size = self.terminal.then(|| terminal_size::terminal_size_of(stdout)).flatten();
        size.map(|(width, _)| usize::from(width.0)).filter(|&width| width > 0)
    }
}

/// Waits, or returns false at once when nobody reads standard output any more.
pub(crate) fn pause(time: Duration) -> bool {
    let end = Instant::now() + time;
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        let stdout = io::stdout();
        // The end of the reader is told without being asked for.
        let mut wanted = [PollFd::new(&stdout, PollFlags::empty())];
        let limit = Timespec::try_from(rest).ok();
        match poll(&mut wanted, limit.as_ref()) {
            Ok(0) => return true,
            Ok(_) if wanted[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => {
                return false;
            }
            Err(Errno::INTR) => {}
            // macOS cannot wait for every kind of file.
            _ => {
                std::thread::sleep(rest);
                return true;
            }
        }
    }
}

/// False if nobody reads it, which is no error.
pub(crate) fn write(text: &str) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::unable(format!("cannot write the answer: {error}"))),
    }
}

/// A line that is written over, and taken away in the end.
pub(crate) struct Progress {
    wanted: bool,
    shown: bool,
}

impl Progress {
    pub(crate) fn show(&mut self, text: &str) {
        if self.wanted {
            let width =
                terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| width.0);
            let text = printable(text);
            let _ = write!(
                io::stderr().lock(),
                "\r\x1b[K{}",
                table::cut(&text, usize::from(width).saturating_sub(1))
            );
            self.shown = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// Reports a failure on stderr.
pub(crate) fn failure(failure: &Failure) -> Exit {
    let Failure { exit, message, hint } = failure.clone();
    where_it_may_rest(move || {
        stderr_line("mx", &message);
        if let Some(hint) = &hint {
            stderr_line("hint", hint);
        }
    });
    exit
}

/// Writes to a terminal that perhaps takes nothing any more. After a moment it
/// is given up, and the program ends without it.
fn where_it_may_rest(write: impl FnOnce() + Send + 'static) {
    const MOMENT: Duration = Duration::from_millis(200);

    if !io::stderr().is_terminal() {
        return write();
    }
    let (sender, done) = mpsc::channel();
    let started = std::thread::Builder::new().spawn(move || {
        write();
        let _ = sender.send(());
    });
    if started.is_ok() {
        let _ = done.recv_timeout(MOMENT);
    }
}

fn stderr_line(prefix: &str, text: &str) {
    // Where stderr is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{prefix}: {}", printable(text));
}

/// Text without anything that a terminal would obey: control characters and
/// bidirectional overrides are dropped; line breaks and tabs become spaces.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let visible = text.chars().filter_map(|char| match char {
        '\n' | '\r' | '\t' => Some(' '),
        char => (!is_hostile(char)).then_some(char),
    });
    Cow::Owned(visible.collect())
}

/// Lines of text without anything else that a terminal would obey.
fn harmless(text: &str) -> String {
    text.chars().filter(|char| matches!(char, '\n' | '\t') || !is_hostile(*char)).collect()
}

fn is_hostile(char: char) -> bool {
    let direction =
        matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let separator = matches!(char, '\u{2028}' | '\u{2029}');
    char.is_control() || direction || separator
}

fn json<T: Serialize>(schema: &'static str, data: &T, pretty: bool) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Document<'a, T> {
        schema: &'static str,
        #[serde(flatten)]
        data: &'a T,
    }

    let document = Document { schema, data };
    let text = if pretty {
        serde_json::to_string_pretty(&document)
    } else {
        serde_json::to_string(&document)
    };
    let text = text.map_err(|error| Failure::unable(format!("cannot write JSON: {error}")))?;
    // serde_json escapes only what JSON demands. The rest that a terminal would
    // obey can stand nowhere but in a string.
    let mut safe = String::with_capacity(text.len() + 1);
    for char in text.chars() {
        if char >= ' ' && is_hostile(char) {
            safe.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            safe.push(char);
        }
    }
    safe.push('\n');
    Ok(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_loses_its_power_and_keeps_its_letters() {
        for (text, shown) in [
            ("plain", "plain"),
            ("\x1b[31mred\x1b[0m", "[31mred[0m"),
            ("two\nlines\tand\rmore", "two lines and more"),
            ("\u{9b}31m\u{7f}x\u{202e}y\u{2066}", "31mxy"),
            ("naïve 日本", "naïve 日本"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn lines_stay_lines_on_a_terminal() {
        assert_eq!(harmless("a\tb\r\nc\x1b]0;x\x07\u{202e}\n"), "a\tb\nc]0;x\n");
    }

    #[test]
    fn json_escapes_what_a_terminal_would_obey() {
        #[derive(Serialize)]
        struct Data {
            name: &'static str,
        }
        let text = json("mx.test/1", &Data { name: "a\x1b\u{9b}\u{7f}\u{202e}\n" }, false)
            .expect("plain data");
        assert_eq!(
            text,
            "{\"schema\":\"mx.test/1\",\"name\":\"a\\u001b\\u009b\\u007f\\u202e\\n\"}\n"
        );
    }
}
