//! `mx ports free`: find ports that a server can bind.

use std::ops::RangeInclusive;

use ports::free::{self, Search};
use ports::{Protocol, Selector, SelectorError};
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::table::{Align, Cell, Column, KEY, Table};

/// Print a port that a server can bind now
///
/// A port counts as free if it can be bound on every address of IPv4 and IPv6
/// at once, which is tried. With FROM, the search goes upwards from there. After
/// FROM itself, it leaves out ports of well-known services and ports that
/// browsers refuse to open, and takes those that the system gives to clients
/// only if there are no others.
///
/// A range, as FROM or with --range, is searched as a whole and never left.
///
/// Exit codes: 0 found, 1 there are none or too few, 2 wrong usage, 3 no port
/// can be tried.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx ports free                  any port
  PORT=$(mx ports free 3000) && npm start
  mx ports free 8000-8099 --count 2")]
pub(crate) struct FreeArgs {
    /// The first port to try, or a range of ports
    #[arg(value_parser = from)]
    from: Option<Search>,
    /// How many ports, all different
    #[arg(long, value_name = "N", default_value = "1", value_parser = number)]
    count: u16,
    /// Only ports of this range, all of them
    #[arg(long, value_name = "FIRST-LAST", value_parser = ports)]
    range: Option<RangeInclusive<u16>>,
    /// For UDP instead of TCP
    #[arg(long)]
    udp: bool,
}

#[derive(Serialize)]
struct Found {
    ports: Vec<u16>,
}

pub(crate) fn free(args: FreeArgs, out: &Out) -> Outcome {
    let search = match (args.range, args.from) {
        (Some(_), Some(_)) => {
            return Err(Failure::usage(
                "cannot search both from a port and in a range",
                "accepted: either FROM, such as 3000, or --range, such as 3000-3010",
            ));
        }
        (Some(range), None) => Search::Within(range),
        (None, Some(from)) => from,
        (None, None) => Search::Any,
    };
    let protocol = if args.udp { Protocol::Udp } else { Protocol::Tcp };
    let found = Found { ports: free::find(&search, protocol, args.count.into())? };
    out.document("mx.ports-free/1", &found, || Table {
        columns: vec![Column { heading: "PORT", align: Align::Right }],
        rows: found.ports.iter().map(|port| vec![Cell::new(port.to_string()).style(KEY)]).collect(),
    })?;
    let enough = found.ports.len() == usize::from(args.count);
    if !enough {
        out.note(&too_few(&search, found.ports.len(), args.count));
    }
    Ok(Exit::found(enough))
}

/// "1 of 2 wanted ports are free in 3000-3001".
fn too_few(search: &Search, found: usize, wanted: u16) -> String {
    let place = match search {
        Search::Any => String::new(),
        Search::From(first) => format!(" from {first} on"),
        Search::Within(range) if range.start() == range.end() => String::new(),
        Search::Within(range) => format!(" in {}-{}", range.start(), range.end()),
    };
    format!("{found} of {wanted} wanted ports are free{place}")
}

/// A range is never left, not even one of a single port.
fn from(text: &str) -> Result<Search, Failure> {
    let ports = ports(text)?;
    Ok(if text.contains('-') { Search::Within(ports) } else { Search::From(*ports.start()) })
}

/// Ports as in a selector, without an address.
fn ports(text: &str) -> Result<RangeInclusive<u16>, Failure> {
    let failure = |why: &str| {
        Failure::usage(
            format!("cannot use '{text}' as a port: {why}"),
            "accepted: a port, such as 3000, or a range, such as 3000-3010",
        )
    };
    let digits = text.strip_prefix(':').unwrap_or(text);
    if digits.contains(':') {
        return Err(failure("it has an address, and a port is searched for on all of them"));
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return Err(failure("it is not a number"));
    }
    match digits.parse() {
        Ok(Selector::Port { ports, .. }) => Ok(ports),
        Ok(_) => Err(failure("it is not a number")),
        Err(SelectorError::Empty) => Err(failure("it is empty")),
        Err(error) => Err(failure(&error.to_string())),
    }
}

fn number(text: &str) -> Result<u16, Failure> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&number| digits && number > 0).ok_or_else(|| {
        Failure::usage(
            format!("cannot search for '{text}' ports"),
            "accepted with --count: a number from 1 to 65535",
        )
    })
}
