//! The connection to an X server, on which nothing waits for ever: every wait
//! of the library, from the first byte of the handshake on, is one of [`Patient`].

use std::io::{self, IoSlice};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use x11rb::errors::ConnectError;
use x11rb::reexports::x11rb_protocol::parse_display::{ConnectAddress, parse_display};
use x11rb::reexports::x11rb_protocol::xauth::{Family, get_auth};
use x11rb::rust_connection::{DefaultStream, PollMode, RustConnection, Stream};
use x11rb::utils::RawFdContainer;

use super::super::socket;
use crate::patience::Clock;

/// A stream that waits for as long as its clock has time.
pub(super) struct Patient {
    stream: DefaultStream,
    clock: Rc<Clock>,
}

/// Connects to the server of `DISPLAY`; gives the number of the screen, too.
pub(super) fn connect(clock: &Rc<Clock>) -> Result<(RustConnection<Patient>, usize), ConnectError> {
    let display = parse_display(None)?;
    let screen = usize::from(display.screen);
    let mut last = ConnectError::from(io::Error::from(io::ErrorKind::NotFound));
    // The library takes such a display for the number 0.
    let path = display.host.starts_with('/').then(|| ConnectAddress::Socket(display.host.clone()));
    let others = display.connect_instruction().filter(|_| path.is_none());
    for address in path.clone().into_iter().chain(others) {
        let (stream, (family, name)) = match open(&address, clock) {
            Ok(opened) => opened,
            Err(error) => {
                last = error.into();
                continue;
            }
        };
        // What cannot be read of a key is tried without: the server decides.
        let key = get_auth(family, &name, display.display).ok().flatten().unwrap_or_default();
        let stream = Patient { stream, clock: Rc::clone(clock) };
        let connection =
            RustConnection::connect_to_stream_with_auth_info(stream, screen, key.0, key.1)?;
        return Ok((connection, screen));
    }
    Err(last)
}

type Opened = (DefaultStream, (Family, Vec<u8>));

fn open(address: &ConnectAddress, clock: &Clock) -> io::Result<Opened> {
    match address {
        ConnectAddress::Socket(path) => {
            let path = path.as_bytes();
            let opened = socket::connect_abstract(path, clock);
            let stream: OwnedFd = match opened {
                // It is there, and mute.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
                Err(_) => socket::connect(path, clock)?,
                Ok(stream) => stream,
            };
            DefaultStream::from_unix_stream(UnixStream::from(stream))
        }
        ConnectAddress::Hostname(host, port) => {
            let limit = clock.left_at_least(Duration::from_millis(1));
            DefaultStream::from_tcp_stream(over_network(host, *port, limit)?)
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Looks a name up and connects, in a thread of its own: nothing ends a look-up
/// before its time.
fn over_network(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    let host = host.to_owned();
    let (sender, answer) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let addresses = (host, port).to_socket_addrs();
        let connected = addresses.and_then(|addresses| {
            let mut last = io::Error::from(io::ErrorKind::NotFound);
            for address in addresses {
                match TcpStream::connect_timeout(&address, limit) {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                }
            }
            Err(last)
        });
        // If nobody waits for it any more, it is too late.
        let _ = sender.send(connected);
    })?;
    answer.recv_timeout(limit).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl AsFd for Patient {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Patient {
    fn heard<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_ok() {
            self.clock.goes_on();
        }
        result
    }
}

impl Stream for Patient {
    fn poll(&self, mode: PollMode) -> io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, mode.readable());
        flags.set(PollFlags::OUT, mode.writable());
        loop {
            let limit = self.clock.left().and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::new(&self.stream, flags)], limit.as_ref()) {
                Ok(0) => {
                    let why = self.clock.complaint("it");
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                }
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn read(&self, bytes: &mut [u8], files: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.heard(self.stream.read(bytes, files))
    }

    fn write(&self, bytes: &[u8], files: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.heard(self.stream.write(bytes, files))
    }

    fn write_vectored(
        &self,
        bytes: &[IoSlice],
        files: &mut Vec<RawFdContainer>,
    ) -> io::Result<usize> {
        self.heard(self.stream.write_vectored(bytes, files))
    }
}
