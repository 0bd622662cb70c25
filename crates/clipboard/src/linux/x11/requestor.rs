//! Asking the owner of a selection for what it holds.

use std::rc::Rc;

use x11rb::protocol::Event;
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt, Property};

use super::{Server, lost};
use crate::patience::Clock;
use crate::{Attempt, Error, Obstacle, Options, Sink};

/// Where a reply of GetProperty has what.
const FORMAT: usize = 1;
const TYPE: usize = 8;
const LENGTH: usize = 16;
const VALUE: usize = 32;

/// Hands the text of the selection to `sink`; false if there is none.
pub(in super::super) fn paste(options: Options, clock: &Rc<Clock>, sink: Sink) -> Attempt<bool> {
    let server = Server::connect(clock)?;
    let selection = server.selection(options);
    let atoms = &server.atoms;
    let (targets, has_text) = server.ask_for_text(selection)?;
    let plain = [atoms.PLAIN_TEXT, AtomEnum::STRING.into()];
    // Without a list every kind is asked for, and the best of it if it has one.
    let Some(kind) = server.text_among(targets.as_deref())? else { return Ok(false) };
    if has_text {
        server.take(sink)?;
        return Ok(true);
    }
    for target in plain.into_iter().chain(Some(kind).filter(|kind| !plain.contains(kind))) {
        if server.ask(selection, target)? {
            server.take(sink)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// The names of what the selection can be converted to, of what speaks of the
/// selection itself none.
pub(in super::super) fn types(options: Options, clock: &Rc<Clock>) -> Attempt<Vec<String>> {
    const META: [&str; 5] = ["TARGETS", "TIMESTAMP", "MULTIPLE", "SAVE_TARGETS", "DELETE"];

    let server = Server::connect(clock)?;
    if !server.ask(server.selection(options), server.atoms.TARGETS)? {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    server.take(&mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    let names = server.names(&atoms_in(&bytes))?;
    Ok(names.into_iter().filter(|name| !META.contains(&name.as_str())).collect())
}

/// Whether a property stays when it has been read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Yes,
    No,
}

impl Server {
    /// Asks for the list of targets, and in the same breath for text, which is
    /// what most selections hold; gives the list, if there is one, and whether
    /// the text came. Some owners give whatever they have under any name.
    fn ask_for_text(&self, selection: Atom) -> Attempt<(Option<Vec<Atom>>, bool)> {
        let (list, text) = (self.atoms.TARGETS, self.atoms.UTF8_STRING);
        self.request(selection, list, list)?;
        self.request(selection, text, self.property())?;
        let mut targets = None;
        loop {
            match self.next_answer()? {
                Event::SelectionNotify(answer)
                    if answer.target == list && answer.property != x11rb::NONE =>
                {
                    // It stays: xclip takes the deletion of any property for
                    // the wish for the next piece.
                    let reply = self.property_value(list, Keep::Yes)?;
                    targets = Some(atoms_in(value(&reply))).filter(|list| !list.is_empty());
                }
                Event::SelectionNotify(answer) if answer.target == text => {
                    return Ok((targets, answer.property != x11rb::NONE));
                }
                _ => {}
            }
        }
    }

    /// A kind of text in a list of targets; `None` if there is none. Without a
    /// list there may be text.
    fn text_among(&self, targets: Option<&[Atom]>) -> Attempt<Option<Atom>> {
        let usual = [self.atoms.UTF8_STRING, self.atoms.PLAIN_TEXT, AtomEnum::STRING.into()];
        let Some(targets) = targets else { return Ok(Some(usual[0])) };
        if let Some(found) = usual.into_iter().find(|one| targets.contains(one)) {
            return Ok(Some(found));
        }
        let is_text =
            |name: &str| name.starts_with("text/") || matches!(name, "TEXT" | "COMPOUND_TEXT");
        let names = self.names(targets)?;
        let found = targets.iter().zip(&names).find(|(_, name)| is_text(name));
        Ok(found.map(|(atom, _)| *atom))
    }

    /// The names of atoms; that of one that does not exist is empty.
    fn names(&self, atoms: &[Atom]) -> Attempt<Vec<String>> {
        // All questions first, then all answers.
        let asked = atoms.iter().map(|&atom| self.connection.get_atom_name(atom));
        let asked: Vec<_> = asked.collect::<Result<_, _>>().map_err(lost)?;
        let name = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let names = asked.into_iter().map(|one| one.reply().map(|reply| name(reply.name)));
        Ok(names.map(Result::unwrap_or_default).collect())
    }

    fn request(&self, selection: Atom, target: Atom, property: Atom) -> Attempt<()> {
        let sent =
            self.connection.convert_selection(self.window, selection, target, property, self.time);
        sent.map(drop).map_err(lost)
    }

    /// Asks for a target; false if nobody gives it.
    fn ask(&self, selection: Atom, target: Atom) -> Attempt<bool> {
        self.request(selection, target, self.property())?;
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
        let first = self.property_value(self.property(), Keep::No)?;
        if number(&first, TYPE) != self.atoms.INCR {
            return pass(&first, sink);
        }
        // To take a piece asks for the next one.
        loop {
            match self.next_answer()? {
                Event::PropertyNotify(event)
                    if event.atom == self.property() && event.state == Property::NEW_VALUE =>
                {
                    let piece = self.property_value(self.property(), Keep::No)?;
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

    /// The reply with the property's value. As it came: the parsed one would be a
    /// copy.
    fn property_value(&self, property: Atom, keep: Keep) -> Attempt<Vec<u8>> {
        self.connection
            .get_property(keep == Keep::No, self.window, property, AtomEnum::ANY, 0, super::WHOLE)
            .map_err(lost)?
            .raw_reply()
            .map_err(lost)
    }

    fn next_answer(&self) -> Attempt<Event> {
        let event = self.next_event()?;
        event.ok_or_else(|| {
            let (doing, why) = ("read the clipboard", self.clock.complaint("its owner"));
            Obstacle::Failed(Error::Silent { doing, why })
        })
    }
}

fn atoms_in(bytes: &[u8]) -> Vec<Atom> {
    bytes.chunks_exact(4).map(|atom| number(atom, 0)).collect()
}

fn pass(reply: &[u8], sink: Sink) -> Attempt<()> {
    sink(value(reply)).map_err(|error| Obstacle::Failed(Error::Sink(error)))
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
