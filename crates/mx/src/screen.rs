//! The terminal as one screen that is drawn again and again.
//!
//! It is given back as it was however the program ends: by a key, an error, a
//! panic (also where that aborts), a signal, or stopped by Ctrl-Z. SIGKILL leaves
//! no time for that, nor does an abort without a panic, as by a stack overflow.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, Once, PoisonError, TryLockError};
use std::thread;
use std::time::Instant;

use rustix::process::{getpgrp, getsid};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use signal_hook::consts::{
    SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::exit::Failure;
use crate::keys::{Key, Keys, PATIENCE};

/// The other screen, without a cursor, where a long line is cut at the edge.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// What ends the wait of a view.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Nothing happened in the time given.
    Time,
    Key(Key),
    /// The screen must be drawn anew: its size or its content may be another.
    Redraw,
    /// The terminal is gone.
    Gone,
}

/// What arrives from the threads that wait for it.
enum Arrival {
    /// None of them if the terminal is gone.
    Bytes(Vec<u8>),
    Signal(i32),
}

/// The terminal while it is a screen.
pub(crate) struct Screen {
    arrivals: Receiver<Arrival>,
    keys: Keys,
    drawn: String,
}

/// What is to be restored, while there is something.
static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);

struct Taken {
    terminal: OwnedFd,
    modes: Termios,
}

impl Screen {
    pub(crate) fn enter() -> Result<Self, Failure> {
        static HOOK: Once = Once::new();

        if env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
            return Err(unable("TERM names a terminal that has no screen")
                .hint("--plain prints a line for each change"));
        }
        let keyboard = keyboard()?;
        HOOK.call_once(|| {
            // Before the message, which the other screen would swallow; abort comes after it.
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                report(panic);
            }));
        });
        let (sender, arrivals) = channel();
        forward_signals(sender.clone())?;
        let terminal = keyboard.try_clone().map_err(unable)?;
        // Its end gives the terminal back, also if it is only half taken.
        let screen = Self { arrivals, keys: Keys::default(), drawn: String::new() };
        take(terminal)?;
        forward_bytes(File::from(keyboard), sender)?;
        Ok(screen)
    }

    /// Columns and lines.
    pub(crate) fn size() -> (usize, usize) {
        match terminal_size::terminal_size_of(io::stdout()) {
            Some((columns, lines)) if columns.0 > 0 && lines.0 > 0 => {
                (columns.0.into(), lines.0.into())
            }
            _ => (80, 24),
        }
    }

    /// Shows these lines, as many as the screen has. Nothing is written if they are there already.
    pub(crate) fn draw(&mut self, lines: &[String]) -> Result<(), Failure> {
        // Line by line over what is there: to clear the whole screen first would
        // flicker. To clear a line after writing it would take its last column.
        let lines: Vec<String> = lines.iter().map(|line| format!("\x1b[K{line}")).collect();
        let text = format!("\x1b[H{}", lines.join("\r\n"));
        if text == self.drawn {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(unable)?;
        self.drawn = text;
        Ok(())
    }

    /// Waits for something to do. A signal that ends the program ends it here.
    pub(crate) fn wait(&mut self, until: Instant) -> Result<Wake, Failure> {
        loop {
            if let Some(key) = self.keys.next() {
                return Ok(Wake::Key(key));
            }
            let partial = self.keys.is_partial();
            let rest = until.saturating_duration_since(Instant::now());
            match self.arrivals.recv_timeout(if partial { PATIENCE } else { rest }) {
                Ok(Arrival::Bytes(bytes)) if bytes.is_empty() => return Ok(Wake::Gone),
                Ok(Arrival::Bytes(bytes)) => self.keys.feed(&bytes),
                Ok(Arrival::Signal(signal)) => return self.signal(signal),
                Err(RecvTimeoutError::Timeout) if partial => {
                    if let Some(key) = self.keys.give_up() {
                        return Ok(Wake::Key(key));
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(Wake::Time),
                Err(RecvTimeoutError::Disconnected) => return Ok(Wake::Gone),
            }
        }
    }

    fn signal(&mut self, signal: i32) -> Result<Wake, Failure> {
        match signal {
            SIGINT => return Ok(Wake::Key(Key::Quit)),
            // Without a shell that controls jobs nobody would continue what has stopped.
            SIGTSTP if getsid(None).is_ok_and(|session| session == getpgrp()) => {}
            SIGTSTP => {
                restore();
                emulate_default_handler(signal).map_err(unable)?;
                self.resume()?;
            }
            // It may have been stopped by SIGSTOP, without notice.
            SIGCONT => self.resume()?,
            SIGWINCH => {}
            // So that whoever waits for the program learns what ended it.
            _ => {
                restore();
                emulate_default_handler(signal).map_err(unable)?;
            }
        }
        self.drawn.clear();
        Ok(Wake::Redraw)
    }

    fn resume(&mut self) -> Result<(), Failure> {
        restore();
        self.drawn.clear();
        take(keyboard()?)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// The terminal that keys are typed at.
fn keyboard() -> Result<OwnedFd, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return stdin.as_fd().try_clone_to_owned().map_err(unable);
    }
    File::open("/dev/tty").map(OwnedFd::from).map_err(unable)
}

/// Reads keys one by one and unseen. Ctrl-C and Ctrl-Z still send signals, to
/// every process of the pipeline.
fn take(terminal: OwnedFd) -> Result<(), Failure> {
    let modes = tcgetattr(&terminal).map_err(unable)?;
    let mut raw = modes.clone();
    raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
    raw.special_codes[SpecialCodeIndex::VMIN] = 1;
    raw.special_codes[SpecialCodeIndex::VTIME] = 0;
    // Known before anything is changed: a panic may come between.
    let taken = Taken { terminal, modes };
    let mut place = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = place.insert(taken);
    tcsetattr(&taken.terminal, OptionalActions::Now, &raw).map_err(unable)?;
    drop(place);
    let mut stdout = io::stdout().lock();
    stdout.write_all(ENTER.as_bytes()).and_then(|()| stdout.flush()).map_err(unable)
}

/// Gives the terminal back, once. What fails now cannot be helped.
fn restore() {
    // A panic must not wait for a lock that its own thread may hold.
    let mut place = match TAKEN.try_lock() {
        Ok(place) => place,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    if let Some(Taken { terminal, modes }) = place.take() {
        let mut stdout = io::stdout();
        let _ = stdout.write_all(LEAVE.as_bytes()).and_then(|()| stdout.flush());
        let _ = tcsetattr(terminal, OptionalActions::Now, &modes);
    }
}

fn forward_signals(sender: Sender<Arrival>) -> Result<(), Failure> {
    let signals =
        [SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH];
    let mut signals = Signals::new(signals).map_err(unable)?;
    start(move || {
        for signal in &mut signals {
            if sender.send(Arrival::Signal(signal)).is_err() {
                return;
            }
        }
    })
}

/// Reads in a thread of its own: macOS cannot wait for a terminal by poll(2).
fn forward_bytes(mut keyboard: File, sender: Sender<Arrival>) -> Result<(), Failure> {
    start(move || {
        let mut buffer = [0; 256];
        loop {
            let length = match keyboard.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => 0,
            };
            if sender.send(Arrival::Bytes(buffer[..length].to_vec())).is_err() || length == 0 {
                return;
            }
        }
    })
}

fn start(work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    thread::Builder::new().spawn(work).map(drop).map_err(unable)
}

fn unable(why: impl std::fmt::Display) -> Failure {
    Failure::unable(format!("cannot use the terminal as a screen: {why}"))
}
