//! `mx ports watch`: bound sockets as they come and go.

use std::time::{Duration, Instant};

use ports::watch::{Change, Watcher};
use ports::{Query, Report};

use super::kill::Chosen;
use super::listing;
use super::live::Live;
use crate::exit::{Exit, Failure, Outcome};
use crate::keys::Key;
use crate::out::{Out, pause};
use crate::screen::{Screen, Wake};
use crate::table::{Align, Cell, Column, Table};

/// Watch what is bound to ports, and by whom, as it changes
///
/// On a terminal the table of mx ports fills the screen: rows that have just
/// come are marked with +, those that have just gone with -. The arrows, j, k,
/// PgUp and PgDn move a cursor, and x ends the owners of its row after asking, as
/// mx ports kill does; q, Esc and Ctrl-C quit, Ctrl-Z suspends.
///
/// Into a pipe goes a line for each event: the time, what happened (opened,
/// closed, or changed: other processes hold the socket than before), and the
/// columns of mx ports, a line for each owner. With --json, one document a line.
/// What is there at the start comes as opened, in JSON with "initial": true.
///
/// A socket that is opened and closed between two looks is not seen. Owners
/// that change while the socket stays are noticed by the first look after 10
/// seconds at the latest.
///
/// Exit codes: 0 quit, or nobody reads any more, 2 wrong usage, 3 the sockets
/// cannot be listed, or the terminal cannot be used as a screen.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx ports watch                 on a terminal, a screen that stays current
  mx ports watch 3000-3010       only these ports
  mx ports watch --json | jq .   each change as a line of JSON")]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    query: super::QueryArgs,
    /// How often to look
    #[arg(long, value_name = "TIME", value_parser = crate::values::interval, default_value = "500ms")]
    interval: Duration,
}

pub(crate) fn watch(args: WatchArgs, out: &Out) -> Outcome {
    let query = args.query.query()?;
    let live = out.is_live()?;
    let watcher = Watcher::new(query.clone());
    if live {
        show(watcher, Live::new(query, args.interval, out.is_colored()), args.interval)
    } else {
        print(watcher, args.interval, &query, out)
    }
}

/// Prints events until nobody reads them.
fn print(mut watcher: Watcher, interval: Duration, query: &Query, out: &Out) -> Outcome {
    let mut said = Said::default();
    loop {
        let start = Instant::now();
        for change in watcher.look()? {
            if !out.event("mx.ports-watch/1", &change, || lines(&change, query))? {
                return Ok(Exit::Yes);
            }
        }
        said.update(watcher.report(), out);
        if !pause(rest(interval, start)) {
            return Ok(Exit::Yes);
        }
    }
}

/// Shows the table until the user quits.
fn show(mut watcher: Watcher, mut live: Live, interval: Duration) -> Outcome {
    let mut start = Instant::now();
    // What fails at once is said on the ordinary screen.
    let mut changes = watcher.look()?;
    let mut screen = Screen::enter()?;
    loop {
        live.update(&changes, Instant::now());
        let next = Instant::now() + rest(interval, start);
        if !stay(&mut screen, &mut live, watcher.report(), next)? {
            return Ok(Exit::Yes);
        }
        start = Instant::now();
        changes = watcher.look()?;
    }
}

/// Serves the user until then; false if the user quits.
fn stay(
    screen: &mut Screen,
    live: &mut Live,
    report: &Report,
    until: Instant,
) -> Result<bool, Failure> {
    loop {
        screen.draw(&live.frame(report, Screen::size()))?;
        let key = match screen.wait(until)? {
            Wake::Time => return Ok(true),
            Wake::Gone => return Ok(false),
            Wake::Redraw => continue,
            Wake::Key(key) => key,
        };
        // Any other key than y is no.
        if let Some(chosen) = live.take_asked() {
            if key == Key::Yes {
                end(screen, live, report, &chosen)?;
                return Ok(true);
            }
            live.say("nothing was signalled".to_owned(), None);
            continue;
        }
        match key {
            Key::Quit => return Ok(false),
            Key::Kill => live.ask(report),
            key => live.go(key),
        }
    }
}

/// Ends the owners of a socket, while the screen says so.
fn end(
    screen: &mut Screen,
    live: &mut Live,
    report: &Report,
    chosen: &Chosen,
) -> Result<(), Failure> {
    live.say("TERM is sent; waiting for the end".to_owned(), None);
    screen.draw(&live.frame(report, Screen::size()))?;
    match chosen.end() {
        Ok((text, hint)) => live.say(text, hint),
        Err(failure) => live.say(failure.message, failure.hint),
    }
    Ok(())
}

/// How long to wait after a look: to look takes at most half of one processor,
/// however busy the machine is.
fn rest(interval: Duration, start: Instant) -> Duration {
    let took = start.elapsed();
    interval.saturating_sub(took).max(took)
}

fn lines(change: &Change, query: &Query) -> Table {
    let column = |heading| Column { heading, align: Align::Left };
    let mut table = listing::table(std::slice::from_ref(&change.socket), query);
    table.columns.splice(0..0, [column("TIME"), column("EVENT")]);
    for row in &mut table.rows {
        row.splice(0..0, [change.time.to_string(), change.event.name().to_owned()].map(Cell::new));
    }
    table
}

/// What has been said of the things that no event tells.
#[derive(Default)]
struct Said {
    hidden: usize,
    notes: Vec<String>,
}

impl Said {
    fn update(&mut self, report: &Report, out: &Out) {
        for note in report.notes.iter().filter(|note| !self.notes.contains(note)) {
            out.remark(note);
        }
        if self.hidden != report.hidden {
            out.remark(&match report.hidden {
                0 => "every owner can be seen again".to_owned(),
                hidden => super::why_hidden(hidden),
            });
        }
        self.hidden = report.hidden;
        self.notes.clone_from(&report.notes);
    }
}
