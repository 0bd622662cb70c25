//! tmux, through its own commands. What it passes on to its terminal it says
//! nothing about. Each function takes the time that it may take to answer.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use sys::{Error, Result, tool};

/// A buffer that is handed on to the terminal and then removed.
const PASSING: &str = "mx-passing";

/// The environment of the session, which each client that attaches renews.
#[derive(Debug)]
pub struct Environment(HashMap<String, Option<String>>);

/// The terminal that shows the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// What it calls itself, as `TERM` does.
    pub kind: String,
}

/// What became of text that was given to tmux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// tmux has it, and has sent it to the terminal that it shows itself on.
    Sent,
    /// tmux has it and keeps it to itself: it is older than 3.2.
    Kept,
}

/// The environment of the session that this pane belongs to.
pub fn environment(limit: Duration) -> Result<Environment> {
    let printed = done("ask tmux for its environment", &["show-environment"], b"", limit)?;
    Ok(Environment::parse(&String::from_utf8_lossy(&printed)))
}

impl Environment {
    fn parse(text: &str) -> Self {
        // Without a value, after a minus, stands what a client did not bring.
        let line = |line: &str| match line.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), Some(value.to_owned()))),
            None => Some((line.strip_prefix('-')?.to_owned(), None)),
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// Whether the client came over SSH; `None` if tmux does not keep track of it.
    pub fn is_over_ssh(&self) -> Option<bool> {
        self.0.get("SSH_CONNECTION").map(Option::is_some)
    }
}

/// The terminal that the session is shown on; `None` if it is shown nowhere.
pub fn client(limit: Duration) -> Result<Option<Client>> {
    let question = ["display-message", "-p", "#{session_attached} #{client_termname}"];
    let printed = done("ask tmux for its terminal", &question, b"", limit)?;
    let text = String::from_utf8_lossy(&printed);
    let (attached, kind) = text.trim_end().split_once(' ').unwrap_or((text.trim_end(), ""));
    Ok((attached != "0").then(|| Client { kind: kind.to_owned() }))
}

/// Gives tmux text for its newest buffer and for the clipboard of its terminal.
pub fn load(text: &[u8], limit: Duration) -> Result<Loaded> {
    let doing = "give the text to tmux";
    let start = Instant::now();
    let output = run(doing, &["load-buffer", "-w", "-"], text, limit)?;
    if output.status.success() {
        return Ok(Loaded::Sent);
    }
    let complaint = output.complaint();
    if ["-w", "unknown option", "usage:"].iter().any(|part| complaint.contains(part)) {
        done(doing, &["load-buffer", "-"], text, limit.saturating_sub(start.elapsed()))?;
        return Ok(Loaded::Kept);
    }
    Err(Error::Unsupported { doing: doing.to_owned(), why: complaint })
}

/// Hands text on to the clipboard of the terminal. tmux keeps nothing of it.
pub fn pass(text: &[u8], limit: Duration) -> Result<()> {
    let hand_on = ["load-buffer", "-w", "-b", PASSING, "-", ";", "delete-buffer", "-b", PASSING];
    done("hand the text on through tmux", &hand_on, text, limit).map(drop)
}

/// The newest buffer; `None` if there is none.
pub fn save(limit: Duration) -> Result<Option<Vec<u8>>> {
    let doing = "read the buffer of tmux";
    let output = run(doing, &["save-buffer", "-"], b"", limit)?;
    if output.status.success() {
        return Ok(Some(output.stdout));
    }
    let why = output.complaint();
    if why.contains("no buffer") {
        return Ok(None);
    }
    Err(Error::Unsupported { doing: doing.to_owned(), why })
}

fn run(doing: &str, arguments: &[&str], input: &[u8], limit: Duration) -> Result<tool::Output> {
    tool::run("tmux", arguments, input, limit).map_err(|error| match &error {
        Error::Io { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
            let why = "tmux has not answered in time".to_owned();
            Error::Unsupported { doing: doing.to_owned(), why }
        }
        _ => error,
    })
}

/// What a command that must succeed has printed.
fn done(doing: &str, arguments: &[&str], input: &[u8], limit: Duration) -> Result<Vec<u8>> {
    let output = run(doing, arguments, input, limit)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::Unsupported { doing: doing.to_owned(), why: output.complaint() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_is_what_the_last_client_brought() {
        for (text, expected) in [
            ("DISPLAY=:0\nSSH_CONNECTION=192.0.2.1 5 192.0.2.2 22\n", Some(true)),
            ("-SSH_AGENT_PID\n-SSH_CONNECTION\nWINDOWID=7\n", Some(false)),
            ("", None),
            ("X=a\nline of its value\n", None),
        ] {
            assert_eq!(Environment::parse(text).is_over_ssh(), expected, "{text:?}");
        }
    }
}
