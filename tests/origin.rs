//! Where a socket belongs, on Linux: other network namespaces, cgroups,
//! supervisors, users, and sockets that belong to nobody.

#![cfg(target_os = "linux")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ports::Query;
use serde_json::Value;

use crate::cli::MX;
use crate::fixture::{Fixture, free_port, hex};
use crate::hostile::{public_copy, skipped};

fn mx(arguments: &[&str]) -> Output {
    Command::new(MX).args(arguments).output().expect("mx runs")
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("JSON: {output:?}"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A fixture that a command such as `ip netns exec NAME` starts.
fn started_by(words: &[&str], instructions: &str) -> Fixture {
    let fixture = Fixture::command(instructions, &[]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(fixture.get_program()).args(fixture.get_args());
    command.env("MX_FIXTURE", instructions);
    Fixture::with(command)
}

/// A named network namespace with a loopback interface that is up.
struct Netns(String);

impl Netns {
    fn new(name: &str) -> Option<Self> {
        let name = format!("mx-{name}-{}", std::process::id());
        let ip = |words: &[&str]| {
            Command::new("ip").args(words).status().is_ok_and(|status| status.success())
        };
        if !sys::user::is_root() || !ip(&["netns", "add", &name]) {
            return None;
        }
        let netns = Self(name);
        assert!(ip(&["-n", &netns.0, "link", "set", "lo", "up"]), "loopback goes up");
        Some(netns)
    }

    fn exec<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        [&["ip", "netns", "exec", &self.0], words].concat()
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

#[test]
fn a_named_namespace_is_listed_with_its_owners_and_found_from_outside() {
    let Some(netns) = Netns::new("list") else {
        return skipped("needs root and ip netns");
    };
    let port = free_port();
    let inside = started_by(&netns.exec(&[]), &format!("tcp 127.0.0.1:{port}\nsilent 127.0.0.1:0"));
    let (text, pid) = (port.to_string(), u64::from(inside.pid()));

    let output = mx(&["ports", &text, "--all-namespaces", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let sockets = &document(&output)["sockets"];
    assert_eq!(sockets[0]["namespace"], netns.0.as_str());
    assert_eq!(sockets[0]["owners"][0]["pid"], pid, "{sockets}");
    assert_eq!(sockets.as_array().map(Vec::len), Some(1));

    // In the table it has a column of its own.
    let row = mx(&["ports", &text, "--all-namespaces"]);
    let row = String::from_utf8_lossy(&row.stdout).into_owned();
    assert!(row.starts_with(&format!("{}\ttcp\t127.0.0.1\t{port}\t{pid}\t", netns.0)), "{row}");

    // TCP that is bound without listening, too.
    let silent = inside.port(1).to_string();
    let output = mx(&["ports", &silent, "--all-namespaces", "--json"]);
    assert_eq!(document(&output)["sockets"][0]["state"], "bound");

    // Without the option it is not there, but the reason is.
    let output = mx(&["ports", &text]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let expected = format!("is bound to it in the network namespace {}", netns.0);
    assert!(said(&output).contains(&expected), "{}", said(&output));
    assert!(said(&output).contains(&format!("(PID {pid})")), "{}", said(&output));
    TcpListener::bind(("127.0.0.1", port)).expect("free here, as was said");
}

#[test]
fn the_same_port_inside_and_outside_is_two_sockets() {
    let Some(netns) = Netns::new("both") else {
        return skipped("needs root and ip netns");
    };
    let outside = Fixture::new("tcp 127.0.0.1:0");
    let port = outside.port(0).to_string();
    let inside = started_by(&netns.exec(&[]), &format!("tcp 127.0.0.1:{port}"));

    let pids = |output: &Output| -> Vec<(Value, Value)> {
        let sockets = document(output)["sockets"].as_array().expect("a list").clone();
        let pair =
            |socket: &Value| (socket["namespace"].clone(), socket["owners"][0]["pid"].clone());
        sockets.iter().map(pair).collect()
    };
    let all = mx(&["ports", &port, "--all-namespaces", "--json"]);
    let expected =
        [(Value::Null, outside.pid().into()), (netns.0.as_str().into(), Value::from(inside.pid()))];
    assert_eq!(pids(&all), expected);
    let here = mx(&["ports", &port, "--json"]);
    assert_eq!(pids(&here), expected[..1]);
    let words = netns.exec(&[MX, "ports", &port, "--json"]);
    let there = Command::new(words[0]).args(&words[1..]).output().expect("ip runs");
    assert_eq!(pids(&there), [(Value::Null, inside.pid().into())]);
}

#[test]
fn a_namespace_without_a_name_goes_by_its_number_also_without_root() {
    let Some(netns) = Netns::new("plain") else {
        return skipped("needs root and ip netns");
    };
    // A namespace of a process alone: no name, and loopback is up by way of ip.
    let port = free_port().to_string();
    let script = "ip link set lo up && exec \"$@\"";
    let words = ["unshare", "--net", "sh", "-c", script, "sh"];
    let inside = started_by(&words, &format!("tcp 127.0.0.1:{port}"));
    drop(netns);
    let number = fs::read_link(format!("/proc/{}/ns/net", inside.pid())).expect("a namespace");
    let number = number.to_string_lossy().replace("net:[", "").replace(']', "");
    let output = mx(&["ports", &port, "--all-namespaces", "--json"]);
    assert_eq!(document(&output)["sockets"][0]["namespace"], number.as_str());

    let (_directory, copy) = public_copy();
    let mut nobody = Command::new(copy);
    nobody.args(["ports", &port, "--all-namespaces", "--json"]).uid(65534).gid(65534);
    let output = nobody.output().expect("mx runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let document = document(&output);
    assert_eq!(document["sockets"].as_array().map(Vec::len), Some(1), "{document}");
    let namespace = document["sockets"][0]["namespace"].as_str().expect("a name");
    assert!(namespace.starts_with("of process "), "{namespace}");
    assert_eq!(document["hidden"], 1);
}

/// A cgroup (v2) of its own.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(name: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        let root = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let place = fields.next()?;
            (fields.next() == Some("cgroup2")).then(|| place.to_owned())
        })?;
        let path = Path::new(&root).join(format!("mx-{name}-{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        Some(Self(path))
    }

    /// A fixture that has been in the cgroup from its start.
    fn fixture(&self, instructions: &str) -> Fixture {
        let procs = self.0.join("cgroup.procs");
        let script = "echo $$ >\"$0\" && exec \"$@\"";
        let procs = procs.to_str().expect("a path");
        started_by(&["sh", "-c", script, procs], instructions)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn another_users_owner_is_named_as_a_candidate_by_its_cgroup() {
    if !sys::user::is_root() {
        return skipped("needs root to become another user");
    }
    let Some(cgroup) = Cgroup::new("candidate") else {
        return skipped("needs a cgroup of its own");
    };
    let mut server = cgroup.fixture("tcp 127.0.0.1:0");
    let port = server.port(0).to_string();
    let (_directory, copy) = public_copy();
    let as_nobody = |arguments: &[&str]| {
        Command::new(&copy).args(arguments).uid(65534).gid(65534).output().expect("mx runs")
    };
    let output = as_nobody(&["ports", &port, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = document(&output);
    let owners = report["sockets"][0]["owners"].as_array().expect("a list");
    assert_eq!(owners.len(), 1, "{report}");
    assert_eq!(owners[0]["pid"], server.pid());
    assert_eq!(owners[0]["certain"], false);
    // A candidate is not an owner that was seen.
    assert_eq!((&report["hidden"], &report["complete"]), (&1.into(), &false.into()));
    let row = as_nobody(&["ports", &port]);
    let row = String::from_utf8_lossy(&row.stdout).into_owned();
    assert!(row.contains(&format!("\t{}?\t", server.pid())), "{row}");

    // To root, who sees it, it is certain.
    let output = mx(&["ports", &port, "--json"]);
    assert_eq!(document(&output)["sockets"][0]["owners"][0]["certain"], true);

    // What is said of a connection names no process on a guess.
    let client = cgroup.fixture(&format!("connect 127.0.0.1:{port}"));
    let text = said(&as_nobody(&["ports", &client.port(0).to_string()]));
    assert!(text.contains("of a process that cannot be seen"), "{text}");
    drop(client);

    // And nobody ends a process on a guess: not even one that could be signalled.
    let output = as_nobody(&["ports", "kill", "--yes", &port]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said(&output).contains("cannot be seen"), "{}", said(&output));
    assert!(server.is_running());

    // A name that only a candidate has is no answer, in either direction.
    let name = Query::default();
    let report = ports::list(&Query { selectors: vec![port.parse().expect("a selector")], ..name });
    let name = report.expect("a list").sockets[0].owners[0].name.clone();
    let output = as_nobody(&["ports", &name]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");

    // Two processes of the cgroup: both may be it.
    let other = cgroup.fixture("tcp 127.0.0.1:0");
    let output = as_nobody(&["ports", &port, "--json"]);
    let report = document(&output);
    let owners = report["sockets"][0]["owners"].as_array().expect("a list");
    let mut pids: Vec<u64> = owners.iter().filter_map(|owner| owner["pid"].as_u64()).collect();
    pids.sort_unstable();
    let mut expected = [u64::from(server.pid()), u64::from(other.pid())];
    expected.sort_unstable();
    assert_eq!(pids, expected);
    drop((server, other));
}

#[test]
fn completion_takes_names_from_the_cgroup_or_from_a_walk() {
    let Some(cgroup) = Cgroup::new("complete") else {
        return skipped("needs a cgroup of its own");
    };
    // One name in the cgroup is enough; two need a look at who holds what.
    let name = |name: &str| format!("name {}", hex(name.as_bytes()));
    let first = cgroup.fixture(&format!("tcp 127.0.0.1:0\n{}", name("alone")));
    let line = |fixture: &Fixture| {
        let output = mx(&["__complete", "ports", "--within", "1m"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let start = format!("ports\t{}:", fixture.port(0));
        text.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned))
    };
    assert_eq!(line(&first), Some(format!("alone ({})", first.pid())));
    let second = cgroup.fixture(&format!("tcp 127.0.0.1:0\n{}", name("company")));
    assert_eq!(line(&first), Some(format!("alone ({})", first.pid())));
    assert_eq!(line(&second), Some(format!("company ({})", second.pid())));
    drop((first, second));
}

#[test]
fn a_supervisor_is_the_service_of_its_children() {
    let supervisor = format!("name {}", hex(b"supervisord"));
    let fixture = Fixture::new(&format!("tcp 127.0.0.1:0\nchildren 1\n{supervisor}"));
    let output = mx(&["ports", &fixture.port(0).to_string(), "--json"]);
    let report = document(&output);
    let owners = report["sockets"][0]["owners"].as_array().expect("a list");
    let service = |pid: u32| {
        owners.iter().find(|owner| owner["pid"] == pid).map(|owner| owner["service"].clone())
    };
    assert_eq!(service(fixture.numbers[1]), Some("supervisord".into()));
    assert_eq!(service(fixture.pid()), Some(Value::Null));
    let rows = mx(&["ports", &fixture.port(0).to_string()]);
    let rows = String::from_utf8_lossy(&rows.stdout).into_owned();
    assert_eq!(rows.matches("\tsupervisord\t").count(), 1 + 1, "a name and an origin: {rows}");
}

#[test]
fn a_privileged_port_is_named_as_such() {
    if !sys::user::is_root() {
        return skipped("needs root to become another user");
    }
    let (_directory, copy) = public_copy();
    let mut nobody = Command::new(copy);
    nobody.args(["ports", "1"]).uid(65534).gid(65534);
    let output = nobody.output().expect("mx runs");
    let expected =
        "nothing is bound to 1, but this user may not bind it: ports below 1024 are privileged";
    assert!(said(&output).contains(expected), "{}", said(&output));
    // Root may.
    assert!(!said(&mx(&["ports", "1"])).contains("privileged"));
}

#[test]
fn a_listener_on_its_way_between_processes_is_held_by_nobody() {
    let namespaces = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let may = Command::new(namespaces[0]).args(&namespaces[1..]).arg("true").status();
    if !may.is_ok_and(|status| status.success()) {
        return skipped("needs the right to make namespaces");
    }
    // Here every process can be read, so that nobody else can be meant.
    let script = format!(
        "exec 3<&0; \"$@\" <&3 & fixture=$!; while ! {MX} -q ports $PORT; do :; done; {MX} ports $PORT; kill $fixture; wait"
    );
    let port = free_port().to_string();
    let instructions = format!("flight 127.0.0.1:{port}");
    let fixture = Fixture::command(&instructions, &[]);
    let mut command = Command::new(namespaces[0]);
    command.args(&namespaces[1..]).args(["sh", "-c", &script, "sh"]);
    command.arg(fixture.get_program()).args(fixture.get_args());
    let (input, held) = std::io::pipe().expect("a pipe");
    command.env("MX_FIXTURE", &instructions).env("PORT", &port).stdin(input);
    let output = command.output().expect("unshare runs");
    drop(held);
    let text = said(&output);
    assert!(
        text.contains(&format!("no process that is visible from here holds tcp {port}")),
        "{text}"
    );
}
