//! The facade of `ports` against real sockets: it sees exactly what was bound.

use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};

use ports::{Protocol, Query, Report, Scope, Socket, State};

use crate::fixture::{Fixture, free_port, until};

fn list(selectors: &[String]) -> Report {
    let selectors = selectors.iter().map(|text| text.parse().expect("a selector")).collect();
    ports::list(&Query { selectors, ..Query::default() }).expect("the sockets of this machine")
}

fn on_port(port: u16) -> Vec<Socket> {
    list(&[port.to_string()]).sockets
}

fn pids(socket: &Socket) -> Vec<u32> {
    socket.owners.iter().map(|owner| owner.pid).collect()
}

#[test]
fn every_kind_of_socket_is_seen_as_what_it_is() {
    let kinds = [
        ("tcp 127.0.0.1:0", Protocol::Tcp, State::Listen, "127.0.0.1", Scope::Loopback, false),
        ("tcp 0.0.0.0:0", Protocol::Tcp, State::Listen, "0.0.0.0", Scope::All, false),
        ("tcp [::1]:0", Protocol::Tcp, State::Listen, "::1", Scope::Loopback, false),
        ("tcp [::]:0", Protocol::Tcp, State::Listen, "::", Scope::All, true),
        ("v6only", Protocol::Tcp, State::Listen, "::", Scope::All, false),
        (
            "tcp [::ffff:127.0.0.1]:0",
            Protocol::Tcp,
            State::Listen,
            "127.0.0.1",
            Scope::Loopback,
            false,
        ),
        ("udp 127.0.0.1:0", Protocol::Udp, State::Bound, "127.0.0.1", Scope::Loopback, false),
        ("udp [::1]:0", Protocol::Udp, State::Bound, "::1", Scope::Loopback, false),
        ("udp [::]:0", Protocol::Udp, State::Bound, "::", Scope::All, true),
    ];
    for (instruction, protocol, state, address, scope, dual_stack) in kinds {
        let fixture = Fixture::new(instruction);
        let sockets = on_port(fixture.port(0));
        let [socket] = sockets.as_slice() else { panic!("{instruction}: {sockets:?}") };
        assert_eq!((socket.protocol, socket.state), (protocol, state), "{instruction}");
        assert_eq!(socket.address.to_string(), address, "{instruction}");
        assert_eq!((socket.scope, socket.dual_stack), (scope, Some(dual_stack)), "{instruction}");
        assert_eq!(pids(socket), [fixture.pid()], "{instruction}");
    }
}

#[test]
fn an_owner_is_described_in_full() {
    let fixture = Fixture::new("tcp 127.0.0.1:0");
    let sockets = on_port(fixture.port(0));
    let owner = &sockets[0].owners[0];
    let exe = std::env::current_exe().expect("a path");
    assert_eq!(owner.exe.as_deref(), exe.to_str());
    assert_eq!(owner.name, exe.file_name().expect("a name").to_string_lossy());
    assert_eq!(owner.command[1..3], ["--exact", "fixture::execute"]);
    let here = std::env::current_dir().expect("a directory");
    assert_eq!(owner.cwd.as_deref(), here.to_str());
    assert_eq!(owner.parent, Some(std::process::id()));
    assert_eq!(owner.user, sockets[0].user);
    assert!(owner.age.is_some_and(|age| age < 3600), "{:?}", owner.age);
    assert!(owner.started.is_some());
}

#[test]
fn a_shared_port_is_a_socket_for_each_process() {
    let first = Fixture::new("shared 127.0.0.1:0");
    let port = first.port(0);
    let second = Fixture::new(&format!("shared 127.0.0.1:{port}"));
    let mut owners: Vec<Vec<u32>> = on_port(port).iter().map(pids).collect();
    owners.sort();
    let mut expected = [vec![first.pid()], vec![second.pid()]];
    expected.sort();
    assert_eq!(owners, expected);
}

#[test]
fn a_parent_and_its_children_all_own_an_inherited_socket() {
    let parent = Fixture::new("tcp 127.0.0.1:0\nchildren 3");
    let sockets = on_port(parent.port(0));
    assert_eq!(sockets.len(), 1);
    let mut expected = parent.numbers[1..].to_vec();
    expected.push(parent.pid());
    expected.sort_unstable();
    assert_eq!(pids(&sockets[0]), expected);
}

#[test]
fn a_client_never_owns_its_source_port() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let client = Fixture::new(&format!("connect 127.0.0.1:{}", server.port(0)));
    let report = list(&[client.port(0).to_string()]);
    assert!(report.sockets.is_empty(), "{:?}", report.sockets);
    let [note] = report.notes.as_slice() else { panic!("{:?}", report.notes) };
    assert!(note.contains(&format!("nothing is bound to {}", client.port(0))), "{note}");
    assert!(note.contains(&format!("(PID {})", client.pid())), "{note}");
    assert_eq!(pids(&on_port(server.port(0))[0]), [server.pid()]);
}

#[test]
fn a_port_in_time_wait_is_said_to_be_so() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let mut client = TcpStream::connect(address).expect("a connection");
    // The side that closes first keeps the port in TIME_WAIT: here the server's.
    drop(listener.accept().expect("a connection"));
    drop(listener);
    assert_eq!(client.read(&mut [0]).expect("the end of the stream"), 0);
    drop(client);
    let report = list(&[address.port().to_string()]);
    assert!(report.sockets.is_empty(), "{:?}", report.sockets);
    assert!(report.notes[0].contains("TIME_WAIT"), "{:?}", report.notes);
}

#[test]
fn all_adds_connections_and_names_the_peer() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let client = Fixture::new(&format!("connect 127.0.0.1:{}", server.port(0)));
    let selectors = vec![client.port(0).to_string().parse().expect("a selector")];
    let report = ports::list(&Query { selectors, all: true, ..Query::default() }).expect("a list");
    let [socket] = report.sockets.as_slice() else { panic!("{:?}", report.sockets) };
    assert_eq!(socket.state, State::Established);
    assert_eq!(socket.peer.map(|peer| peer.port()), Some(server.port(0)));
    assert_eq!(pids(socket), [client.pid()]);
}

#[test]
fn selectors_choose_by_port_range_address_and_name() {
    let fixture = Fixture::new("tcp 127.0.0.1:0\ntcp [::1]:0\nudp 127.0.0.1:0");
    let (v4, v6, udp) = (fixture.port(0), fixture.port(1), fixture.port(2));
    let chosen = |selectors: &[String]| -> Vec<u16> {
        let sockets = list(selectors).sockets;
        let own = sockets.iter().filter(|socket| pids(socket) == [fixture.pid()]);
        own.map(|socket| socket.port).collect()
    };
    let both = |one: u16, other: u16| vec![one.min(other), one.max(other)];
    assert_eq!(chosen(&[format!("{v4}-{v4}"), v6.to_string()]), both(v4, v6));
    assert_eq!(chosen(&[format!("127.0.0.1:{v4}"), format!("127.0.0.1:{v6}")]), [v4]);
    assert_eq!(chosen(&[format!("http://localhost:{v6}/x")]), [v6]);
    assert_eq!(chosen(&[format!("*:{udp}")]), [udp]);
    let name = std::env::current_exe().expect("a path");
    let name = name.file_name().expect("a name").to_string_lossy();
    let mut all = [v4, v6, udp];
    all.sort_unstable();
    assert_eq!(chosen(&[name.to_uppercase()]), all);
    assert_eq!(chosen(&[format!("{}*", &name[..4])]), all);
    assert_eq!(chosen(&[free_port().to_string()]), Vec::<u16>::new());
}

#[test]
fn a_silent_port_is_listed_only_where_it_is_asked_for() {
    if !lists_silent() {
        return crate::hostile::skipped("needs Linux 6.8");
    }
    let fixture = Fixture::new("silent 127.0.0.1:0");
    let Report { sockets, notes, .. } = list(&[fixture.port(0).to_string()]);
    assert_eq!((sockets.len(), sockets[0].state), (1, State::Bound));
    assert_eq!(pids(&sockets[0]), [fixture.pid()]);
    let expected = format!("has bound {} without listening on it", fixture.port(0));
    assert!(notes.len() == 1 && notes[0].ends_with(&expected), "{notes:?}");
    TcpListener::bind(("127.0.0.1", fixture.port(0))).expect_err("it is busy");
    let everything = ports::list(&Query::default()).expect("a list");
    assert!(everything.sockets.iter().all(|socket| socket.port != fixture.port(0)));
}

/// Whether this system lists TCP that is bound without listening.
fn lists_silent() -> bool {
    let Ok(release) = std::fs::read_to_string("/proc/sys/kernel/osrelease") else { return true };
    let mut numbers = release.split(['.', '-']).map(|text| text.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(8))
}

#[test]
fn a_connection_that_nobody_accepted_has_no_hidden_owner() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let client = Fixture::new(&format!("connect 127.0.0.1:{}", server.port(0)));
    let selectors = vec![server.port(0).to_string().parse().expect("a selector")];
    let report = ports::list(&Query { selectors, all: true, ..Query::default() }).expect("a list");
    let waiting = report.sockets.iter().find(|socket| socket.peer.is_some()).expect("a connection");
    assert_eq!(waiting.peer.map(|peer| peer.port()), Some(client.port(0)));
    assert_eq!(report.hidden, 0, "{report:?}");
}

#[test]
fn a_busy_port_is_explained_and_the_verdict_agrees_with_bind() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let client = TcpStream::connect(server.local_addr().expect("an address")).expect("accepted");
    let (accepted, _) = server.accept().expect("a connection");
    let port = client.local_addr().expect("an address").port();

    let said_of = |port: u16| list(&[port.to_string()]).notes.join("\n");
    let text = said_of(port);
    assert!(text.contains("it is the local port of a connection to"), "{text}");
    assert!(text.contains("no server can bind it now"), "{text}");
    TcpListener::bind(("0.0.0.0", port)).expect_err("as was said");

    // The side that closes first rests in TIME_WAIT. Here it is the client, which did not set SO_REUSEADDR.
    close(&client, &accepted);
    drop((client, accepted));
    let text = until(|| said_of(port), |text| text.contains("TIME_WAIT"));
    assert!(text.contains("no server can bind it now"), "{text}");
    TcpListener::bind(("0.0.0.0", port)).expect_err("as was said");

    // And here the server, which did, as TcpListener always does.
    let port = server.local_addr().expect("an address").port();
    let client = TcpStream::connect(("127.0.0.1", port)).expect("accepted");
    let (accepted, _) = server.accept().expect("a connection");
    close(&accepted, &client);
    drop((client, accepted, server));
    let text = until(|| said_of(port), |text| text.contains("TIME_WAIT"));
    assert!(text.contains("a server can bind it only with SO_REUSEADDR"), "{text}");
    TcpListener::bind(("0.0.0.0", port)).expect("as was said");
}

#[test]
fn each_protocol_that_keeps_a_port_busy_gets_a_verdict() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let client = TcpStream::connect(server.local_addr().expect("an address")).expect("accepted");
    let port = client.local_addr().expect("an address").port();
    let udp = UdpSocket::bind(("127.0.0.1", port)).expect("only TCP has it");
    udp.connect("127.0.0.1:9").expect("a peer");
    let notes = list(&[port.to_string()]).notes.join("\n");
    let (tcp, udp) = notes.split_once("; UDP: ").expect("both are told");
    assert!(tcp.contains("TCP: it is the local port of a connection to 127.0.0.1:"), "{notes}");
    assert!(tcp.ends_with("no server can bind it now"), "{notes}");
    assert!(udp.starts_with("it is the local port of a connection to 127.0.0.1:9"), "{notes}");
    assert!(udp.ends_with("no server can bind it now"), "{notes}");
}

/// Closes a connection from one end first. Only to drop it would leave the
/// order to chance: another test may start a process that has a copy for a moment.
fn close(first: &TcpStream, second: &TcpStream) {
    first.shutdown(Shutdown::Write).expect("open");
    let (mut first, mut second) = (first, second);
    assert_eq!(second.read(&mut [0]).expect("the end"), 0);
    second.shutdown(Shutdown::Write).expect("open");
    assert_eq!(first.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn a_silent_port_is_not_free_to_any_command() {
    if !lists_silent() {
        return crate::hostile::skipped("needs Linux 6.8");
    }
    let mut fixture = Fixture::new("silent 127.0.0.1:0");
    let port = fixture.port(0).to_string();
    let mx = |arguments: &[&str]| {
        let output = std::process::Command::new(crate::cli::MX).args(arguments).output();
        let output = output.expect("mx runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = mx(&["ports", "wait", &port, "--free", "--timeout", "50ms"]);
    assert!(code == Some(1) && said.contains("is bound"), "{code:?} {said}");
    let (code, said) = mx(&["ports", "kill", &port, "--yes"]);
    assert!(code == Some(3) && said.contains("has bound it without listening"), "{code:?} {said}");
    assert!(fixture.is_running());
    let (code, _) = mx(&["ports", "free", "--range", &format!("{port}-{port}")]);
    assert_eq!(code, Some(1));
}

#[test]
fn many_free_ports_need_few_descriptors() {
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" ports free 20000 --count 100", crate::cli::MX])
        .output()
        .expect("sh runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 100);
}
