//! `mx copy`: put text on the clipboard.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::ValueHint;
use clipboard::{Copied, Options, Via};

use super::clipboard::{Which, failure};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;

/// Put text on the clipboard
///
/// Reads the files, one after the other, or standard input, and puts exactly
/// these bytes on the clipboard: of the desktop, or of the terminal, where that
/// is the nearer one. At the other end of SSH the text goes to the terminal in
/// front of you, inside tmux through tmux.
///
/// A terminal does not say whether it has taken the text; then mx says "sent",
/// not "copied". Some take it only if their settings allow it, some (those of
/// GNOME, Terminal.app) never do. Inside tmux the buffer of tmux has it, too.
///
/// On X11 and Wayland a process in the background holds the text until
/// something else is copied. Nothing is written to disk, and nothing is in
/// its arguments.
///
/// What does not answer is given up after --timeout, all ways together, and mx
/// lists why each of them leads nowhere. A large text that goes on takes as long
/// as it takes.
///
/// Exit codes: 0 copied, or sent to the terminal, 1 there was nothing to copy,
/// and the clipboard is as it was, 2 wrong usage, 3 it could not be copied.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  git diff | mx copy
  mx copy -n ~/.ssh/id_ed25519.pub       without the newline at the end
  pass show mail | mx copy --secret      no clipboard manager keeps it
  mx copy --via osc52 notes.txt          to the terminal, whatever else there is")]
pub(crate) struct CopyArgs {
    /// Files, one after the other; - or none reads standard input
    #[arg(id = "files", value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Leave out a newline at the end
    #[arg(short = 'n', long)]
    trim: bool,
    /// Ask clipboard managers not to keep it
    #[arg(long)]
    secret: bool,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn copy(args: &CopyArgs, out: &Out) -> Outcome {
    let mut text = read(&args.files, out)?;
    if args.trim {
        trim(&mut text);
    }
    if text.is_empty() {
        return Err(Failure {
            exit: Exit::No,
            ..Failure::unable("cannot copy: there is nothing to copy")
                .hint("the clipboard is as it was")
        });
    }
    let options = Options { secret: args.secret, ..args.which.options() };
    let copied = clipboard::copy(&text, options).map_err(|error| failure("copy", error))?;
    out.script("mx.clipboard/1", &copied, "")?;
    let confirmation = confirmation(&copied);
    let notes = std::iter::once(confirmation).chain(copied.notes).collect();
    out.notes_where_it_may_rest(notes);
    Ok(Exit::Yes)
}

fn confirmation(copied: &Copied) -> String {
    let bytes = copied.bytes;
    let count = if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") };
    match copied.via {
        _ if copied.verified => format!("copied {count}"),
        Via::Tmux if !copied.notes.is_empty() => format!("copied {count} to tmux"),
        _ => format!("sent {count} to the terminal, which does not say whether it took them"),
    }
}

/// Everything, before anything is changed.
fn read(files: &[PathBuf], out: &Out) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    if files.is_empty() {
        read_stdin(&mut text, out)?;
    }
    for file in files {
        if file == Path::new("-") {
            read_stdin(&mut text, out)?;
        } else {
            read_file(file, &mut text)?;
        }
    }
    Ok(text)
}

fn read_file(path: &Path, text: &mut Vec<u8>) -> Result<(), Failure> {
    let read = File::open(path).and_then(|mut file| file.read_to_end(text));
    read.map(drop).map_err(|error| {
        let failure = Failure::unable(format!("cannot read '{}': {error}", path.display()));
        if error.kind() == io::ErrorKind::NotFound {
            return failure.hint("arguments are files; text comes from standard input");
        }
        failure
    })
}

fn read_stdin(text: &mut Vec<u8>, out: &Out) -> Result<(), Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        out.note("copies what is typed, up to ^D on a line of its own");
    }
    let failed = |error| Failure::unable(format!("cannot read standard input: {error}"));
    // A file tells its length, which saves growing with it.
    let mut file = File::from(stdin.as_fd().try_clone_to_owned().map_err(failed)?);
    file.read_to_end(text).map(drop).map_err(failed)
}

/// Takes one end of a line from the end.
fn trim(text: &mut Vec<u8>) {
    if text.ends_with(b"\n") {
        text.pop();
        if text.ends_with(b"\r") {
            text.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_end_of_a_line_is_trimmed() {
        for (text, trimmed) in
            [("a\n", "a"), ("a\n\n", "a\n"), ("a\r\n", "a"), ("a", "a"), ("\n", ""), ("a\r", "a\r")]
        {
            let mut bytes = text.as_bytes().to_vec();
            trim(&mut bytes);
            assert_eq!(bytes, trimmed.as_bytes(), "{text:?}");
        }
    }
}
