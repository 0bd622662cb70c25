//! Connections to listening sockets of this machine, as few as possible: one
//! that succeeds is enough for a socket, and failures are tried again after
//! longer and longer pauses. Nothing here waits.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};

/// When to try again what has failed.
#[derive(Debug)]
pub(super) struct Backoff {
    due: Instant,
    pause: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);

    /// The first try is due at once.
    pub(super) fn new() -> Self {
        Self { due: Instant::now(), pause: Self::FIRST }
    }

    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// Twice the pause of last time.
    pub(super) fn failed(&mut self) {
        self.due = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(Self::LONGEST);
    }
}

/// What is known of the addresses that some sockets listen on.
#[derive(Debug, Default)]
pub(super) struct Probes(BTreeMap<SocketAddr, Probe>);

#[derive(Debug)]
struct Probe {
    /// The sockets that listen there, by `Entry::key`.
    keys: Vec<u64>,
    state: State,
    backoff: Backoff,
    /// What the last try came to.
    why: String,
}

#[derive(Debug)]
enum State {
    Idle,
    /// A connection that was begun at this time.
    Pending(OwnedFd, Instant),
    Up,
}

impl Probes {
    /// Why one of the addresses, each with a socket that listens there, does
    /// not accept a connection; `None` if all do.
    pub(super) fn missing(
        &mut self,
        listening: impl Iterator<Item = (SocketAddr, u64)>,
    ) -> Option<String> {
        let mut wanted: BTreeMap<SocketAddr, Vec<u64>> = BTreeMap::new();
        for (address, key) in listening {
            wanted.entry(address).or_default().push(key);
        }
        // Another socket at the same address is another server.
        self.0.retain(|address, probe| {
            let keys = wanted.get(address);
            keys.is_some_and(|keys| keys.iter().any(|key| probe.keys.contains(key)))
        });
        let mut missing = None;
        for (address, keys) in wanted {
            let probe = self.0.entry(address).or_insert_with(Probe::new);
            probe.keys = keys;
            if !probe.advance(address) && missing.is_none() {
                missing = Some(format!("{address} does not accept a connection: {}", probe.why));
            }
        }
        missing
    }
}

impl Probe {
    fn new() -> Self {
        Self {
            keys: Vec::new(),
            state: State::Idle,
            backoff: Backoff::new(),
            why: "it has not been tried".to_owned(),
        }
    }

    /// Whether a connection has succeeded; begins one or goes on with it.
    fn advance(&mut self, address: SocketAddr) -> bool {
        /// A server on this machine accepts within this time, unless its queue is full.
        const PATIENCE: Duration = Duration::from_millis(250);
        /// The kernel of this machine answers itself, though not always within the call.
        const AT_ONCE: Duration = Duration::from_millis(5);
        const NO_TIME: Duration = Duration::ZERO;

        let first = matches!(self.state, State::Idle);
        if first && self.backoff.is_due() {
            self.settle(begin(address));
        }
        if let State::Pending(descriptor, since) = &self.state {
            let since = *since;
            let result = outcome(descriptor, if first { AT_ONCE } else { NO_TIME });
            match result {
                Some(result) => self.settle(result.map(|()| None)),
                None if since.elapsed() >= PATIENCE => self.settle(Err(Errno::TIMEDOUT)),
                None => "no answer yet".clone_into(&mut self.why),
            }
        }
        matches!(self.state, State::Up)
    }

    /// Takes note of a try: a connection, one that is on its way, or an error.
    fn settle(&mut self, result: Result<Option<OwnedFd>, Errno>) {
        self.state = match result {
            Ok(Some(descriptor)) => State::Pending(descriptor, Instant::now()),
            // A machine whose loopback lacks this family cannot be asked.
            Ok(None) | Err(Errno::ADDRNOTAVAIL | Errno::NETUNREACH | Errno::AFNOSUPPORT) => {
                State::Up
            }
            Err(errno) => {
                self.backoff.failed();
                self.why = std::io::Error::from(errno).to_string();
                State::Idle
            }
        };
    }
}

/// Begins a connection; `None` if it is there already.
fn begin(address: SocketAddr) -> Result<Option<OwnedFd>, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let descriptor = socket(family, SocketType::STREAM, None)?;
    rustix::io::ioctl_fionbio(&descriptor, true)?;
    match connect(&descriptor, &address) {
        Ok(()) => Ok(None),
        Err(Errno::INPROGRESS | Errno::INTR) => Ok(Some(descriptor)),
        Err(errno) => Err(errno),
    }
}

/// How a connection has ended up within this time; `None` if that is open.
fn outcome(descriptor: &OwnedFd, time: Duration) -> Option<Result<(), Errno>> {
    let mut wanted = [PollFd::new(descriptor, PollFlags::OUT)];
    match poll(&mut wanted, Timespec::try_from(time).ok().as_ref()) {
        Ok(0) | Err(Errno::INTR) => None,
        Ok(_) => Some(sockopt::socket_error(descriptor).and_then(|error| error)),
        Err(errno) => Some(Err(errno)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Accepts everything that waits, and counts it.
    fn accepted(listener: &TcpListener) -> usize {
        listener.set_nonblocking(true).expect("an option");
        std::iter::from_fn(|| listener.accept().ok()).count()
    }

    #[test]
    fn a_socket_is_asked_once_and_another_one_in_its_place_again() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("an address");
        let mut probes = Probes::default();
        for _ in 0..50 {
            assert_eq!(probes.missing([(address, 1)].into_iter()), None);
        }
        // More sockets at the address, of which one has accepted.
        assert_eq!(probes.missing([(address, 2), (address, 1)].into_iter()), None);
        assert_eq!(probes.missing([(address, 2)].into_iter()), None);
        assert_eq!(accepted(&listener), 1);
        assert_eq!(probes.missing([(address, 3)].into_iter()), None);
        assert_eq!(probes.missing(std::iter::empty()), None);
        assert_eq!(probes.missing([(address, 3)].into_iter()), None);
        assert_eq!(accepted(&listener), 2);
    }

    #[test]
    fn failures_are_tried_again_after_longer_pauses() {
        let mut backoff = Backoff::new();
        assert!(backoff.is_due());
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pauses.push(backoff.pause.as_millis());
            backoff.failed();
            assert!(!backoff.is_due());
        }
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn what_refuses_says_so() {
        let address = {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
            listener.local_addr().expect("an address")
        };
        let why = Probes::default().missing([(address, 1)].into_iter()).expect("nobody is there");
        assert!(why.contains("refused"), "{why}");
    }
}
