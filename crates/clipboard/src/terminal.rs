//! The clipboard of the terminal: through tmux, through screen, or straight.
//!
//! A terminal does not say whether it has taken what it was sent, and drops in
//! silence what is too long: the length is looked at first.

use sys::Error;
use term::{Surroundings, osc, tmux};

use crate::{Attempt, Copied, Obstacle, Options, Selection, Sink, Via};

/// What text is called where it has no other name.
const TEXT: &str = "text/plain";

/// Gives tmux text, and through it the terminal.
pub(crate) fn copy_to_tmux(text: &[u8], options: Options) -> Attempt<Copied> {
    one_selection(options)?;
    let client = client()?;
    if let Some(client) = &client {
        check_length(text, &client.kind)?;
    }
    let mut notes = Vec::new();
    if options.secret {
        if client.is_none() {
            return Err(refused(text, "no terminal shows the session of tmux".to_owned()));
        }
        tmux::pass(text)?;
    } else if tmux::load(text)? == tmux::Loaded::Kept {
        notes.push("tmux has it, but cannot hand it on to the terminal before 3.2".to_owned());
    } else if client.is_none() {
        notes.push("tmux has it; no terminal shows its session".to_owned());
    }
    Ok(copied(Via::Tmux, text, notes))
}

/// Sends the terminal text.
pub(crate) fn copy(
    via: Via,
    text: &[u8],
    options: Options,
    around: &Surroundings,
) -> Attempt<Copied> {
    check_length(text, &around.kind)?;
    let selection = match options.selection {
        Selection::Clipboard => osc::Selection::Clipboard,
        Selection::Primary => osc::Selection::Primary,
    };
    let mut sequence = osc::set_clipboard(selection, text);
    if via == Via::Screen {
        sequence = osc::through_screen(&sequence);
    }
    // Without a terminal another way may be open.
    term::send(&sequence).map_err(|error| Obstacle::Unreachable(error.to_string()))?;
    Ok(copied(via, text, Vec::new()))
}

/// Reads the newest buffer of tmux.
pub(crate) fn paste_from_tmux(options: Options, sink: Sink) -> Attempt<bool> {
    let Some(text) = buffer(options)? else { return Ok(false) };
    sink(&text).map_err(|error| Obstacle::Failed(crate::Error::Sink(error)))?;
    Ok(true)
}

pub(crate) fn types_of_tmux(options: Options) -> Attempt<Vec<String>> {
    Ok(buffer(options)?.map(|_| TEXT.to_owned()).into_iter().collect())
}

/// Why nothing is read through a terminal.
pub(crate) fn gives_nothing() -> Obstacle {
    Obstacle::Unreachable("a terminal takes text and gives none".to_owned())
}

fn buffer(options: Options) -> Attempt<Option<Vec<u8>>> {
    one_selection(options)?;
    // Without tmux another way may be open.
    tmux::save().map_err(|error| Obstacle::Unreachable(error.to_string()))
}

fn client() -> Attempt<Option<tmux::Client>> {
    tmux::client().map_err(|error| Obstacle::Unreachable(error.to_string()))
}

fn one_selection(options: Options) -> Attempt<()> {
    match options.selection {
        Selection::Clipboard => Ok(()),
        Selection::Primary => Err(Obstacle::Unreachable("it has no primary selection".to_owned())),
    }
}

fn check_length(text: &[u8], kind: &str) -> Attempt<()> {
    let limit = osc::clipboard_limit(kind);
    if text.len() <= limit {
        return Ok(());
    }
    Err(refused(text, format!("the terminal may drop more than {limit} bytes in silence")))
}

fn refused(text: &[u8], why: String) -> Obstacle {
    let doing = format!("send {} bytes to the terminal", text.len());
    Error::Unsupported { doing, why }.into()
}

fn copied(via: Via, text: &[u8], notes: Vec<String>) -> Copied {
    let types = vec![TEXT.to_owned()];
    Copied { via, verified: false, bytes: text.len() as u64, types, notes }
}
