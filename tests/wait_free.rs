//! `mx ports wait --free` and `mx ports free` against everything that keeps a port busy.

use std::collections::HashSet;
use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
#[cfg(target_os = "linux")]
use std::os::unix::process::CommandExt;
use std::process::Output;

use crate::fixture::{Fixture, free_port, until};
#[cfg(target_os = "linux")]
use crate::hostile::{public_copy, skipped};
#[cfg(target_os = "linux")]
use crate::namespace::inside;
use crate::wait::{mx, start, text};

/// Whether a target is free, and what is said of it.
fn is_free(words: &[&str]) -> (bool, String) {
    let output = mx(&[&["ports", "wait", "--free", "--timeout", "0s"], words].concat());
    let status = output.status.code();
    assert!(matches!(status, Some(0 | 1)), "{output:?}");
    (status == Some(0), said(&output))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn waits_until_a_port_is_free() {
    let server = Fixture::new("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    assert_eq!(mx(&["ports", "wait", &port, "--free", "--timeout", "0s"]).status.code(), Some(1));
    let mut waiting = start(&["ports", "wait", &port, "--free", "--timeout", "60s"]);
    assert!(waiting.try_wait().expect("a child").is_none());
    drop(server);
    let output = waiting.wait_with_output().expect("a child");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output), format!("{port}\tfree\n"));
}

#[test]
fn whatever_keeps_a_server_away_keeps_a_port_from_being_free() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let client = TcpStream::connect(server.local_addr().expect("an address")).expect("accepted");
    let client_udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client_udp.connect("127.0.0.1:9").expect("a peer");
    let v6 = Fixture::new("v6only\ntcp [::1]:0\nudp [::]:0");
    let port = |address: std::io::Result<std::net::SocketAddr>| address.expect("an address").port();
    for (port, only, reason) in [
        (port(server.local_addr()), "--tcp", "is bound"),
        (port(client.local_addr()), "--tcp", "it is the local port of a connection to 127.0.0.1:"),
        (
            port(client_udp.local_addr()),
            "--udp",
            "it is the local port of a connection to 127.0.0.1:9",
        ),
        (v6.port(0), "--tcp", "is bound"),
        (v6.port(1), "--tcp", "is bound"),
        (v6.port(2), "--udp", "is bound"),
    ] {
        let target = port.to_string();
        for words in [&[target.as_str()][..], &[&target, only], &[&format!("{port}-{port}")]] {
            let (free, said) = is_free(words);
            assert!(!free && said.contains(reason), "{words:?}: {said}");
        }
        // The other protocol is not concerned.
        let other = if only == "--tcp" { "--udp" } else { "--tcp" };
        assert_eq!(is_free(&[&target, other]), (true, String::new()), "{target} {other}");
    }
    // What the list says of the port is the same.
    let source = port(client.local_addr()).to_string();
    let listed = said(&mx(&["ports", &source]));
    let why = listed.split_once(", but ").expect("a cause").1.trim_end();
    assert!(is_free(&[&source]).1.trim_end().ends_with(why), "{listed}");
    // An address is free if its own server could bind it.
    assert_eq!(is_free(&[&format!("127.0.0.1:{}", v6.port(0))]), (true, String::new()));
    assert!(!is_free(&[&format!("[::1]:{}", v6.port(0))]).0);
    assert!(!is_free(&[&format!("localhost:{}", v6.port(1))]).0);
}

#[test]
fn the_rest_of_a_connection_keeps_only_those_away_who_do_not_share() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = server.local_addr().expect("an address");

    // The client closes first, and did not set SO_REUSEADDR.
    let client = TcpStream::connect(address).expect("accepted");
    let source = client.local_addr().expect("an address").port();
    let (accepted, _) = server.accept().expect("a connection");
    close(&client, &accepted);
    drop((client, accepted));
    let (free, why) =
        until(|| is_free(&[&source.to_string()]), |(_, said)| said.contains("TIME_WAIT"));
    assert!(!free && why.contains("no server can bind it now"), "{why}");
    TcpListener::bind(("0.0.0.0", source)).expect_err("as was said");

    // The server closes first, and did, as TcpListener always does.
    let client = TcpStream::connect(address).expect("accepted");
    let (accepted, _) = server.accept().expect("a connection");
    close(&accepted, &client);
    drop((client, accepted, server));
    let (free, note) =
        until(|| is_free(&[&address.port().to_string()]), |(_, said)| said.contains("TIME_WAIT"));
    assert!(free && note.contains("a server can bind it only with SO_REUSEADDR"), "{note}");
    TcpListener::bind(("0.0.0.0", address.port())).expect("as was said");
}

#[test]
fn a_port_of_udp_is_not_shared() {
    let socket =
        rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)
            .expect("a socket");
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true).expect("an option");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    rustix::net::bind(&socket, &any).expect("a free port");
    let socket = UdpSocket::from(socket);
    socket.connect("127.0.0.1:9").expect("a peer");
    let port = socket.local_addr().expect("an address").port();
    let (free, why) = is_free(&[&port.to_string()]);
    assert!(!free && why.contains("only with SO_REUSEADDR"), "{why}");
    UdpSocket::bind(("0.0.0.0", port)).expect_err("as most servers do");
    drop(socket);
    // A process that another test starts may have a copy for a moment.
    let (_, why) = until(|| is_free(&[&port.to_string()]), |(free, _)| *free);
    assert_eq!(why, "");
}

#[test]
fn a_port_of_a_client_becomes_free_with_its_end() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = server.local_addr().expect("an address");
    for _ in 0..3 {
        let client = Fixture::new(&format!("connect {address}"));
        let (accepted, _) = server.accept().expect("a connection");
        let port = client.port(0).to_string();
        let mut waiting = start(&["ports", "wait", "--free", &port, "--timeout", "60s"]);
        until(|| is_free(&[&port]), |(free, _)| !free);
        assert!(waiting.try_wait().expect("a child").is_none());
        // The server closes first: nothing of the client remains.
        accepted.shutdown(Shutdown::Write).expect("open");
        drop((client, accepted));
        assert!(waiting.wait().expect("a child").success());
        TcpListener::bind(("0.0.0.0", client_port(&port))).expect("free, as was said");
    }
}

fn client_port(text: &str) -> u16 {
    text.parse().expect("a port")
}

/// Closes a connection from one end first.
fn close(first: &TcpStream, second: &TcpStream) {
    first.shutdown(Shutdown::Write).expect("open");
    let (mut first, mut second) = (first, second);
    assert_eq!(second.read(&mut [0]).expect("the end"), 0);
    second.shutdown(Shutdown::Write).expect("open");
    assert_eq!(first.read(&mut [0]).expect("the end"), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_port_is_not_taken_from_others_while_another_one_is_waited_for() {
    // Processes that other tests start would have copies of the sockets.
    if !inside("wait_free::a_port_is_not_taken_from_others_while_another_one_is_waited_for") {
        return;
    }
    let busy = Fixture::new("tcp 127.0.0.1:0");
    let port = free_port();
    let target = busy.port(0).to_string();
    let mut waiting = start(&[
        "ports",
        "wait",
        "--free",
        &port.to_string(),
        &target,
        "--timeout",
        "60s",
        "--interval",
        "1ms",
    ]);
    // Bound for a moment only, it would be seen in one of many tries.
    for _ in 0..2000 {
        TcpListener::bind(("0.0.0.0", port)).expect("free");
    }
    assert!(waiting.try_wait().expect("a child").is_none());
    drop(busy);
    assert!(waiting.wait().expect("a child").success());
}

#[test]
#[cfg(target_os = "linux")]
fn a_privileged_port_is_free_where_everything_is_seen_and_unknown_where_not() {
    if !inside(
        "wait_free::a_privileged_port_is_free_where_everything_is_seen_and_unknown_where_not",
    ) {
        return;
    }
    if !sys::user::is_root() {
        return skipped("needs root to become another user");
    }
    let (_directory, copy) = public_copy();
    let nobody = |words: &[&str], netlink: bool| {
        let mut command = std::process::Command::new(&copy);
        command.args(["ports", "wait", "--free", "--timeout", "0s"]).args(words);
        command.uid(65534).gid(65534);
        if !netlink {
            command = crate::hostile::linux::without_netlink(command);
        }
        command.output().expect("mx runs")
    };
    let _server = Fixture::new("tcp 127.0.0.1:81");
    for port in ["80", "[::1]:80", "82-83"] {
        let output = nobody(&[port, "--udp"], true);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(said(&output).contains("ports below 1024 are privileged"), "{output:?}");
        let output = nobody(&[port], false);
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(3), ""), "{output:?}");
        assert!(said(&output).starts_with(&format!("mx: cannot tell whether {port} is free: ")));
    }
    for netlink in [true, false] {
        let output = nobody(&["81"], netlink);
        assert_eq!(
            (output.status.code(), text(&output).as_str()),
            (Some(1), "81\ttcp 81 is bound\n")
        );
        // This user may bind it, so it is known.
        assert_eq!(nobody(&["8081"], netlink).status.code(), Some(0));
    }
    // A process that cannot be seen may have the name.
    let output = nobody(&["no-such-name"], true);
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(3), ""), "{output:?}");
}

#[test]
fn free_ports_can_be_bound_and_are_distinct() {
    for arguments in
        [&["ports", "free", "--count", "5"][..], &["ports", "free", "3000", "--count", "5"]]
    {
        let output = mx(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let ports: Vec<u16> =
            text(&output).lines().map(|line| line.parse().expect("a port")).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), 5, "{ports:?}");
        for port in ports {
            assert!(port >= 1024);
            TcpListener::bind(("0.0.0.0", port)).expect("bindable");
        }
    }
    let output = mx(&["ports", "free", "--udp"]);
    let port: u16 = text(&output).trim().parse().expect("a port");
    UdpSocket::bind(("0.0.0.0", port)).expect("bindable");
}

#[test]
fn taken_and_customary_ports_are_passed_over() {
    for instruction in ["tcp 127.0.0.1:0", "tcp [::1]:0", "v6only"] {
        let taken = Fixture::new(instruction);
        let port = taken.port(0);
        let output = mx(&["ports", "free", "--range", &format!("{port}-{port}")]);
        assert_eq!(output.status.code(), Some(1), "{instruction}: {output:?}");
        assert_eq!(text(&output), "");
    }
    // 6665 to 6669 are refused by browsers.
    let output = mx(&["ports", "free", "6664", "--count", "3"]);
    let ports: Vec<u16> = text(&output).lines().map(|line| line.parse().expect("a port")).collect();
    assert!(ports.iter().all(|port| !(6665..=6669).contains(port)), "{ports:?}");
}

#[test]
fn a_range_is_never_left() {
    let taken = Fixture::new("tcp 127.0.0.1:0");
    let port = taken.port(0);
    for (words, printed, note) in [
        (format!("{port}-{port}"), "", "0 of 4 wanted ports are free"),
        (format!(":{port}-{port}"), "", "0 of 4 wanted ports are free"),
        (format!("--range={port}-{port}"), "", "0 of 4 wanted ports are free"),
    ] {
        let output = mx(&["ports", "free", &words, "--count", "4"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!((text(&output).as_str(), said(&output)), (printed, format!("mx: {note}\n")));
    }
    let first = free_port();
    for words in [format!("{first}-{}", first + 1), format!("--range={first}-{}", first + 1)] {
        let output = mx(&["ports", "free", &words, "--count", "4"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let ports: Vec<u16> =
            text(&output).lines().map(|line| line.parse().expect("a port")).collect();
        assert!(
            ports.contains(&first) && ports.iter().all(|port| (first..=first + 1).contains(port))
        );
        let place = format!(" free in {first}-{}\n", first + 1);
        assert!(said(&output).ends_with(&place), "{output:?}");
    }
    let output = mx(&["ports", "free", "65535", "--count", "2"]);
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(1), "65535\n"), "{output:?}");
    assert_eq!(said(&output), "mx: 1 of 2 wanted ports are free from 65535 on\n");
}

#[test]
#[cfg(target_os = "linux")]
fn ports_are_found_although_clients_are_given_all_of_them() {
    if !inside("wait_free::ports_are_found_although_clients_are_given_all_of_them") {
        return;
    }
    let ports = |words: &[&str]| text(&mx(&[&["ports", "free"], words].concat()));
    for (clients, from, expected) in [
        ("1024 65535", "3000", "3000\n3001\n3002\n"),
        ("3001 65535", "3000", "3000\n3001\n3002\n"),
        ("3001 3002", "3000", "3000\n3003\n3004\n"),
        ("32768 60999", "40000", "40000\n61000\n61001\n"),
        // Customary ports are left out all the same.
        ("1024 65535", "6664", "6664\n6670\n6671\n"),
    ] {
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", clients).expect("a namespace");
        assert_eq!(ports(&[from, "--count", "3"]), expected, "{clients}");
    }
}

#[test]
fn a_hint_names_what_this_command_accepts() {
    for (words, said_first, hint) in [
        (&["0"][..], "cannot use '0' as a port: '0' is not a port", "such as 3000-3010"),
        (&["65536"], "cannot use '65536' as a port", "such as 3000-3010"),
        (&["node"], "cannot use 'node' as a port: it is not a number", "such as 3000-3010"),
        (&[""], "cannot use '' as a port: it is empty", "such as 3000-3010"),
        (&["80-20"], "the range runs backwards", "such as 3000-3010"),
        (&["localhost:80"], "a port is searched for on all of them", "such as 3000-3010"),
        (&["--range", "x"], "cannot use 'x' as a port", "such as 3000-3010"),
        (&["--count", "0"], "cannot search for '0' ports", "--count: a number from 1 to 65535"),
        (&["--count", "+1"], "cannot search for '+1' ports", "--count: a number from 1"),
        (&["1", "--range", "1-2"], "both from a port and in a range", "either FROM, such as 3000"),
    ] {
        let output = mx(&[&["ports", "free"], words].concat());
        let text = said(&output);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((output.status.code(), lines.len()), (Some(2), 2), "{words:?}: {text}");
        assert!(lines[0].starts_with("mx: cannot ") && lines[0].contains(said_first), "{text}");
        assert!(lines[1].starts_with("hint: accepted") && lines[1].contains(hint), "{text}");
        assert!(!lines[1].contains("process name"), "{text}");
    }
    for (words, help) in [
        (&["free", "3000", "4000"][..], "mx help ports free"),
        (&["wait"], "mx help ports wait"),
        (&["kill"], "mx help ports kill"),
    ] {
        let output = mx(&[&["ports"], words].concat());
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.ends_with(&format!("\nhint: {help} lists what it accepts\n")), "{text}");
    }
}

#[cfg(target_os = "linux")]
mod property {
    use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use ports::Protocol;
    use ports::wait::{Goal, Waiter, Wish};
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    use rustix::net::{AddressFamily, SocketType, bind, connect, listen, socket, sockopt};

    use crate::fixture::free_port;
    use crate::namespace::inside;

    const ADDRESSES: [&str; 5] = ["127.0.0.1", "127.0.0.2", "[::1]", "0.0.0.0", "[::]"];
    const USES: [Use; 5] = [Use::Listen, Use::Silent, Use::Client, Use::Udp, Use::UdpClient];
    /// A host of a selector, and the addresses that its server binds.
    const HOSTS: [(&str, &[&str]); 5] = [
        ("", &["0.0.0.0", "[::]"]),
        ("localhost:", &["127.0.0.1", "[::1]"]),
        ("127.0.0.1:", &["127.0.0.1"]),
        ("127.0.0.2:", &["127.0.0.2"]),
        ("[::1]:", &["[::1]"]),
    ];

    #[derive(Clone, Copy, Debug)]
    enum Use {
        Listen,
        Silent,
        Client,
        Udp,
        UdpClient,
    }

    /// Uses the port if nothing else that was made before is in the way.
    fn occupy(how: Use, address: SocketAddr, v6only: bool) -> Option<Vec<OwnedFd>> {
        let kind = match how {
            Use::Udp | Use::UdpClient => SocketType::DGRAM,
            Use::Listen | Use::Silent | Use::Client => SocketType::STREAM,
        };
        let made = new(address, kind, v6only)?;
        match how {
            Use::Listen => listen(&made, 8).ok()?,
            Use::Client => {
                let server = TcpListener::bind((address.ip(), 0)).ok()?;
                let its = server.local_addr().expect("an address");
                // Where it fails, it stays bound, which is as good here.
                let _ = connect(&made, &its);
                return Some(vec![made, server.into()]);
            }
            Use::UdpClient => {
                let peer = SocketAddr::new(address.ip(), 9);
                let _ = connect(&made, &peer);
            }
            Use::Silent | Use::Udp => {}
        }
        Some(vec![made])
    }

    fn new(address: SocketAddr, kind: SocketType, v6only: bool) -> Option<OwnedFd> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let made = socket(family, kind, None).expect("a socket");
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&made, v6only).expect("an option");
        }
        bind(&made, &address).ok().map(|()| made)
    }

    /// Whether a server can bind these addresses, one after the other.
    fn serves(addresses: &[&str], port: u16, protocol: Protocol) -> bool {
        addresses.iter().all(|address| {
            let address: SocketAddr = format!("{address}:{port}").parse().expect("an address");
            let kind = match protocol {
                Protocol::Tcp => SocketType::STREAM,
                Protocol::Udp => SocketType::DGRAM,
            };
            new(address, kind, true).is_some_and(|made| match protocol {
                Protocol::Tcp => listen(&made, 8).is_ok(),
                Protocol::Udp => true,
            })
        })
    }

    /// Whatever uses a port: it is free to a selector exactly if its server can bind it.
    #[test]
    fn free_is_what_a_server_can_bind() {
        // Processes that other tests start would have copies of the sockets.
        if !inside("wait_free::property::free_is_what_a_server_can_bind") {
            return;
        }
        let one = (proptest::sample::select(&USES[..]), 0..ADDRESSES.len(), any::<bool>());
        let mut runner = TestRunner::new(ProptestConfig::with_cases(128));
        let result = runner.run(&proptest::collection::vec(one, 0..3), |uses| {
            let port = free_port();
            let address =
                |index: usize| format!("{}:{port}", ADDRESSES[index]).parse().expect("an address");
            let held = uses
                .iter()
                .filter_map(|(how, index, v6only)| occupy(*how, address(*index), *v6only));
            let _held: Vec<Vec<OwnedFd>> = held.collect();
            for (host, addresses) in HOSTS {
                for protocol in [Protocol::Tcp, Protocol::Udp] {
                    let looked = look(&format!("{host}{port}"), protocol);
                    let expected = serves(addresses, port, protocol);
                    prop_assert_eq!(
                        looked.is_none(),
                        expected,
                        "{} {:?}: {:?}",
                        host,
                        protocol,
                        looked
                    );
                }
            }
            Ok(())
        });
        result.expect("the same answer as that of bind");
    }

    /// What keeps a target from being free.
    fn look(target: &str, protocol: Protocol) -> Option<String> {
        let target = target.parse().expect("a target");
        let wish = Wish { goal: Goal::Free, protocols: vec![protocol], ..Wish::up() };
        let looked = Waiter::new(vec![target], wish).look(Duration::ZERO).expect("a look");
        looked[0].missing.clone()
    }

    #[test]
    fn a_client_is_made_as_one() {
        let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().expect("an address");
        let made = new(address, SocketType::STREAM, true).expect("a free port");
        connect(&made, &server.local_addr().expect("an address")).expect("a connection");
        assert_eq!(TcpStream::from(made).local_addr().expect("an address"), address);
        UdpSocket::bind(address).expect("of no concern to UDP");
    }
}
