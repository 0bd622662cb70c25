//! `mx ports free`: find ports that a server can bind.

use std::ops::RangeInclusive;

use ports::free::{self, Search};
use ports::{Host, Protocol, Selector};
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::table::{Align, Cell, Column, KEY, Table};

/// Print a port that a server can bind now
///
/// A port counts as free if it can be bound on every address of IPv4 and IPv6
/// at once, which is tried. With FROM, the search goes upwards from there, and
/// leaves out ports of well-known services, ports that browsers refuse to open,
/// and those that the system gives to clients.
///
/// Exit codes: 0 found, 1 there are none or too few, 2 wrong usage.
#[derive(clap::Args)]
#[command(args_override_self = true)]
#[command(after_long_help = "\
Examples:
  mx ports free                  any port
  PORT=$(mx ports free 3000) && npm start
  mx ports free --range 8000-8099 --count 2")]
pub(crate) struct FreeArgs {
    /// The first port to try
    #[arg(value_parser = port)]
    from: Option<u16>,
    /// How many ports, all different
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// Only ports of this range, all of them
    #[arg(long, value_name = "FIRST-LAST", value_parser = range, conflicts_with = "from")]
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
        (Some(range), _) => Search::Within(range),
        (None, Some(first)) => Search::From(first),
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
        out.note(&format!("{} of {} wanted ports are free", found.ports.len(), args.count));
    }
    Ok(Exit::found(enough))
}

fn port(text: &str) -> Result<u16, Failure> {
    range(text).map(|range| *range.start())
}

/// Ports as in a selector, without an address.
fn range(text: &str) -> Result<RangeInclusive<u16>, Failure> {
    match super::selector(text)? {
        Selector::Port { ports, host: Host::Any, protocol: None } => Ok(ports),
        _ => Err(Failure::usage(
            format!("cannot use '{text}' as a port: it is not a number"),
            "accepted: a port as 3000, or a range as 3000-3010",
        )),
    }
}
