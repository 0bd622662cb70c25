//! The clipboard of the terminal: through tmux, through screen, or straight.
//!
//! A terminal does not say whether it has taken what it was sent, and drops in
//! silence what is too long: the length is looked at first.

use std::io;

use sys::Error;
use term::{Surroundings, osc, tmux};

use crate::patience::{Clock, seconds};
use crate::route::NO_PRIMARY;
use crate::{Attempt, Copied, LEAST, Obstacle, Options, Selection, Sink, Via};

/// What text is called where it has no other name.
const TEXT: &str = "text/plain";

/// Gives tmux text, and through it the terminal.
pub(crate) fn copy_to_tmux(text: &[u8], options: Options, clock: &Clock) -> Attempt<Copied> {
    one_selection(options)?;
    let client = tmux::client(clock.left_at_least(LEAST)).map_err(|error| lost(&error, clock))?;
    if let Some(client) = &client {
        check_length(text, &client.kind)?;
    }
    let limit = clock.left_at_least(LEAST);
    let mut notes = Vec::new();
    if options.secret {
        if client.is_none() {
            return Err(refused(text, "no terminal shows the session of tmux"));
        }
        tmux::pass(text, limit).map_err(|error| given(error, clock))?;
        return Ok(copied(Via::Tmux, text, notes));
    }
    let loaded = tmux::load(text, limit).map_err(|error| given(error, clock))?;
    if loaded == tmux::Loaded::Kept {
        notes.push("tmux has it, but cannot hand it on to the terminal before 3.2".to_owned());
    } else if client.is_none() {
        notes.push("tmux has it; no terminal shows its session".to_owned());
    }
    Ok(copied(Via::Tmux, text, notes))
}

/// Sends the terminal text.
pub(crate) fn copy(via: Via, text: &[u8], options: Options, clock: &Clock) -> Attempt<Copied> {
    // What screen stands before is not known.
    let kind = if via == Via::Osc52 { Surroundings::find().kind } else { String::new() };
    check_length(text, &kind)?;
    let selection = match options.selection {
        Selection::Clipboard => osc::Selection::Clipboard,
        Selection::Primary => osc::Selection::Primary,
    };
    let mut sequence = osc::set_clipboard(selection, text);
    if via == Via::Screen {
        sequence = osc::through_screen(&sequence);
    }
    let limit = clock.left_at_least(LEAST);
    // Without a terminal another way may be open.
    term::send(&sequence, limit).map_err(|error| match &error {
        Error::Io { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
            let why = format!("the terminal has taken nothing for {} s", seconds(limit));
            Obstacle::Silent(why)
        }
        _ => Obstacle::Unreachable(error.to_string()),
    })?;
    Ok(copied(via, text, Vec::new()))
}

/// Reads the newest buffer of tmux.
pub(crate) fn paste_from_tmux(options: Options, clock: &Clock, sink: Sink) -> Attempt<bool> {
    let Some(text) = buffer(options, clock)? else { return Ok(false) };
    sink(&text).map_err(|error| Obstacle::Failed(crate::Error::Sink(error)))?;
    Ok(true)
}

pub(crate) fn types_of_tmux(options: Options, clock: &Clock) -> Attempt<Vec<String>> {
    Ok(buffer(options, clock)?.map(|_| TEXT.to_owned()).into_iter().collect())
}

/// Why nothing is read through a terminal.
pub(crate) fn gives_nothing() -> Obstacle {
    Obstacle::Unreachable("a terminal takes text and gives none".to_owned())
}

fn buffer(options: Options, clock: &Clock) -> Attempt<Option<Vec<u8>>> {
    one_selection(options)?;
    tmux::save(clock.left_at_least(LEAST)).map_err(|error| lost(&error, clock))
}

/// tmux does not answer, or there is none: another way may be open.
fn lost(error: &Error, clock: &Clock) -> Obstacle {
    if clock.is_over() {
        return Obstacle::Silent(clock.complaint("tmux"));
    }
    Obstacle::Unreachable(error.to_string())
}

/// tmux was given the text and has not taken it.
fn given(error: Error, clock: &Clock) -> Obstacle {
    if clock.is_over() { lost(&error, clock) } else { error.into() }
}

fn one_selection(options: Options) -> Attempt<()> {
    match options.selection {
        Selection::Clipboard => Ok(()),
        Selection::Primary => Err(Obstacle::Unreachable(NO_PRIMARY.to_owned())),
    }
}

fn check_length(text: &[u8], kind: &str) -> Attempt<()> {
    let limit = osc::clipboard_limit(kind);
    if text.len() <= limit {
        return Ok(());
    }
    Err(refused(text, &format!("the terminal may drop more than {limit} bytes in silence")))
}

fn refused(text: &[u8], why: &str) -> Obstacle {
    Obstacle::Refused(format!("cannot send {} bytes to the terminal: {why}", text.len()))
}

fn copied(via: Via, text: &[u8], notes: Vec<String>) -> Copied {
    let types = vec![TEXT.to_owned()];
    Copied { via, verified: false, bytes: text.len() as u64, types, notes }
}
