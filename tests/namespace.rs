//! Tests in Linux namespaces of their own.

use std::env;
use std::process::{Command, Output};

use crate::hostile::skipped;

/// Set where a test runs in its namespaces.
const INSIDE: &str = "MX_INSIDE";

/// Whether this is the run of the test in namespaces of its own: of processes,
/// where it is process 1, of mounts, and of networks. If it is not, starts that
/// run, and makes sure that it passes.
#[track_caller]
pub(crate) fn inside(test: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        run("ip", &["link", "set", "lo", "up"]);
        return true;
    }
    let Some(mut command) = unshare() else {
        skipped("needs the right to make namespaces");
        return false;
    };
    command.arg(env::current_exe().expect("a path")).args(["--exact", test, "--nocapture"]);
    let output = command.env(INSIDE, "1").output().expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{test}:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    false
}

/// A command that runs what follows in namespaces; `None` if that is not allowed.
fn unshare() -> Option<Command> {
    let flags = ["--pid", "--fork", "--kill-child", "--mount-proc", "--net"];
    // Without root, only a namespace of users gives the right to make others.
    [&flags[..], &[&flags[..], &["--map-root-user"]].concat()].into_iter().find_map(|flags| {
        let mut command = Command::new("unshare");
        command.args(flags);
        let tried = Command::new("unshare").args(flags).arg("true").output();
        tried.is_ok_and(|output| output.status.success()).then_some(command)
    })
}

/// Runs a command that succeeds.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    output
}

/// A named network namespace with an interface `lo`; its end is this value's.
pub(crate) struct Network(String);

impl Network {
    /// `None` if that is not allowed.
    pub(crate) fn new() -> Option<Self> {
        // In a namespace of processes of its own, each test has the same PID.
        let own = std::fs::read_link("/proc/self/ns/net").expect("a namespace");
        let own = own.to_string_lossy().replace(|char: char| !char.is_ascii_digit(), "");
        let name = format!("mx-test-{own}-{}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        if !made.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let network = Self(name);
        run("ip", &["-n", &network.0, "link", "set", "lo", "up"]);
        Some(network)
    }

    /// Its name, as `ip netns` lists it.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// The same command in this namespace.
    pub(crate) fn enter(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.0]).arg(command.get_program());
        inside.args(command.get_args());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).output();
    }
}
