//! Owning a selection: to answer everyone who asks for it, until somebody else
//! owns it.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use x11rb::connection::{Connection, RequestConnection};
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt, EventMask, PropMode, Property,
    PropertyNotifyEvent, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent,
    Window,
};
use x11rb::wrapper::ConnectionExt as _;

use super::super::owner::Ready;
use super::{Server, lost, text};
use crate::patience::Clock;
use crate::{Attempt, Options};

/// Bytes that go in one piece. More is sent in pieces of this size (ICCCM 2.7.2).
const PIECE: usize = 1 << 20;
/// How long a transfer may rest once something else is on the clipboard.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the hint for managers of passwords says.
const SECRET: &[u8] = b"secret";

/// The types that this text can be pasted as.
pub(in super::super) fn types_of(text: &[u8], options: Options) -> Vec<String> {
    let latin1 = text::latin1(text).map(|_| "STRING");
    let hint = options.secret.then_some("x-kde-passwordManagerHint");
    ["UTF8_STRING", "text/plain;charset=utf-8"]
        .into_iter()
        .chain(latin1)
        .chain(hint)
        .map(str::to_owned)
        .collect()
}

/// Owns the selection, says so, and answers until somebody else owns it.
pub(in super::super) fn own(
    text: &[u8],
    options: Options,
    clock: &Rc<Clock>,
    ready: &Ready,
) -> Attempt<()> {
    let server = Server::connect(clock)?;
    let selection = server.selection(options);
    let connection = &server.connection;
    connection.set_selection_owner(server.window, selection, server.time).map_err(lost)?;
    let owner = connection.get_selection_owner(selection).map_err(lost)?.reply().map_err(lost)?;
    if owner.owner != server.window {
        return Err(lost("somebody else took the clipboard at the same moment"));
    }
    ready.say(clock)?;
    let secret = options.secret;
    let latin1 = OnceCell::new();
    let mut owner = Owner { server: &server, text, latin1: &latin1, secret, transfers: Vec::new() };
    owner.serve(selection)
}

struct Owner<'a> {
    server: &'a Server,
    text: &'a [u8],
    /// The text in Latin-1, made when it is first asked for.
    latin1: &'a OnceCell<Option<Vec<u8>>>,
    secret: bool,
    transfers: Vec<Transfer<'a>>,
}

/// Text that somebody is taking piece by piece.
struct Transfer<'a> {
    requestor: Window,
    property: Atom,
    target: Atom,
    rest: &'a [u8],
    /// The piece without a byte, which is the end, has been sent.
    is_ended: bool,
}

/// What a target stands for.
enum Content<'a> {
    Bytes(&'a [u8]),
    Atoms(Vec<Atom>),
    Number(u32),
}

impl<'a> Owner<'a> {
    fn serve(&mut self, selection: Atom) -> Attempt<()> {
        let mut is_lost = false;
        loop {
            if is_lost && self.transfers.is_empty() {
                return Ok(());
            }
            if is_lost {
                self.server.clock.set(Some(PATIENCE));
            }
            let Some(event) = self.server.next_event()? else { return Ok(()) };
            match event {
                Event::SelectionRequest(request) => self.answer(&request)?,
                Event::SelectionClear(event) if event.selection == selection => {
                    is_lost = true;
                }
                Event::PropertyNotify(event) if event.state == Property::DELETE => {
                    self.go_on(&event)?;
                }
                Event::DestroyNotify(event) => self.forget(event.window),
                // Of a window that was destroyed before it was watched.
                Event::Error(error) => self.forget(error.bad_value),
                _ => {}
            }
        }
    }

    fn answer(&mut self, request: &SelectionRequestEvent) -> Attempt<()> {
        let mut request = *request;
        // A client from before ICCCM names no property.
        if request.property == x11rb::NONE {
            request.property = request.target;
        }
        let is_done = if request.target == self.server.atoms.MULTIPLE {
            self.answer_many(&request)?
        } else {
            self.convert(request.requestor, request.target, request.property)?
        };
        let answer = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property: if is_done { request.property } else { x11rb::NONE },
        };
        let connection = &self.server.connection;
        connection
            .send_event(false, request.requestor, EventMask::NO_EVENT, answer)
            .map(drop)
            .map_err(lost)
    }

    /// Answers a list of targets, each with its property.
    fn answer_many(&mut self, request: &SelectionRequestEvent) -> Attempt<bool> {
        let connection = &self.server.connection;
        let (window, property) = (request.requestor, request.property);
        let list = connection
            .get_property(false, window, property, AtomEnum::ANY, 0, super::WHOLE)
            .map_err(lost)?;
        // A window that is gone gets no answer.
        let Ok(list) = list.reply() else { return Ok(false) };
        let Some(values) = list.value32() else { return Ok(false) };
        let mut pairs: Vec<Atom> = values.collect();
        for pair in pairs.chunks_exact_mut(2) {
            if pair[0] == self.server.atoms.MULTIPLE || !self.convert(window, pair[0], pair[1])? {
                pair[0] = x11rb::NONE;
            }
        }
        let mode = PropMode::REPLACE;
        self.server
            .connection
            .change_property32(mode, window, property, list.type_, &pairs)
            .map_err(lost)?;
        Ok(true)
    }

    /// Puts what a target stands for into a property; false if it is none of ours.
    fn convert(&mut self, window: Window, target: Atom, property: Atom) -> Attempt<bool> {
        let Some(content) = self.content(target) else { return Ok(false) };
        let (connection, mode) = (&self.server.connection, PropMode::REPLACE);
        let sent = match content {
            Content::Bytes(bytes) if bytes.len() > self.piece() => {
                return self.begin(window, target, property, bytes);
            }
            Content::Bytes(bytes) => {
                connection.change_property8(mode, window, property, target, bytes)
            }
            Content::Atoms(atoms) => {
                connection.change_property32(mode, window, property, AtomEnum::ATOM, &atoms)
            }
            Content::Number(number) => {
                connection.change_property32(mode, window, property, AtomEnum::INTEGER, &[number])
            }
        };
        sent.map(|_| true).map_err(lost)
    }

    fn content(&self, target: Atom) -> Option<Content<'a>> {
        let atoms = &self.server.atoms;
        match target {
            _ if target == atoms.TARGETS => Some(Content::Atoms(self.targets())),
            _ if target == atoms.TIMESTAMP => Some(Content::Number(self.server.time)),
            _ if target == atoms.UTF8_STRING || target == atoms.PLAIN_TEXT => {
                Some(Content::Bytes(self.text))
            }
            _ if target == atoms.PASSWORD_HINT && self.secret => Some(Content::Bytes(SECRET)),
            _ if target == Atom::from(AtomEnum::STRING) => self.latin1().map(Content::Bytes),
            _ => None,
        }
    }

    fn latin1(&self) -> Option<&'a [u8]> {
        let make = || text::latin1(self.text).map(std::borrow::Cow::into_owned);
        self.latin1.get_or_init(make).as_deref()
    }

    fn targets(&self) -> Vec<Atom> {
        let atoms = &self.server.atoms;
        let string = self.latin1().map(|_| AtomEnum::STRING.into());
        let hint = self.secret.then_some(atoms.PASSWORD_HINT);
        [atoms.TARGETS, atoms.TIMESTAMP, atoms.MULTIPLE, atoms.UTF8_STRING, atoms.PLAIN_TEXT]
            .into_iter()
            .chain(string)
            .chain(hint)
            .collect()
    }

    /// Announces text that follows piece by piece, each when the last was taken.
    fn begin(
        &mut self,
        requestor: Window,
        target: Atom,
        property: Atom,
        text: &'a [u8],
    ) -> Attempt<bool> {
        let connection = &self.server.connection;
        let mask = EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY;
        let watch = ChangeWindowAttributesAux::new().event_mask(mask);
        connection.change_window_attributes(requestor, &watch).map_err(lost)?;
        let at_least = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let (mode, incr) = (PropMode::REPLACE, self.server.atoms.INCR);
        connection.change_property32(mode, requestor, property, incr, &[at_least]).map_err(lost)?;
        // Who asks for the same again does not wait for the rest of the last.
        self.transfers.retain(|one| (one.requestor, one.property) != (requestor, property));
        self.transfers.push(Transfer { requestor, property, target, rest: text, is_ended: false });
        Ok(true)
    }

    /// Sends the next piece, as the last one was taken.
    fn go_on(&mut self, event: &PropertyNotifyEvent) -> Attempt<()> {
        let piece = self.piece();
        let is_it = |one: &Transfer| (one.requestor, one.property) == (event.window, event.atom);
        let Some(at) = self.transfers.iter().position(is_it) else { return Ok(()) };
        let transfer = &mut self.transfers[at];
        if transfer.is_ended {
            self.transfers.remove(at);
            return self.leave(event.window);
        }
        let (sent, rest) = transfer.rest.split_at(piece.min(transfer.rest.len()));
        transfer.rest = rest;
        transfer.is_ended = sent.is_empty();
        let connection = &self.server.connection;
        connection
            .change_property8(
                PropMode::REPLACE,
                transfer.requestor,
                transfer.property,
                transfer.target,
                sent,
            )
            .map(drop)
            .map_err(lost)
    }

    /// Watches a window no longer, if it takes nothing any more.
    fn leave(&self, window: Window) -> Attempt<()> {
        if self.transfers.iter().any(|one| one.requestor == window) {
            return Ok(());
        }
        let nothing = ChangeWindowAttributesAux::new().event_mask(EventMask::NO_EVENT);
        let connection = &self.server.connection;
        connection.change_window_attributes(window, &nothing).map(drop).map_err(lost)
    }

    fn forget(&mut self, window: Window) {
        self.transfers.retain(|one| one.requestor != window);
    }

    /// What fits into one request, with what stands before it.
    fn piece(&self) -> usize {
        const HEADER: usize = 64;

        let connection = &self.server.connection;
        let small = usize::from(connection.setup().maximum_request_length) * 4;
        // To ask for more takes time, and most texts are short.
        if self.text.len() + HEADER <= small {
            return small - HEADER;
        }
        PIECE.min(connection.maximum_request_bytes() - HEADER)
    }
}
