//! Whom a program signals, and processes that no signal may reach.
//!
//! Two proofs, neither of which depends on timing: the calls of the program
//! itself, by strace on Linux, name every target; and a bystander that ends by
//! itself with success has not been sent a signal that ends it, by anybody.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::fixture::Fixture;

/// Every call that can signal a process, and the one that the targets of pidfds are known by.
const CALLS: &str =
    "trace=kill,tkill,tgkill,rt_sigqueueinfo,rt_tgsigqueueinfo,pidfd_open,pidfd_send_signal";

/// A record of the signals that a program sends.
pub(crate) struct Trace {
    directory: tempfile::TempDir,
}

impl Trace {
    /// A record that a program of any user can write.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let trace = Self { directory };
        fs::set_permissions(trace.directory.path(), Permissions::from_mode(0o755)).expect("a mode");
        fs::write(trace.file(), "").expect("a file");
        fs::set_permissions(trace.file(), Permissions::from_mode(0o666)).expect("a mode");
        trace
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("calls")
    }

    /// The words that run a program so that its signals are recorded.
    pub(crate) fn words(&self, program: &str) -> Vec<String> {
        let file = self.file().to_string_lossy().into_owned();
        let strace = ["strace", "-f", "-o", &file, "-e", CALLS, "-e", "signal=none"];
        let strace: &[&str] = if strace_works() { &strace } else { &[] };
        strace.iter().copied().chain([program]).map(str::to_owned).collect()
    }

    /// Makes sure that the program signalled these processes, and nobody else.
    #[track_caller]
    pub(crate) fn assert_signalled(&self, expected: &[u32]) {
        if let Some(signalled) = self.signalled() {
            let mut expected: Vec<i64> = expected.iter().copied().map(i64::from).collect();
            expected.sort_unstable();
            assert_eq!(signalled, expected, "signalled, and to be signalled");
        }
    }

    /// The targets, each once, sorted; a group of processes is negative. `None` without strace.
    pub(crate) fn signalled(&self) -> Option<Vec<i64>> {
        let calls = fs::read_to_string(self.file()).expect("a record");
        strace_works().then(|| {
            assert!(calls.contains("+++ exited"), "the program was not traced to its end: {calls}");
            targets(&calls)
        })
    }
}

/// Whether this is Linux, and processes may be traced.
fn strace_works() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();

    *WORKS.get_or_init(|| {
        let works = cfg!(target_os = "linux")
            && Command::new("strace")
                .args(["-f", "-o", "/dev/null", "-e", CALLS, "true"])
                .status()
                .is_ok_and(|status| status.success());
        if !works {
            crate::hostile::skipped("without strace only bystanders tell who was signalled");
        }
        works
    })
}

/// The targets of the signals in the output of `strace -f`.
fn targets(calls: &str) -> Vec<i64> {
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut pidfds: HashMap<i64, i64> = HashMap::new();
    let mut targets = Vec::new();
    for line in calls.lines() {
        let (thread, call) = line.split_once(' ').expect("a thread and its call");
        if let Some(beginning) = call.strip_suffix("<unfinished ...>") {
            begun.insert(thread, beginning);
            continue;
        }
        let call = match call.split_once(" resumed>") {
            Some((_, end)) => begun.remove(thread).expect("a beginning").to_owned() + end,
            None => call.to_owned(),
        };
        let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
        let number = |text: &str| text.parse::<i64>().unwrap_or_else(|_| panic!("{line}"));
        let (first, rest) = rest.split_once(", ").expect("arguments");
        let first = number(first);
        let result = rest.rsplit_once("= ").and_then(|(_, result)| result.trim().parse().ok());
        match name {
            "pidfd_open" => drop(result.map(|pidfd: i64| pidfds.insert(pidfd, first))),
            "pidfd_send_signal" => targets.push(pidfds[&first]),
            // Signal 0 only asks whether another one would be allowed.
            "kill" if rest.starts_with("0)") => {}
            _ => targets.push(first),
        }
    }
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// Processes near a port that no signal may reach.
#[derive(Default)]
pub(crate) struct Bystanders(Vec<Fixture>);

impl Bystanders {
    /// A client of the TCP server on this port, and a server of the same name
    /// on other ports, with a child that shares it.
    pub(crate) fn around(port: u16) -> Self {
        let client = Fixture::new(&format!("connect 127.0.0.1:{port}"));
        let other = Fixture::new("tcp 127.0.0.1:0\nudp 127.0.0.1:0\nchildren 1");
        Self(vec![client, other])
    }

    pub(crate) fn and(mut self, other: Fixture) -> Self {
        self.0.push(other);
        self
    }

    /// Lets them end, and makes sure that no signal has reached them.
    #[track_caller]
    pub(crate) fn assert_unharmed(self) {
        for mut bystander in self.0 {
            let pid = bystander.pid();
            let status = bystander.end();
            assert!(status.success(), "process {pid}, which nobody chose: {status}");
        }
    }
}

#[test]
fn every_target_of_a_signal_is_read() {
    let calls = "7  pidfd_open(20, 0)                  = 3\n\
                 7  kill(20, 0)                        = 0\n\
                 7  pidfd_send_signal(3, SIGTERM, NULL, 0 <unfinished ...>\n\
                 8  kill(-30, SIGKILL)                 = -1 EPERM (Operation not permitted)\n\
                 7  <... pidfd_send_signal resumed>)   = 0\n\
                 7  pidfd_open(21, 0 <unfinished ...>\n\
                 8  tgkill(40, 41, SIGABRT)            = 0\n\
                 7  <... pidfd_open resumed>)          = 3\n\
                 7  pidfd_open(22, 0)                  = -1 ESRCH (No such process)\n\
                 7  pidfd_send_signal(3, SIGKILL, NULL, 0) = 0\n\
                 7  +++ exited with 0 +++\n";
    assert_eq!(targets(calls), [-30, 20, 21, 40]);
}

/// Where processes can be traced, the record holds what a program does.
#[test]
fn a_signal_is_recorded() {
    let mut victim = Fixture::new("");
    let trace = Trace::new();
    let words = trace.words("sh");
    let script = format!("kill -TERM {}", victim.pid());
    let status = Command::new(&words[0]).args(&words[1..]).args(["-c", &script]).status();
    assert!(status.expect("sh runs").success());
    trace.assert_signalled(&[victim.pid()]);
    assert!(!victim.end().success(), "the proof by bystanders");
}
