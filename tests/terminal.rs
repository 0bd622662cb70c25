//! A program in a pseudo-terminal, and its screen.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a screen may take to show what is waited for.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser<Clipboard>,
    // Closing it ends the program.
    master: Box<dyn MasterPty + Send>,
}

/// What programs ask the terminal to put on the clipboard.
#[derive(Default)]
struct Clipboard(Vec<String>);

impl vt100::Callbacks for Clipboard {
    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, place: &[u8], text: &[u8]) {
        let part = |bytes| String::from_utf8_lossy(bytes).into_owned();
        self.0.push(format!("{};{}", part(place), part(text)));
    }
}

impl Terminal {
    pub(crate) fn new(command: CommandBuilder, columns: u16) -> Self {
        Self::with_size(command, columns, 80)
    }

    pub(crate) fn with_size(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let size = size(columns, rows);
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let child = pair.slave.spawn_command(command).expect("the program starts");
        let mut reader = pair.master.try_clone_reader().expect("its output");
        let writer = pair.master.take_writer().expect("its input");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let (rows, columns) = (nonzero(size.rows), nonzero(size.cols));
        let screen = vt100::Parser::new_with_callbacks(rows, columns, 0, Clipboard::default());
        Self { child, writer, output, screen, master: pair.master }
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).expect("the program reads");
        self.writer.flush().expect("the program reads");
    }

    /// Reads until the screen shows what is wanted, and returns its text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let text = self.text();
            if wanted(&text) {
                return text;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("never saw {what}:\n{text}"),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without {what}:\n{text}"),
            }
        }
    }

    #[track_caller]
    pub(crate) fn wait_for_text(&mut self, wanted: &str) -> String {
        self.wait_for(wanted, |text| text.contains(wanted))
    }

    /// Waits for the end of the program, and returns the last screen and the exit code.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> (String, u32) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("never ended:\n{}", self.text()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        (self.text(), self.child.wait().expect("a child").exit_code())
    }

    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.screen.screen_mut().set_size(nonzero(rows), nonzero(columns));
        self.master.resize(size(columns, rows)).expect("a terminal");
    }

    /// What the program has asked to be put on the clipboard: place and base64.
    pub(crate) fn clipboard(&self) -> &[String] {
        &self.screen.callbacks().0
    }

    /// What the program has made of the screen beside its text.
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    fn text(&self) -> String {
        let contents = self.screen.screen().contents();
        contents.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn nonzero(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("a size")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
