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
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
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
/// Begins the line that names a process that was started again.
const AGAIN: &str = "fixture started:";

/// A running fixture.
pub(crate) struct Fixture {
    child: Child,
    /// Kept open: the test harness in the child prints to it at its end.
    output: BufReader<ChildStdout>,
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
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut fixture = Self { child, output, numbers: Vec::new() };
        fixture.numbers = fixture.next_report(READY).expect("the fixture gets ready");
        fixture
    }

    /// The numbers of the next line that begins so; `None` if there is none up to its end.
    fn next_report(&mut self, beginning: &str) -> Option<Vec<u32>> {
        let mut lines = self.output.by_ref().split(b'\n').map_while(Result::ok);
        let numbers = lines.find_map(|line| {
            let line = String::from_utf8_lossy(&line).into_owned();
            line.split_once(beginning).map(|(_, numbers)| numbers.to_owned())
        })?;
        Some(numbers.split_whitespace().map(|text| text.parse().expect("a number")).collect())
    }

    /// Waits until a child of `respawn` was started again, and gives its PID.
    pub(crate) fn started_again(&mut self) -> u32 {
        self.next_report(AGAIN).expect("a child is started again")[0]
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended, by itself or by a signal.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Waits until something else ends it.
    #[cfg(target_os = "linux")]
    pub(crate) fn wait(&mut self) {
        let input = self.child.stdin.take();
        self.child.wait().expect("a child");
        drop(input);
    }

    /// Lets it end by itself. Its status tells whether a signal that ends it
    /// was sent before: that one comes first.
    pub(crate) fn end(&mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().expect("a child")
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
        if TcpListener::bind(("0.0.0.0", port)).is_ok()
            && UdpSocket::bind(("0.0.0.0", port)).is_ok()
        {
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
/// - `connect ADDRESS [FROM]`, `udp-connect ADDRESS [FROM]`: a client, bound to
///   an address if one is given; gives the port it comes from
/// - `thread ADDRESS`: listen in a thread with descriptors of its own (Linux)
/// - `children N [UID]`: N processes that inherit every socket so far, of this
///   user if one is given; gives their PIDs. They may outlive the fixture, and
///   end when the standard input that they share with it closes.
/// - `respawn N`: the same, each started again whenever a signal ends it
/// - `worker`: the same, once, with nothing but a connection accepted from the last socket
/// - `deaf`: TERM is of no effect, except on children
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
                let (count, user) = rest.split_once(' ').unwrap_or((rest, ""));
                bequeath(&held);
                for _ in 0..number(count) {
                    let mut command = waiting(OsStr::new(""));
                    if let Ok(user) = user.parse() {
                        command.uid(user).gid(user);
                    }
                    children.push(command.spawn().expect("a child"));
                    numbers.push(children[children.len() - 1].id());
                }
            }
            "heir" => {
                let (bytes, more) = rest.split_once(' ').expect("bytes and a number");
                let argument = [unhex(bytes), vec![b'x'; number(more)]].concat();
                bequeath(&held);
                let child = waiting(&OsString::from_vec(argument)).spawn().expect("a child");
                numbers.push(child.id());
                children.push(child);
            }
            "respawn" => {
                bequeath(&held);
                numbers.extend((0..number(rest)).map(|_| respawn()));
            }
            "worker" => {
                let (child, client) = worker(held.last().expect("a listener"));
                held.push(client);
                numbers.push(child.id());
                children.push(child);
            }
            "deaf" => turn_deaf(),
            #[cfg(target_os = "linux")]
            "thread" => numbers.push(listen_in_thread(rest.to_owned()).into()),
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
        "connect" => connect(SocketType::STREAM, address),
        "udp-connect" => connect(SocketType::DGRAM, address),
        "v6only" => {
            let socket = socket(AddressFamily::INET6, SocketType::STREAM);
            sockopt::set_ipv6_v6only(&socket, true).expect("an option");
            listen(socket, "[::]:0".parse().expect("an address"))
        }
        "shared" => {
            let socket = socket(AddressFamily::INET, SocketType::STREAM);
            sockopt::set_socket_reuseport(&socket, true).expect("an option");
            listen(socket, parsed())
        }
        "flight" => {
            let (listener, port) = bind("tcp", address);
            (in_flight(&listener), port)
        }
        "silent" => {
            let socket = socket(AddressFamily::INET, SocketType::STREAM);
            rustix::net::bind(&socket, &parsed()).expect("a free port");
            let port = local_port(&socket);
            (socket, port)
        }
        other => panic!("no instruction '{other}'"),
    }
}

fn connect(kind: SocketType, addresses: &str) -> (OwnedFd, u16) {
    let (to, from) = addresses.split_once(' ').unwrap_or((addresses, ""));
    let to: SocketAddr = to.parse().expect("an address");
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, kind);
    if let Ok(from) = from.parse::<SocketAddr>() {
        rustix::net::bind(&socket, &from).expect("a free port");
    }
    rustix::net::connect(&socket, &to).expect("a connection");
    let port = local_port(&socket);
    (socket, port)
}

fn socket(family: AddressFamily, kind: SocketType) -> OwnedFd {
    #[cfg(target_os = "linux")]
    let flags = SocketFlags::CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = SocketFlags::empty();
    rustix::net::socket_with(family, kind, flags, None).expect("a socket")
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

/// Lets every process that is started from now on inherit `held`.
fn bequeath(held: &[OwnedFd]) {
    for socket in held {
        rustix::io::fcntl_setfd(socket.as_fd(), rustix::io::FdFlags::empty()).expect("inheritable");
    }
}

/// A process that waits for the end of this one's standard input, with an argument that is of no effect.
fn waiting(argument: &OsStr) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "read -r line", "sh"]).arg(argument).stdout(Stdio::null());
    command
}

/// A process that is started again when a signal ends it; gives the PID of the first.
fn respawn() -> u32 {
    let start = || waiting(OsStr::new("")).spawn().expect("a child");
    let mut child = start();
    let first = child.id();
    std::thread::spawn(move || {
        while child.wait().expect("a child").signal().is_some() {
            child = start();
            report(&format!("{AGAIN} {}", child.id()));
        }
    });
    first
}

/// A process that holds a connection to this listener, and the other end.
fn worker(listener: &OwnedFd) -> (Child, OwnedFd) {
    let address = rustix::net::getsockname(listener).expect("an address");
    let client = TcpStream::connect(SocketAddr::try_from(address).expect("an IP address"));
    let connection = rustix::net::accept(listener).expect("a connection");
    bequeath(std::slice::from_ref(&connection));
    let child = waiting(OsStr::new("")).spawn().expect("a child");
    (child, client.expect("a connection").into())
}

/// Catches TERM and does nothing; unlike an ignored signal, that is not inherited.
#[expect(unsafe_code, reason = "the only safe ways are other dependencies")]
fn turn_deaf() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: the handler does nothing, which is safe at any moment.
    let previous = unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
    assert_ne!(previous, libc::SIG_ERR);
}

/// Listens in a thread whose descriptors no other thread has.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "a thread leaves the table of descriptors that it shares")]
fn listen_in_thread(address: String) -> u16 {
    let (sender, port) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // SAFETY: the thread gets a copy of the table, so what it holds stays
        // open; from here on it uses only what it opens itself.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0, "a table of its own");
        let (_socket, port) = bind("tcp", &address);
        sender.send(port).expect("the fixture waits");
        loop {
            std::thread::park();
        }
    });
    port.recv().expect("the thread listens")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("two hex digits");
    (0..text.len()).step_by(2).map(digit).collect()
}
