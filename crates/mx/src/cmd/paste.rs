//! `mx paste`: print what is on the clipboard.

use std::io;

use clipboard::{Error, Options, Pasted, Types, Via};
use serde::Serialize;

use super::clipboard::{Which, failure};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::table::{Align, Cell, Column, Table};

/// Print what is on the clipboard
///
/// Into a pipe or a file go exactly the bytes that were copied. On a terminal
/// control characters are left out, so that nothing of it is obeyed.
///
/// Inside tmux over SSH, or without a desktop, it is the newest buffer of tmux.
/// No other terminal is asked: they take text and give none.
///
/// What does not answer is given up after --timeout, all ways together, and mx
/// lists why each of them leads nowhere. A large text that goes on takes as long
/// as it takes.
///
/// Exit codes: 0 printed, 1 there is no text on the clipboard, 2 wrong usage,
/// 3 it could not be read.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx paste | jq .
  mx paste | less
  mx paste --types           what else the clipboard can be pasted as")]
pub(crate) struct PasteArgs {
    /// List the types that it can be pasted as
    #[arg(long)]
    types: bool,
    #[command(flatten)]
    which: Which,
}

/// The document of what is pasted, or could be.
#[derive(Serialize)]
struct Document {
    via: Via,
    verified: bool,
    /// `None` if only the types were asked for.
    bytes: Option<u64>,
    types: Vec<String>,
    /// `None` if it is not UTF-8.
    text: Option<String>,
}

pub(crate) fn paste(args: &PasteArgs, out: &Out) -> Outcome {
    let options = args.which.options();
    if args.types {
        types(options, out)
    } else if out.is_json() {
        document(options, out)
    } else if out.wants_whole_text() {
        let Some((text, _)) = whole(options)? else { return nothing(options) };
        printed(out.bytes(&text).map_err(Error::Sink))
    } else {
        match clipboard::paste(options, &mut |piece| out.bytes(piece)) {
            Ok(None) => nothing(options),
            result => printed(result.map(drop)),
        }
    }
}

/// A reader that has seen enough is no failure.
fn printed(result: Result<(), Error>) -> Outcome {
    match result {
        Err(Error::Sink(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Yes),
        Err(error) => Err(failure("paste", error)),
        Ok(()) => Ok(Exit::Yes),
    }
}

fn types(options: Options, out: &Out) -> Outcome {
    let Types { via, types } =
        clipboard::types(options).map_err(|error| failure("list the types", error))?;
    let document = Document { via, verified: true, bytes: None, types, text: None };
    out.document("mx.clipboard/1", &document, || table(&document.types))?;
    Ok(Exit::found(!document.types.is_empty()))
}

fn table(types: &[String]) -> Table {
    Table {
        columns: vec![Column { heading: "TYPE", align: Align::Left }],
        rows: types.iter().map(|name| vec![Cell::new(name)]).collect(),
    }
}

fn document(options: Options, out: &Out) -> Outcome {
    let listed = clipboard::types(options).map_err(|error| failure("paste", error))?;
    let Types { via, types } = listed;
    let of_same = Options { via: Some(via), ..options };
    let Some((text, Pasted { bytes, .. })) = whole(of_same)? else { return Err(no_text(&types)) };
    let text = String::from_utf8(text).ok();
    let document = Document { via, verified: true, bytes: Some(bytes), types, text };
    out.script("mx.clipboard/1", &document, "")?;
    Ok(Exit::Yes)
}

/// All of the text at once; `None` if there is none.
fn whole(options: Options) -> Result<Option<(Vec<u8>, Pasted)>, Failure> {
    let mut text = Vec::new();
    let pasted = clipboard::paste(options, &mut |piece| {
        text.extend_from_slice(piece);
        Ok(())
    });
    Ok(pasted.map_err(|error| failure("paste", error))?.map(|pasted| (text, pasted)))
}

/// There is no text; perhaps there is something else.
fn nothing(options: Options) -> Outcome {
    let types = clipboard::types(options).map_err(|error| failure("paste", error))?.types;
    Err(no_text(&types))
}

fn no_text(types: &[String]) -> Failure {
    let why = if types.is_empty() {
        "nothing is on the clipboard".to_owned()
    } else {
        format!("the clipboard holds no text, but {}", types.join(", "))
    };
    Failure { exit: Exit::No, ..Failure::unable(format!("cannot paste: {why}")) }
}
