//! Servers that the kernel's tables do not tell enough about: on another
//! machine, or behind a URL that is to be asked for a status.
//!
//! Each try is made in a thread of its own, because neither the resolver of the
//! system nor a connection to another machine answers in time. There is only
//! one try at a time for each, and what has succeeded is not tried again.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::http::Request;
use super::probe::Backoff;
use super::target::{Remote, Target};
use crate::{Host, Selector};

/// For an address to accept a connection: the kernel sends two requests in it.
const CONNECTION: Duration = Duration::from_secs(3);
/// For a whole try: to find the address, to connect, and to be answered.
const TRY: Duration = Duration::from_secs(10);
/// A server on this machine answers within this time, though there is no more time.
const LAST: Duration = Duration::from_millis(250);

/// The tries at one target.
#[derive(Debug)]
pub(super) struct Dialled {
    place: Place,
    request: Option<Request>,
    statuses: Vec<RangeInclusive<u16>>,
    /// The ports that have not been reached yet.
    ports: std::iter::Peekable<RangeInclusive<u16>>,
    running: Option<Try>,
    backoff: Backoff,
    /// What the last try came to.
    why: String,
}

#[derive(Clone, Debug)]
enum Place {
    Addresses(Vec<IpAddr>),
    Name(String),
}

#[derive(Debug)]
struct Try {
    result: Receiver<Result<(), String>>,
    begun: Instant,
}

impl Dialled {
    /// `None` for the name of a process.
    pub(super) fn new(target: &Target, statuses: &[RangeInclusive<u16>]) -> Option<Self> {
        let Selector::Port { ports, host, .. } = &target.selector else { return None };
        let place = match (&target.host, host) {
            (Some(Remote::Name(name)), _) => Place::Name(name.clone()),
            (Some(Remote::Address(address)), _) | (None, Host::Address { ip: address, .. }) => {
                Place::Addresses(vec![*address])
            }
            // As a browser does, the new family first.
            (None, _) => {
                Place::Addresses(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])
            }
        };
        Some(Self {
            place,
            request: target.request.clone(),
            statuses: statuses.to_vec(),
            ports: ports.clone().peekable(),
            running: None,
            backoff: Backoff::new(),
            why: String::new(),
        })
    }

    /// Why some port has not been reached; `None` if all have been. Begins a
    /// try, or takes note of its end; waits only if no time is `left`.
    pub(super) fn missing(&mut self, left: Duration) -> Option<String> {
        while let Some(&port) = self.ports.peek() {
            if self.running.is_none() {
                if !self.backoff.is_due() {
                    break;
                }
                self.running = Some(self.begin(port));
            }
            let Some(result) = self.running.as_ref().and_then(|one| one.result(left)) else {
                if self.why.is_empty() {
                    "no answer yet".clone_into(&mut self.why);
                }
                break;
            };
            self.running = None;
            match result {
                Ok(()) => {
                    self.ports.next();
                    self.backoff = Backoff::new();
                    self.why.clear();
                }
                Err(why) => {
                    self.backoff.failed();
                    self.why = why;
                    break;
                }
            }
        }
        self.ports.peek().map(|_| self.why.clone())
    }

    fn begin(&self, port: u16) -> Try {
        let (sender, result) = channel();
        let (place, request) = (self.place.clone(), self.request.clone());
        let statuses = self.statuses.clone();
        let spawned = std::thread::Builder::new().spawn(move || {
            // Nobody listens any more once the time is over.
            let _ = sender.send(attempt(&place, port, request.as_ref(), &statuses));
        });
        if let Err(error) = spawned {
            let (sender, result) = channel();
            let _ = sender.send(Err(format!("no thread to dial from: {error}")));
            return Try { result, begun: Instant::now() };
        }
        Try { result, begun: Instant::now() }
    }
}

impl Try {
    /// How it ended; `None` if it is under way. `left` is the time left to all tries.
    fn result(&self, left: Duration) -> Option<Result<(), String>> {
        let patience =
            if left.is_zero() { LAST.saturating_sub(self.begun.elapsed()) } else { Duration::ZERO };
        match self.result.recv_timeout(patience) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err("the try was given up".to_owned())),
        }
    }
}

/// Connects, and asks if there is something to ask for.
fn attempt(
    place: &Place,
    port: u16,
    request: Option<&Request>,
    statuses: &[RangeInclusive<u16>],
) -> Result<(), String> {
    let deadline = Instant::now() + TRY;
    let addresses = resolve(place, port)?;
    let mut stream = connect(&addresses, deadline)?;
    let Some(request) = request else { return Ok(()) };
    let status = request.ask(&mut stream, deadline)?;
    if statuses.iter().any(|wanted| wanted.contains(&status)) {
        return Ok(());
    }
    Err(format!("it answers with status {status}"))
}

fn resolve(place: &Place, port: u16) -> Result<Vec<SocketAddr>, String> {
    let name = match place {
        Place::Addresses(addresses) => {
            return Ok(addresses.iter().map(|address| SocketAddr::new(*address, port)).collect());
        }
        Place::Name(name) => name,
    };
    let found = (name.as_str(), port).to_socket_addrs();
    let found: Vec<SocketAddr> = found.map_err(|error| format!("no address: {error}"))?.collect();
    if found.is_empty() { Err("no address".to_owned()) } else { Ok(found) }
}

/// A connection to the first address that accepts one.
fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, String> {
    let mut why = String::new();
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now()).min(CONNECTION);
        // No time at all is not accepted.
        match TcpStream::connect_timeout(address, left.max(Duration::from_millis(1))) {
            Ok(stream) => return Ok(stream),
            Err(error) => why = format!("{address} does not accept a connection: {}", text(&error)),
        }
    }
    Err(why)
}

/// The system's reason. The standard library has its own words where time ran out.
fn text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        _ => error.to_string(),
    }
}
