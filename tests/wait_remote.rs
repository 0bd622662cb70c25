//! `mx ports wait` for what this machine's tables do not know: foreign addresses
//! and host names, in network namespaces with a cable between them.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixture::{Fixture, free_port, until};
use crate::hostile::skipped;
use crate::namespace::{Network, inside, run};
use crate::wait::{mx, start, text};

const HERE: &str = "10.9.0.1";
const THERE: &str = "10.9.0.2";

/// Another namespace with the addresses [`THERE`] and fe80::2, this one with [`HERE`] and fe80::1.
fn neighbour() -> Option<Network> {
    let network = Network::new()?;
    let name = network.name().to_owned();
    let made = Command::new("ip")
        .args(["link", "add", "mxv0", "type", "veth", "peer", "name", "mxv1", "netns", &name])
        .output();
    if !made.is_ok_and(|output| output.status.success()) {
        return None;
    }
    for (prefix, interface, addresses) in [
        (&[][..], "mxv0", [HERE.to_owned() + "/24", "fe80::1/64".to_owned()]),
        (&["-n", &name], "mxv1", [THERE.to_owned() + "/24", "fe80::2/64".to_owned()]),
    ] {
        for address in &addresses {
            let words = ["addr", "add", address, "dev", interface];
            let words = [prefix, &words].concat();
            // An address of IPv6 is usable once no other machine has objected, unless that is not waited for.
            let words =
                if address.contains(':') { [&words[..], &["nodad"]].concat() } else { words };
            run("ip", &words);
        }
        run("ip", &[prefix, &["link", "set", interface, "up"]].concat());
    }
    Some(network)
}

/// A server in another namespace.
fn server(network: &Network, instructions: &str) -> Fixture {
    let mut command = network.enter(&Fixture::command(instructions, &[]));
    command.env("MX_FIXTURE", instructions);
    Fixture::with(command)
}

#[test]
fn a_foreign_address_is_dialled_and_an_own_one_looked_up() {
    if !inside("wait_remote::a_foreign_address_is_dialled_and_an_own_one_looked_up") {
        return;
    }
    let Some(network) = neighbour() else { return skipped("needs a pair of veth interfaces") };
    let port = free_port();
    // Who waits for another machine does not wait for this one's server on the port.
    let own = Fixture::new(&format!("tcp 0.0.0.0:{port}\ntcp fe80::1%mxv0:{port}"));
    for address in [THERE, "[fe80::2%mxv0]"] {
        let target = format!("{address}:{port}");
        let wait = || mx(&["ports", "wait", &target, "--timeout", "50ms", "--json"]);
        let output = until(wait, |output| text(output).contains("refused"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(said.ends_with(": it is dialled\n"), "{said}");
        let waited: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let looked = &waited["selectors"][0];
        assert_eq!(looked["dialled"], true);
        let missing = looked["missing"].as_str().expect("a reason");
        assert!(missing.contains("refused"), "{target}: {missing}");
    }
    for own in [format!("{HERE}:{port}"), format!("[fe80::1%mxv0]:{port}"), port.to_string()] {
        let output = mx(&["ports", "wait", &own, "--timeout", "0s"]);
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{own} {output:?}");
    }
    drop(own);

    let _servers = server(&network, &format!("tcp {THERE}:{port}\ntcp fe80::2%mxv1:{port}"));
    for target in [
        format!("{THERE}:{port}"),
        format!("[fe80::2%mxv0]:{port}"),
        format!("postgres://{THERE}:{port}/x"),
        format!("{THERE}:{port}-{port}"),
    ] {
        let output = mx(&["ports", "wait", &target, "--timeout", "60s"]);
        assert_eq!(output.status.code(), Some(0), "{target} {output:?}");
        assert!(text(&output).ends_with("\tup\n"), "{output:?}");
    }
    let output = mx(&["ports", "wait", &format!("{HERE}:{port}"), "--timeout", "20ms"]);
    assert_eq!(text(&output), format!("{HERE}:{port}\tnothing serves it\n"));
}

#[test]
fn a_foreign_server_that_comes_late_is_reached_and_all_ports_of_a_range_must_be() {
    if !inside(
        "wait_remote::a_foreign_server_that_comes_late_is_reached_and_all_ports_of_a_range_must_be",
    ) {
        return;
    }
    let Some(network) = neighbour() else { return skipped("needs a pair of veth interfaces") };
    let port = free_port();
    let range = format!("{THERE}:{port}-{}", port + 1);
    let mut waiting = start(&["ports", "wait", &range, "--timeout", "60s"]);
    let mut said = String::new();
    let mut errors = BufReader::new(waiting.stderr.take().expect("a pipe"));
    // It is said at once, not in the end.
    errors.read_line(&mut said).expect("a line");
    assert_eq!(said, format!("mx: {range} is not an address of this machine: it is dialled\n"));
    let _first = server(&network, &format!("tcp {THERE}:{port}"));
    assert!(waiting.try_wait().expect("a child").is_none(), "one of two is not enough");
    let _second = server(&network, &format!("tcp {THERE}:{}", port + 1));
    let output = waiting.wait_with_output().expect("a child");
    assert_eq!(text(&output), format!("{range}\tup\n"));
}

#[test]
fn a_host_name_is_resolved_again_at_each_try() {
    if !inside("wait_remote::a_host_name_is_resolved_again_at_each_try") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let hosts = directory.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 localhost\n127.0.0.1 other.internal\n").expect("a file");
    run("mount", &["--bind", hosts.to_str().expect("a path"), "/etc/hosts"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();

    let target = format!("db.internal:{port}");
    let output = mx(&["ports", "wait", &target, "--timeout", "100ms"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said.starts_with(&format!("mx: {target} has a host name: it is dialled\n")), "{said}");

    let waiting = start(&["ports", "wait", &target, "--timeout", "60s"]);
    fs::write(&hosts, "127.0.0.1 localhost\n127.0.0.1 other.internal db.internal\n")
        .expect("a file");
    let output = waiting.wait_with_output().expect("a child");
    assert_eq!((output.status.code(), text(&output)), (Some(0), format!("{target}\tup\n")));
    for target in [format!("DB.internal:{port}"), format!("redis://me:pw@other.internal:{port}/0")]
    {
        let output = mx(&["ports", "wait", &target, "--timeout", "60s", "--", "echo", "up"]);
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), "up\n"), "{output:?}");
    }
    // Each of the three has connected once.
    listener.set_nonblocking(true).expect("an option");
    assert_eq!(std::iter::from_fn(|| listener.accept().ok()).count(), 3);
}

#[test]
fn a_name_server_that_does_not_answer_delays_nothing() {
    if !inside("wait_remote::a_name_server_that_does_not_answer_delays_nothing") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().join("resolv.conf");
    // Longer than the resolver would take is never waited for here.
    fs::write(&place, "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n").expect("a file");
    run("mount", &["--bind", place.to_str().expect("a path"), "/etc/resolv.conf"]);
    let silent = UdpSocket::bind("127.0.0.1:53").expect("a socket");
    let server = Fixture::new("tcp 127.0.0.1:0");
    let own = server.port(0).to_string();

    let begun = Instant::now();
    let output = mx(&["ports", "wait", "db.internal:5432", &own, "--timeout", "300ms"]);
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(text(&output), format!("db.internal:5432\tno answer yet\n{own}\tup\n"));
    // It was asked, though.
    let mut query = [0; 512];
    let (length, _) = silent.recv_from(&mut query).expect("a query");
    assert!(query[..length].windows(8).any(|bytes| bytes == b"internal"));
}

#[test]
fn another_machine_cannot_be_waited_for_to_be_free() {
    for (words, said) in [
        (&["--free", "db.internal:80"][..], "db.internal:80 is free: it has a host name"),
        (&["--free", "http://db.internal/x"], "db.internal:80 is free: it has a host name"),
        (&["--free", "192.0.2.7:80"], "192.0.2.7:80 is free: it is not an address of this machine"),
        (&["--no-connect", "192.0.2.7:80"], "192.0.2.7:80 without a connection"),
        (&["--udp", "db.internal:53"], "db.internal:53 by UDP"),
    ] {
        let output = mx(&[&["ports", "wait", "--timeout", "0s"], words].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {text}");
        assert!(text.contains(said), "{words:?}: {text}");
        assert!(text.contains("\nhint: accepted with --"), "{words:?}: {text}");
    }
}
