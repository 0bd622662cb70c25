//! Hostile processes, missing rights and missing interfaces: right and silent, or an honest error.

use std::ffi::OsString;
use std::process::{Command, Output};

use serde_json::Value;

use crate::cli::MX;
use crate::fixture::{Fixture, hex};

fn mx(arguments: &[&str]) -> Output {
    Command::new(MX).args(arguments).output().expect("mx runs")
}

/// The document, and nothing on standard error.
fn json(arguments: &[&str]) -> Value {
    let output = mx(&[arguments, &["--json"]].concat());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn pids(document: &Value) -> Vec<u64> {
    let owners = document["sockets"][0]["owners"].as_array().expect("owners");
    owners.iter().map(|owner| owner["pid"].as_u64().expect("a PID")).collect()
}

/// No byte that a terminal would obey, apart from the ends of lines and tabs.
fn assert_harmless(bytes: &[u8]) {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let obeyed = text.chars().find(|&char| char.is_control() && !matches!(char, '\n' | '\t'));
    assert_eq!(obeyed, None, "{text:?}");
}

#[test]
fn long_and_hostile_command_lines_stay_one_row() {
    let hostile = b"two\nlines\tand a tab \x1b]0;title\x07\x1b[31m a\xff\xfe ";
    let instructions = format!("tcp 127.0.0.1:0\nheir {} {}", hex(hostile), 100 * 1024);
    let fixture = Fixture::new(&instructions);
    let port = fixture.port(0).to_string();

    let plain = mx(&["ports", &port]);
    assert_harmless(&plain.stdout);
    let text = String::from_utf8_lossy(&plain.stdout);
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains("two lines and a tab ]0;title[31m a\u{fffd}\u{fffd} xxx"));
    let table = mx(&["ports", &port, "--table"]);
    assert_harmless(&table.stdout);
    assert_eq!(String::from_utf8_lossy(&table.stdout).lines().count(), 3);

    let document = json(&["ports", &port]);
    let owners = document["sockets"][0]["owners"].as_array().expect("owners");
    let heir = owners.iter().find(|owner| owner["pid"] == fixture.numbers[1]).expect("the heir");
    let argument = String::from_utf8_lossy(hostile).into_owned() + &"x".repeat(100 * 1024);
    assert_eq!(heir["command"][4], argument);
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let long = OsString::from("x".repeat(100 * 1024));
    let sockets = "tcp 127.0.0.1:0\n".repeat(8);
    let fixture = Fixture::with(Fixture::command(sockets.trim_end(), &[&long]));
    let ports: Vec<String> = fixture.numbers.iter().map(ToString::to_string).collect();
    for format in ["--plain", "--table", "--json"] {
        let script = format!(
            "'{MX}' ports {} {format} | head -c 10; exit ${{PIPESTATUS[0]}}",
            ports.join(" ")
        );
        let output = Command::new("bash").args(["-c", &script]).output().expect("bash");
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(output.stdout.len(), 10, "{format}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
    }
}

#[test]
fn a_process_with_thousands_of_descriptors() {
    let instructions = "files 2500\ntcp 127.0.0.1:0\nfiles 2500";
    let command = Fixture::command(instructions, &[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 6000 && exec \"$@\"", "sh"]).arg(command.get_program());
    shell.args(command.get_args()).env("MX_FIXTURE", instructions);
    let fixture = Fixture::with(shell);
    assert_eq!(pids(&json(&["ports", &fixture.port(0).to_string()])), [u64::from(fixture.pid())]);
}

#[test]
fn right_and_silent_while_processes_come_and_go() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let fixture = Fixture::new("tcp 127.0.0.1:0\nchildren 1");
    let mut expected = [u64::from(fixture.pid()), u64::from(fixture.numbers[1])];
    expected.sort_unstable();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                Command::new("true").status().expect("a process");
            }
        });
        // The churn ends however the runs end.
        let runs = std::panic::catch_unwind(|| {
            for _ in 0..200 {
                assert_eq!(pids(&json(&["ports", &fixture.port(0).to_string()])), expected);
            }
        });
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = runs {
            std::panic::resume_unwind(panic);
        }
    });
}

/// The program in a place that every user can reach; the build directory may be closed to others.
#[cfg(target_os = "linux")]
pub(crate) fn public_copy() -> (tempfile::TempDir, std::path::PathBuf) {
    public_copy_of(MX)
}

/// The same with another program.
#[cfg(target_os = "linux")]
pub(crate) fn public_copy_of(program: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).expect("a mode");
    let name = std::path::Path::new(program).file_name().expect("a name");
    let copy = directory.path().join(name);
    // By another process: while this one has the file open for writing, a child
    // that some other test starts has it too, and no file that is written can run.
    let copied = Command::new("cp").arg(program).arg(&copy).status().expect("cp runs");
    assert!(copied.success());
    (directory, copy)
}

#[expect(clippy::print_stderr, reason = "a test that does not run says so")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

#[cfg(target_os = "linux")]
pub(crate) mod linux {
    use super::*;
    use std::fs;
    use std::os::unix::process::CommandExt;

    #[test]
    fn hostile_process_names() {
        for name in
            [&b"a) S 1 (b"[..], b"two\nlines", b"\x1b[31mred", b"\xff\xfe", b"tab\there", b" "]
        {
            let fixture = Fixture::new(&format!("tcp 127.0.0.1:0\nname {}", hex(name)));
            let port = fixture.port(0).to_string();
            let document = json(&["ports", &port]);
            assert_eq!(pids(&document), [u64::from(fixture.pid())]);
            let expected = String::from_utf8_lossy(name).into_owned();
            assert_eq!(document["sockets"][0]["owners"][0]["name"], expected);
            for format in ["--plain", "--table"] {
                let output = mx(&["ports", &port, format]);
                assert_harmless(&output.stdout);
                let lines = String::from_utf8_lossy(&output.stdout).lines().count();
                assert_eq!(lines, if format == "--table" { 2 } else { 1 }, "{expected:?}");
            }
        }
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_is_still_the_owner() {
        if !may_unshare() {
            return skipped("needs the right to make namespaces");
        }
        // In a namespace of its own, where every process can be read, the server
        // is process 1. Its second thread looks once the first has become a zombie.
        let script = "import ctypes, os, socket, subprocess, sys, threading\n\
                      server = socket.create_server(('127.0.0.1', 0))\n\
                      port = str(server.getsockname()[1])\n\
                      def look():\n    \
                          while ') Z ' not in open('/proc/1/stat').read(): pass\n    \
                          mx = subprocess.run([sys.argv[1], 'ports', port, '--json'], capture_output=True)\n    \
                          os.write(1, mx.stdout)\n    \
                          os._exit(0)\n\
                      threading.Thread(target=look).start()\n\
                      ctypes.CDLL(None).pthread_exit(None)";
        let output = Command::new("unshare")
            .args(["--pid", "--fork", "--mount-proc", "python3", "-c", script, MX])
            .output()
            .expect("unshare runs");
        let document: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("JSON: {output:?}"));
        assert_eq!(pids(&document), [1]);
        assert_eq!(document["complete"], true);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let fixture = Fixture::new("tcp 127.0.0.1:0");
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let output = Command::new(MX)
            .args(["ports", &fixture.port(0).to_string()])
            .stdout(full)
            .output()
            .expect("mx runs");
        assert_eq!(output.status.code(), Some(3));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.starts_with("mx: cannot write the answer: No space left"), "{error}");
    }

    #[test]
    fn without_netlink_the_sockets_come_from_proc_net() {
        let fixture = Fixture::new("tcp 127.0.0.1:0\nudp [::1]:0\ntcp [::]:0");
        for (index, expected) in ["127.0.0.1", "::1", "::"].into_iter().enumerate() {
            let mut command = Command::new(MX);
            command.args(["ports", &fixture.port(index).to_string(), "--json"]);
            let output = without_netlink(command).output().expect("mx runs");
            assert!(output.status.success(), "{output:?}");
            let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(pids(&document), [u64::from(fixture.pid())]);
            assert_eq!(document["sockets"][0]["address"], expected);
            let note = document["notes"][0].as_str().expect("a note");
            assert!(note.starts_with("netlink is not available"), "{note}");
        }
    }

    /// What is bound without listening is not in `/proc/net`: the port itself tells.
    #[test]
    fn without_netlink_nothing_is_called_free_that_cannot_be_bound() {
        let silent = Fixture::new("silent 127.0.0.1:0").port(0);
        let held = Fixture::new("silent 127.0.0.1:0");
        let port = held.port(0);
        let run = |arguments: &[&str]| {
            let mut command = Command::new(MX);
            command.arg("ports").args(arguments);
            let output = without_netlink(command).output().expect("mx runs");
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        for words in [&[&*port.to_string()][..], &["kill", "--yes", &port.to_string()]] {
            let (code, said) = run(words);
            assert_eq!(code, Some(3), "{words:?}: {said}");
            assert!(said.contains("not every socket can be listed here"), "{words:?}: {said}");
        }
        // Its fixture has ended: this one can be bound, so it is free for sure.
        let (code, said) = run(&[&silent.to_string()]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("nothing is bound to {silent}")), "{said}");
        // So many ports are not tried one by one.
        let (code, said) = run(&["1-1000/udp", "--user", "4000000000"]);
        assert_eq!(code, Some(3), "{said}");
    }

    #[test]
    fn without_proc_the_sockets_are_listed_and_the_owners_unknown() {
        if !may_unshare() {
            return skipped("needs the right to make namespaces");
        }
        let fixture = Fixture::new("tcp 127.0.0.1:0");
        let port = fixture.port(0).to_string();
        let output = without_proc(&port).output().expect("unshare runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let row = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(row.starts_with(&format!("tcp\t127.0.0.1\t{port}\t?\t?\troot")), "{row}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("owners are unknown: cannot read /proc"), "{said}");

        let neither = without_netlink(without_proc(&port)).output().expect("unshare runs");
        assert_eq!(neither.status.code(), Some(3), "{neither:?}");
        let said = String::from_utf8_lossy(&neither.stderr).into_owned();
        assert!(said.starts_with("mx: cannot list sockets: netlink: "), "{said}");
        assert!(said.contains("/proc/net/tcp"), "{said}");
    }

    /// Puts the program where sudo looks, in a namespace of mounts, and calls it as nobody.
    const WHERE_SUDO_LOOKS: &str = r#"set -e
        mount -t tmpfs tmpfs /usr/local/bin
        cp "$MX" "/usr/local/bin/$NAME"
        if [ "$NAME" != mx ]; then ln -s "$NAME" /usr/local/bin/mx; fi
        exec setpriv --reuid=65534 --regid=65534 --clear-groups /usr/local/bin/mx ports "$PORT""#;

    #[test]
    fn a_program_that_sudo_finds_needs_no_path_in_hints() {
        if !sys::user::is_root() {
            return skipped("needs root to become another user");
        }
        let fixture = Fixture::new("tcp 127.0.0.1:0");
        // As a file and as a link.
        for name in ["mx", "mx-1.0"] {
            let output = Command::new("unshare")
                .args(["--mount", "bash", "-c", WHERE_SUDO_LOOKS])
                .env("MX", MX)
                .env("NAME", name)
                .env("PORT", fixture.port(0).to_string())
                .output()
                .expect("unshare runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(said, "hint: the owner of 1 socket cannot be seen: sudo may show it\n");
        }
    }

    #[test]
    fn an_owner_that_may_not_be_seen_is_counted_and_hinted_at_once() {
        if !sys::user::is_root() {
            return skipped("needs root to become another user");
        }
        let fixture = Fixture::new("tcp 127.0.0.1:0\ntcp 127.0.0.1:0");
        let ports = [fixture.port(0).to_string(), fixture.port(1).to_string()];
        let (_directory, copy) = public_copy();
        let as_nobody = |arguments: &[&str]| {
            Command::new(&copy).args(arguments).uid(65534).gid(65534).output().expect("mx runs")
        };

        let output = as_nobody(&["ports", &ports[0], &ports[1]]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let rows = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(rows.matches("\t?\t?\troot\t").count(), 2, "{rows}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // sudo would not find the copy, so its path is there, with the words of the call.
        let call = format!("sudo {} ports {}", copy.display(), ports.join(" "));
        let hint = format!("hint: the owner of 2 sockets cannot be seen: {call} may show it\n");
        assert_eq!(said, hint);

        let output = as_nobody(&["ports", "kill", &ports[0]]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let call = format!("sudo {} ports kill {}", copy.display(), ports[0]);
        let hint = format!("\nhint: nothing was signalled; {call} may see more\n");
        assert!(said.ends_with(&hint), "{said}");

        // Without a PID to print, that is no answer.
        let output = as_nobody(&["ports", "-t", &ports[0]]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{output:?}");

        let output = as_nobody(&["ports", &ports[0], "--json"]);
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((&document["hidden"], &document["complete"]), (&1.into(), &false.into()));
        assert_eq!(document["sockets"][0]["owners"], Value::Array(Vec::new()));

        // Whether a name matches cannot be told, so it is not denied.
        let output = as_nobody(&["ports", "no-such-name"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }

    fn may_unshare() -> bool {
        let tried = Command::new("unshare").args(["--pid", "--fork", "--mount", "true"]).output();
        tried.is_ok_and(|output| output.status.success())
    }

    fn without_proc(port: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs none /proc && exec \"$0\" ports \"$1\"",
        ]);
        command.args([MX, port]);
        command
    }

    /// Lets every socket call for netlink fail with EPERM, as container sandboxes do.
    #[expect(unsafe_code, reason = "seccomp filters are installed between fork and exec")]
    pub(crate) fn without_netlink(mut command: Command) -> Command {
        use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};

        // `struct seccomp_data`: the number of the call, then its arguments from byte 16.
        let load = |offset| statement(BPF_LD | BPF_W | BPF_ABS, offset);
        let call = u32::try_from(libc::SYS_socket).expect("a call number");
        let netlink = u32::try_from(libc::AF_NETLINK).expect("a family");
        let refuse = libc::SECCOMP_RET_ERRNO | u32::try_from(libc::EPERM).expect("an errno");
        let mut filter = [
            load(0),
            jump_unless(BPF_JMP | BPF_JEQ | BPF_K, call, 3),
            load(16),
            jump_unless(BPF_JMP | BPF_JEQ | BPF_K, netlink, 1),
            statement(BPF_RET | BPF_K, refuse),
            statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW),
        ];
        let install = move || {
            let program = libc::sock_fprog { len: 6, filter: filter.as_mut_ptr() };
            // SAFETY: prctl reads the filter, which outlives the calls, and keeps no pointer.
            let failed = unsafe {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                    || libc::prctl(
                        libc::PR_SET_SECCOMP,
                        libc::SECCOMP_MODE_FILTER,
                        &raw const program,
                    ) != 0
            };
            if failed { Err(std::io::Error::last_os_error()) } else { Ok(()) }
        };
        // SAFETY: prctl is async-signal-safe, and nothing is allocated.
        unsafe { command.pre_exec(install) };
        command
    }

    fn statement(code: u32, k: u32) -> libc::sock_filter {
        libc::sock_filter { code: u16::try_from(code).expect("an opcode"), jt: 0, jf: 0, k }
    }

    fn jump_unless(code: u32, k: u32, skip: u8) -> libc::sock_filter {
        libc::sock_filter { jf: skip, ..statement(code, k) }
    }
}
