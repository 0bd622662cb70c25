//! Asking the owner of a selection for what it holds.

use std::time::{Duration, Instant};

use sys::Error;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt, Property};

use super::{Server, lost};
use crate::{Attempt, Obstacle, Options, Sink};

/// How long an owner may take for an answer, and for each piece of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where a reply of GetProperty has what.
const FORMAT: usize = 1;
const TYPE: usize = 8;
const LENGTH: usize = 16;
const VALUE: usize = 32;

/// Hands the text of the selection to `sink`; false if there is none.
pub(in super::super) fn paste(options: Options, sink: Sink) -> Attempt<bool> {
    let server = Server::connect()?;
    let selection = server.selection(options);
    let atoms = &server.atoms;
    for target in [atoms.UTF8_STRING, atoms.PLAIN_TEXT, AtomEnum::STRING.into()] {
        if server.ask(selection, target)? {
            server.take(sink)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// The names of what the selection can be converted to, of what speaks of the
/// selection itself none.
pub(in super::super) fn types(options: Options) -> Attempt<Vec<String>> {
    const META: [&str; 5] = ["TARGETS", "TIMESTAMP", "MULTIPLE", "SAVE_TARGETS", "DELETE"];

    let server = Server::connect()?;
    if !server.ask(server.selection(options), server.atoms.TARGETS)? {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    server.take(&mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    let connection = &server.connection;
    let atoms = bytes.chunks_exact(4).map(|atom| number(atom, 0));
    // All questions first, then all answers.
    let names: Vec<_> =
        atoms.map(|atom| connection.get_atom_name(atom)).collect::<Result<_, _>>().map_err(lost)?;
    let names = names.into_iter().filter_map(|name| name.reply().ok());
    let names = names.map(|name| String::from_utf8_lossy(&name.name).into_owned());
    Ok(names.filter(|name| !META.contains(&name.as_str())).collect())
}

impl Server {
    /// Asks for a target; false if nobody gives it.
    fn ask(&self, selection: Atom, target: Atom) -> Attempt<bool> {
        self.connection
            .convert_selection(self.window, selection, target, self.property(), self.time)
            .map_err(lost)?;
        loop {
            match self.next_answer()? {
                Event::SelectionNotify(answer) if answer.target == target => {
                    return Ok(answer.property != x11rb::NONE);
                }
                _ => {}
            }
        }
    }

    /// Takes what was asked for, whole or in pieces.
    fn take(&self, sink: Sink) -> Attempt<()> {
        let first = self.property_value()?;
        if number(&first, TYPE) != self.atoms.INCR {
            return pass(&first, sink);
        }
        // To take a piece asks for the next one.
        loop {
            match self.next_answer()? {
                Event::PropertyNotify(event)
                    if event.atom == self.property() && event.state == Property::NEW_VALUE =>
                {
                    let piece = self.property_value()?;
                    if value(&piece).is_empty() {
                        return Ok(());
                    }
                    pass(&piece, sink)?;
                }
                _ => {}
            }
        }
    }

    /// The property that an owner is to put its answer into.
    fn property(&self) -> Atom {
        self.atoms.CLIPBOARD
    }

    /// The reply with the property's value, which is taken away. As it came: the
    /// parsed one would be a copy.
    fn property_value(&self) -> Attempt<Vec<u8>> {
        let (window, property) = (self.window, self.property());
        self.connection
            .get_property(true, window, property, AtomEnum::ANY, 0, super::WHOLE)
            .map_err(lost)?
            .raw_reply()
            .map_err(lost)
    }

    fn next_answer(&self) -> Attempt<Event> {
        let event = self.next_event(Some(Instant::now() + PATIENCE))?;
        event.ok_or_else(|| {
            let why = format!("its owner has not answered for {} s", PATIENCE.as_secs());
            Error::Unsupported { doing: "read the clipboard".to_owned(), why }.into()
        })
    }
}

fn pass(reply: &[u8], sink: Sink) -> Attempt<()> {
    sink(value(reply)).map_err(|error| Obstacle::Failed(crate::Error::Sink(error)))
}

/// The value in a reply of GetProperty.
fn value(reply: &[u8]) -> &[u8] {
    let width = usize::from(reply[FORMAT] / 8);
    let length = number(reply, LENGTH) as usize * width;
    reply.get(VALUE..VALUE + length).unwrap_or_default()
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}
