//! Processes that hold sockets, for the other tests to look at.
//!
//! A fixture is this test binary, run again to execute a few instructions. It
//! says what it bound, and ends when its standard input closes: that is, at
//! the latest, with the test that started it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, IoSlice, Read};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// Holds the instructions, one a line.
const INSTRUCTIONS: &str = "MX_FIXTURE";
/// Begins the line that says that all is done; numbers follow.
const READY: &str = "fixture ready:";

/// A running fixture.
pub(crate) struct Fixture {
    child: Child,
    /// Kept open: the test harness in the child prints to it at its end.
    _output: BufReader<ChildStdout>,
    /// What its instructions produced, in order: ports of sockets, PIDs of children.
    pub(crate) numbers: Vec<u32>,
}

impl Fixture {
    /// Runs instructions: see [`execute`].
    pub(crate) fn new(instructions: &str) -> Self {
        Self::with(Self::command(instructions, &[]))
    }

    /// A command that runs instructions, with arguments that are of no effect.
    pub(crate) fn command(instructions: &str, arguments: &[&OsStr]) -> Command {
        let mut command = Command::new(env::current_exe().expect("the path of this test"));
        command.args(["--exact", "fixture::execute", "--nocapture", "--"]).args(arguments);
        command.env(INSTRUCTIONS, instructions);
        command
    }

    pub(crate) fn with(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the fixture starts");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let ready = output
            .by_ref()
            .split(b'\n')
            .map_while(Result::ok)
            .map(|line| String::from_utf8_lossy(&line).into_owned())
            .find_map(|line| line.split_once(READY).map(|(_, numbers)| numbers.to_owned()))
            .expect("the fixture gets ready");
        let numbers =
            ready.split_whitespace().map(|text| text.parse().expect("a number")).collect();
        Self { child, _output: output, numbers }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended, by itself or by a signal.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    pub(crate) fn port(&self, index: usize) -> u16 {
        u16::try_from(self.numbers[index]).expect("a port")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Its own end is the end of its children.
        let _ = self.child.wait();
    }
}

/// A port that nothing is bound to, and that no other test is given: it lies
/// below the ports that systems hand out, and each call takes the next one.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);

    loop {
        let offset = std::process::id() * 16 + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + u16::try_from(offset % 10_000).expect("a small number");
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

/// Asks again and again until the answer is right; the last one after half a minute.
pub(crate) fn until<T>(ask: impl Fn() -> T, right: impl Fn(&T) -> bool) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = ask();
        if right(&answer) || Instant::now() > end {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The fixture itself; does nothing in an ordinary test run.
///
/// - `tcp ADDRESS`, `udp ADDRESS`: bind, and listen
/// - `v6only`: listen on `[::]` for IPv6 only
/// - `shared ADDRESS`: listen with `SO_REUSEPORT`
/// - `silent ADDRESS`: bind TCP without listening
/// - `flight ADDRESS`: listen, and leave the socket on its way to another process
/// - `connect ADDRESS`: a client; gives the port it came from
/// - `children N`: N processes that inherit every socket so far; gives their PIDs
/// - `heir HEX N`: the same, once, with these bytes and N times x as an argument
/// - `name HEX`: change the process name to these bytes (Linux)
/// - `files N`: hold N more descriptors
#[test]
fn execute() {
    let Ok(instructions) = env::var(INSTRUCTIONS) else { return };
    let mut held: Vec<OwnedFd> = Vec::new();
    let mut children: Vec<Child> = Vec::new();
    let mut numbers: Vec<u32> = Vec::new();
    for line in instructions.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "children" => {
                for _ in 0..number(rest) {
                    let child = heir(&held, OsStr::new(""));
                    numbers.push(child.id());
                    children.push(child);
                }
            }
            "heir" => {
                let (bytes, more) = rest.split_once(' ').expect("bytes and a number");
                let argument = [unhex(bytes), vec![b'x'; number(more)]].concat();
                let child = heir(&held, &OsString::from_vec(argument));
                numbers.push(child.id());
                children.push(child);
            }
            "name" => std::fs::write("/proc/self/comm", unhex(rest)).expect("a new name"),
            "files" => {
                held.extend(
                    (0..number(rest)).map(|_| File::open("/dev/null").expect("a file").into()),
                );
            }
            _ => {
                let (socket, port) = bind(word, rest);
                held.push(socket);
                numbers.push(port.into());
            }
        }
    }
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    report(&format!("{READY} {}", numbers.join(" ")));
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    for mut child in children {
        drop(child.stdin.take());
        let _ = child.wait();
    }
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn report(line: &str) {
    println!("\n{line}");
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn bind(kind: &str, address: &str) -> (OwnedFd, u16) {
    let parsed = || address.parse::<SocketAddr>().expect("an address");
    match kind {
        "tcp" => {
            let listener = TcpListener::bind(address).expect("a listener");
            let port = listener.local_addr().expect("an address").port();
            (listener.into(), port)
        }
        "udp" => {
            let socket = UdpSocket::bind(address).expect("a socket");
            let port = socket.local_addr().expect("an address").port();
            (socket.into(), port)
        }
        "connect" => {
            let stream = TcpStream::connect(address).expect("a connection");
            let port = stream.local_addr().expect("an address").port();
            (stream.into(), port)
        }
        "v6only" => {
            let socket = tcp_socket(AddressFamily::INET6);
            sockopt::set_ipv6_v6only(&socket, true).expect("an option");
            listen(socket, "[::]:0".parse().expect("an address"))
        }
        "shared" => {
            let socket = tcp_socket(AddressFamily::INET);
            sockopt::set_socket_reuseport(&socket, true).expect("an option");
            listen(socket, parsed())
        }
        "flight" => {
            let (listener, port) = bind("tcp", address);
            (in_flight(&listener), port)
        }
        "silent" => {
            let socket = tcp_socket(AddressFamily::INET);
            rustix::net::bind(&socket, &parsed()).expect("a free port");
            let port = local_port(&socket);
            (socket, port)
        }
        other => panic!("no instruction '{other}'"),
    }
}

fn tcp_socket(family: AddressFamily) -> OwnedFd {
    #[cfg(target_os = "linux")]
    let flags = SocketFlags::CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = SocketFlags::empty();
    rustix::net::socket_with(family, SocketType::STREAM, flags, None).expect("a socket")
}

fn listen(socket: OwnedFd, address: SocketAddr) -> (OwnedFd, u16) {
    rustix::net::bind(&socket, &address).expect("a free port");
    rustix::net::listen(&socket, 8).expect("a listener");
    let port = local_port(&socket);
    (socket, port)
}

/// Sends a descriptor to a socket that nobody receives from; gives what keeps it there.
fn in_flight(descriptor: &OwnedFd) -> OwnedFd {
    let (from, to) = UnixDatagram::pair().expect("a pair");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let bytes = [IoSlice::new(b"x")];
    rustix::net::sendmsg(&from, &bytes, &mut control, SendFlags::empty()).expect("sent");
    to.into()
}

fn local_port(socket: &OwnedFd) -> u16 {
    let name = rustix::net::getsockname(socket).expect("an address");
    SocketAddr::try_from(name).expect("an IP address").port()
}

/// A process that inherits `held` and waits, with an argument that is of no effect.
fn heir(held: &[OwnedFd], argument: &OsStr) -> Child {
    for socket in held {
        rustix::io::fcntl_setfd(socket.as_fd(), rustix::io::FdFlags::empty()).expect("inheritable");
    }
    let mut command = Command::new("sh");
    command.args(["-c", "read -r line", "sh"]).arg(argument);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a child")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("two hex digits");
    (0..text.len()).step_by(2).map(digit).collect()
}
