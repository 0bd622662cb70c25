//! `mx limits` against real processes: their limits, what they use, and that
//! nothing else of them changes.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::cli::{MX, path};
use crate::fixture::Fixture;

fn mx(arguments: &[&str]) -> Output {
    Command::new(MX).args(arguments).output().expect("mx runs")
}

fn json(arguments: &[&str]) -> Value {
    let output = mx(arguments);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A fixture under these limits, which holds as many files more.
fn limited(limits: &[&str], files: usize) -> Fixture {
    let fixture = Fixture::command(&format!("files {files}"), &[]);
    let mut command = Command::new(MX);
    command.args(["limits", "run"]).args(limits).arg("--").arg(fixture.get_program());
    command.args(fixture.get_args());
    for (name, value) in fixture.get_envs() {
        command.env(name, value.unwrap_or(OsStr::new("")));
    }
    Fixture::with(command)
}

#[test]
fn a_shell_that_is_near_its_limit_is_told() {
    // bash holds 86 files, or a few more that other tests left open at the wrong
    // moment; mx is started without some of them, so that it starts at all.
    let script = "exec 3</dev/null; for i in {4..85}; do eval \"exec $i<&3\"; done; \
                  mx limits nofile 5<&- 6<&- 7<&- 8<&- 9<&-; :";
    for (limit, state) in [("86", "reached"), ("100", "near"), ("200", "")] {
        let output = Command::new(MX)
            .args(["limits", "run", &format!("nofile={limit}"), "--", "bash", "-c", script])
            .env("PATH", path())
            .output()
            .expect("mx runs");
        let text = stdout(&output);
        let cells: Vec<&str> = text.trim_end_matches('\n').split('\t').collect();
        assert_eq!((cells[0], cells.get(5)), ("nofile", Some(&state)), "{output:?}");
        assert!(cells[4].parse::<u32>().is_ok_and(|used| used >= 86), "{output:?}");
    }
}

#[test]
fn the_limits_that_this_program_has_agree_with_the_system() {
    let document = json(&["limits", "--all", "--json"]);
    let limits = document["limits"].as_array().expect("limits");
    let soft = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let nofile = limits.iter().find(|limit| limit["name"] == "nofile").expect("nofile");
    assert_eq!(nofile["soft"].as_u64(), soft.current);
    assert_eq!(nofile["hard"].as_u64(), soft.maximum);
    let (used, pid) = (nofile["used"].as_u64(), document["pid"].as_u64());
    assert!(used.is_some_and(|used| used >= 3), "{nofile}");
    assert_eq!(pid, Some(u64::from(std::process::id())));
}

#[test]
fn a_command_finds_signals_as_they_were() {
    // Ignored, by default, and blocked.
    let ignored =
        "trap '' PIPE; exec \"$0\" limits run nofile=100 -- sh -c 'kill -PIPE $$; echo alive'";
    let output = Command::new("bash").args(["-c", ignored, MX]).output().expect("bash runs");
    assert_eq!(stdout(&output), "alive\n", "{output:?}");

    // The standard library sets the default before it runs a program.
    let script = "kill -PIPE $$; echo alive";
    let output = mx(&["limits", "run", "nofile=100", "--", "sh", "-c", script]);
    assert_eq!((stdout(&output).as_str(), output.status.signal()), ("", Some(13)), "{output:?}");

    let blocked = "import os, signal, sys\n\
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n\
        os.execvp(sys.argv[1], [sys.argv[1], 'limits', 'run', 'nofile=100', '--', 'python3', '-c',\n\
        'import signal; print(signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, []))'])";
    let output = Command::new("python3").args(["-c", blocked, MX]).output().expect("python3 runs");
    assert_eq!(stdout(&output), "True\n", "{output:?}");
}

#[test]
fn a_command_takes_the_place_of_mx() {
    // The process id stays, so a signal to it reaches the command.
    let mut child = Command::new(MX)
        .args(["limits", "run", "nofile=100", "--", "sh", "-c", "echo $$; read line; exit 5"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("mx runs");
    let pid = child.id();
    child.stdin.take().expect("a pipe").write_all(b"go\n").expect("the command reads");
    let output = child.wait_with_output().expect("a child");
    assert_eq!(stdout(&output), format!("{pid}\n"));
    assert_eq!(output.status.code(), Some(5));

    let killed = mx(&["limits", "run", "nofile=100", "--", "sh", "-c", "kill -KILL $$"]);
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
}

#[test]
fn a_script_with_a_missing_interpreter_and_one_that_may_not_be_run() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().expect("a directory");
    let script = directory.path().join("script");
    fs::write(&script, "#!/nonexistent/interpreter\n").expect("a file");
    let run = || mx(&["limits", "run", "nofile=100", "--", script.to_str().expect("UTF-8")]);
    assert_eq!(run().status.code(), Some(126), "not executable");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a mode");
    let output = run();
    assert_eq!(output.status.code(), Some(127), "{output:?}");
    assert!(stderr(&output).starts_with("mx: cannot run '"), "{output:?}");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::process::CommandExt;

    use super::*;
    use crate::hostile::{public_copy, skipped};

    /// Nobody else has this user id.
    const UID: u32 = 1_987_654_321;

    fn limits_of(fixture: &Fixture) -> String {
        fs::read_to_string(format!("/proc/{}/limits", fixture.pid())).expect("a process")
    }

    fn line(fixture: &Fixture, title: &str) -> Vec<String> {
        let text = limits_of(fixture);
        let line = text.lines().find_map(|line| line.strip_prefix(title)).expect("a limit");
        line.split_whitespace().take(2).map(str::to_owned).collect()
    }

    #[test]
    fn another_process_is_shown_with_what_it_uses() {
        let fixture = limited(&["nofile=200:300", "core=0:0"], 150);
        let pid = fixture.pid().to_string();
        let document = json(&["limits", "--all", "--json", "--pid", &pid]);
        let limits = document["limits"].as_array().expect("limits");
        assert_eq!(limits.len(), 16);
        let nofile = &limits[0];
        assert_eq!((nofile["soft"].as_u64(), nofile["hard"].as_u64()), (Some(200), Some(300)));
        let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("own process").count();
        assert_eq!(nofile["used"].as_u64(), u64::try_from(open).ok());
        assert!(open >= 150);
        for name in ["as", "stack", "data", "rss", "memlock", "nproc", "sigpending", "cpu"] {
            let limit = limits.iter().find(|limit| limit["name"] == name).expect("a limit");
            assert!(limit["used"].is_u64(), "{limit}");
        }
        // 80 % of 200 is 160.
        let output = mx(&["limits", "nofile", "--pid", &pid]);
        assert_eq!(stdout(&output).contains("\tnear\t"), open >= 160, "{output:?}");
    }

    #[test]
    fn another_process_is_changed_and_read_back() {
        let fixture = limited(&["nofile=200:300"], 1);
        let pid = fixture.pid().to_string();
        let output = mx(&["limits", "set", "--pid", &pid, "nofile=250", "core=0:0", "-s", "1M"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = stdout(&output);
        assert!(text.starts_with("nofile\t200:300\t250:300\ncore\t"), "{text}");
        assert_eq!(line(&fixture, "Max open files"), ["250", "300"]);
        assert_eq!(line(&fixture, "Max core file size"), ["0", "0"]);
        assert_eq!(line(&fixture, "Max stack size")[0], (1 << 20).to_string());

        let document = json(&["limits", "set", "--pid", &pid, "--json", "nofile=max"]);
        assert_eq!(document["schema"], "mx.limits-set/1");
        assert_eq!(document["changes"][0]["old"]["soft"], 250);
        assert_eq!(document["changes"][0]["new"]["soft"], 300);
        assert_eq!(line(&fixture, "Max open files"), ["300", "300"]);
    }

    #[test]
    fn what_is_wrong_changes_nothing() {
        let fixture = limited(&["nofile=200:300"], 1);
        let pid = fixture.pid().to_string();
        let before = limits_of(&fixture);
        for (words, code) in [
            (&["nofile=250", "core=2:1"][..], 2),
            (&["nofile=250", "nope=1"], 2),
            (&["nofile=250", "stack=-1"], 2),
            (&["nofile=250", "stack=99999999999999999999"], 2),
            // The second is refused by the system: the first is put back.
            (&["nofile=250", "nofile=99999999"], 3),
            (&["core=0", "nofile=99999999"], 3),
        ] {
            let output = mx(&[&["limits", "set", "--pid", &pid], words].concat());
            assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
            assert_eq!(stdout(&output), "");
            assert_eq!(limits_of(&fixture), before, "{words:?}");
        }
    }

    /// mx without the privilege to lift a hard limit.
    fn unprivileged(arguments: &[&str]) -> Output {
        let mut words = vec![MX];
        if sys::user::is_root() {
            let drop = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"];
            words.splice(0..0, drop);
        }
        Command::new(words[0]).args(&words[1..]).args(arguments).output().expect("mx runs")
    }

    #[test]
    fn without_the_privilege_all_are_changed_or_none() {
        let limits = ["nofile=200:300", "core=0:1M", "fsize=1M:2M", "stack=1M:8M"];
        let fixture = limited(&limits, 1);
        let pid = fixture.pid().to_string();
        let before = limits_of(&fixture);
        for (words, name) in [
            // Each lowers a hard limit, which could not be put back.
            (&["nofile=100:200", "core=:2M"][..], "core is 1048576"),
            (&["core=:2M", "nofile=100:200"], "core is 1048576"),
            (&["stack=1M:2M", "nofile=250", "core=0:0", "fsize=4M"], "fsize is 2097152"),
            (&["core=0:0", "nofile=400", "fsize=4M"], "nofile is 300"),
        ] {
            let output = unprivileged(&[&["limits", "set", "--pid", &pid], words].concat());
            assert_eq!(output.status.code(), Some(3), "{words:?}: {output:?}");
            let message = format!(
                "mx: cannot change the limits of process {pid}: the hard limit of {name}\nhint: "
            );
            assert!(stderr(&output).starts_with(&message), "{words:?}: {output:?}");
            assert_eq!(limits_of(&fixture), before, "{words:?}");
        }
        let words = ["nofile=100:200", "core=1M", "stack=2M:2M"];
        let output = unprivileged(&[&["limits", "set", "--pid", &pid], &words[..]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(line(&fixture, "Max open files"), ["100", "200"]);
        assert_eq!(line(&fixture, "Max core file size"), ["1048576", "1048576"]);
    }

    /// A process of python3 that does this, and is done when it prints a line.
    fn python(script: &str) -> std::process::Child {
        let script = format!("{script}\nprint(flush=True)\nimport sys\nsys.stdin.read()");
        let mut child = Command::new("python3")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut line = [0];
        let mut stdout = child.stdout.take().expect("a pipe");
        std::io::Read::read_exact(&mut stdout, &mut line).expect("a line");
        child
    }

    #[test]
    fn who_holds_watches() {
        let directory = tempfile::tempdir().expect("a directory");
        let script = format!(
            "import ctypes, os\nlibc = ctypes.CDLL(None)\nfds = [libc.inotify_init() for _ in '12']\n\
             for n in range(40):\n    os.mkdir('{0}/%d' % n)\n    \
             assert libc.inotify_add_watch(fds[n % 2], b'{0}/%d' % n, 2) > 0",
            directory.path().display()
        );
        let mut child = python(&script);
        let pid = child.id().to_string();
        let document = json(&["limits", "max_user_watches", "--who", "--pid", &pid, "--json"]);
        let holders = document["holders"].as_array().expect("a list");
        let own = holders.iter().find(|one| one["pid"] == child.id()).expect("the process");
        assert_eq!((&own["watches"], &own["instances"]), (&40.into(), &2.into()), "{own}");
        let limit = &document["kernel"][0];
        assert!(limit["used"].as_u64().is_some_and(|used| used >= 40), "{limit}");
        let watches: Vec<_> = holders.iter().map(|one| one["watches"].as_u64()).collect();
        assert!(watches.is_sorted_by(|one, other| one >= other), "{watches:?}");
        let output = mx(&["limits", "max_user_watches", "--who"]);
        let row = format!("\npid:{pid}\t\t\t\t40\t\tinotify\tpython3: 2 instances, of ");
        assert!(stdout(&output).contains(&row), "{output:?}");
        // On request only.
        assert!(json(&["limits", "--all", "--json"])["holders"].is_null());
        if sys::user::is_root() {
            let (_directory, copy) = public_copy();
            let words = ["limits", "max_user_watches", "--who"];
            let output = Command::new(&copy).args(words).uid(65534).gid(65534).output();
            let output = output.expect("mx runs");
            // sudo would not find the copy.
            let call = format!("sudo {} {}", copy.display(), words.join(" "));
            let text = format!(" of other users may hold watches, too: {call} shows them\n");
            assert!(stderr(&output).contains(&text), "{output:?}");
            assert!(!stdout(&output).contains(&row), "{output:?}");
        }
        drop(child.stdin.take());
        child.wait().expect("a child");
    }

    #[test]
    fn what_all_programs_share_is_counted() {
        let used = |name: &str| {
            let document = json(&["limits", name, "--json"]);
            document["kernel"][0]["used"].as_u64().unwrap_or_else(|| panic!("{document}"))
        };
        let mut child = python(
            "import ctypes\nlibc = ctypes.CDLL(None)\nsem = libc.semget(0, 11, 0o600)\n\
             shm = libc.shmget(0, 4097, 0o600)\nassert sem >= 0 and shm >= 0\n\
             import atexit\natexit.register(lambda: (libc.semctl(sem, 0, 0), libc.shmctl(shm, 0, None)))",
        );
        for (name, least) in [("SEMMNI", 1), ("SEMMNS", 11), ("kernel.shmmni", 1), ("shmall", 2)] {
            assert!(used(name) >= least, "{name}");
        }
        drop(child.stdin.take());
        child.wait().expect("a child");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("an address");
        let open: Vec<_> =
            (0..50).map(|_| std::net::TcpStream::connect(address).expect("a connection")).collect();
        assert!(used("ip_local_port_range") >= 50);
        drop(open);
        let output = mx(&["limits", "ip_local_port_range"]);
        assert!(stderr(&output).starts_with("mx: client ports are "), "{output:?}");
        let all = stdout(&mx(&["limits", "--all"]));
        for name in ["net.ipv4.ip_local_port_range", "net.ipv4.tcp_mem", "SEMMNS", "kernel.shmmax"]
        {
            assert!(
                all.lines().any(|line| line.starts_with(&format!("{name}\t"))),
                "{name}: {all}"
            );
        }
    }

    #[test]
    fn a_process_by_its_name() {
        let name = format!("mx-{}", std::process::id());
        let rename = format!("name {}", crate::fixture::hex(name.as_bytes()));
        let start = || Fixture::new(&rename);
        let first = start();
        assert_eq!(json(&["limits", "--json", "--pid", &name])["pid"], first.pid());
        let output = mx(&["limits", "set", "--pid", &name, "nofile=77", "--json"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(line(&first, "Max open files")[0], "77");
        let second = start();
        let mut pids = [first.pid(), second.pid()];
        pids.sort_unstable();
        for words in [&["limits"][..], &["limits", "set", "nofile=78"]] {
            let output = mx(&[words, &["--pid", &name]].concat());
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            let text = stderr(&output);
            let start = format!("mx: cannot tell which process '{name}' is meant: {} (", pids[0]);
            assert!(text.starts_with(&start) && text.contains(&pids[1].to_string()), "{text}");
        }
        assert_eq!(line(&first, "Max open files")[0], "77");
        let output = mx(&["limits", "set", "--pid", "no-such-process-here", "nofile=1"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = "mx: cannot find process 'no-such-process-here': ";
        assert!(stderr(&output).starts_with(text), "{output:?}");
    }

    #[test]
    fn a_process_of_another_user() {
        if !sys::user::is_root() {
            return skipped("only root can run mx as another user");
        }
        let (_directory, copy) = public_copy();
        let fixture = limited(&["nofile=200:300"], 20);
        let pid = fixture.pid().to_string();
        let as_nobody = |arguments: &[&str]| {
            Command::new(&copy).args(arguments).uid(65534).gid(65534).output().expect("mx runs")
        };
        // Everybody may read the limits; not everything of the use.
        let output = as_nobody(&["limits", "--pid", &pid, "nofile", "vm.max_map_count"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(stdout(&output).starts_with("nofile\t200\t300\t"), "{output:?}");
        let note = format!("mx: what process {pid} uses cannot be seen in full\n");
        assert_eq!(stderr(&output), note);

        let before = limits_of(&fixture);
        let output = as_nobody(&["limits", "set", "--pid", &pid, "nofile=100"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let message = format!("mx: cannot set nofile of process {pid}: permission denied\n");
        assert_eq!(stderr(&output), message);
        assert_eq!(limits_of(&fixture), before);
    }

    #[test]
    fn without_the_privilege_a_hard_limit_is_not_lifted_and_nothing_runs() {
        let (_directory, copy) = public_copy();
        let copy = copy.to_str().expect("UTF-8");
        let script = format!("exec '{copy}' limits run nofile=200 core=0 -- echo run");
        let mut command = Command::new(copy);
        command.args(["limits", "run", "nofile=100:100", "--", "sh", "-c", &script]);
        if sys::user::is_root() {
            command.uid(65534);
        }
        let output = command.output().expect("mx runs");
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert_eq!(stdout(&output), "");
        let message = "mx: cannot run the command: the hard limit of nofile is 100\nhint: ";
        assert!(stderr(&output).starts_with(message), "{output:?}");
    }

    #[test]
    fn processes_of_a_user_are_counted() {
        if !sys::user::is_root() {
            return skipped("only root can start processes of a user who has no other");
        }
        let (_directory, copy) = public_copy();
        let script = "sleep 1000 & sleep 1000 & \"$0\" limits nproc --json; kill %1 %2; wait";
        let output = Command::new("bash")
            .args(["-c", script])
            .arg(&copy)
            .uid(UID)
            .output()
            .expect("bash runs");
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        // The shell, the two sleeps, and mx itself.
        assert_eq!(document["limits"][0]["used"], 4, "{document}");
        // Where the limit is near, they are counted unasked.
        let script = "ulimit -Su 5; sleep 1000 & sleep 1000 & \"$0\" limits; kill %1 %2; wait";
        let output = Command::new("bash")
            .args(["-c", script])
            .arg(&copy)
            .uid(UID + 1)
            .output()
            .expect("bash runs");
        let text = stdout(&output);
        let row = text.lines().find(|line| line.starts_with("nproc\t")).expect("a row");
        let cells: Vec<&str> = row.split('\t').collect();
        assert_eq!((cells[4], cells[5]), ("4", "near"), "{row}");
    }

    #[test]
    fn a_real_cgroup() {
        let root = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
            .into_iter()
            .find(|root| {
                fs::exists(format!("{root}/pids.max")).unwrap_or(false) || root.ends_with("pids")
            });
        let group = format!("{}/mx-test-{}", root.unwrap_or_default(), std::process::id());
        if fs::create_dir(&group).is_err()
            || !fs::exists(format!("{group}/pids.max")).unwrap_or(false)
        {
            let _ = fs::remove_dir(&group);
            return skipped("no cgroup can be made here");
        }
        fs::write(format!("{group}/pids.max"), "10").expect("a limit");
        let below = format!("{group}/below");
        fs::create_dir(&below).expect("a cgroup");
        let fixture = limited(&["nofile=200"], 1);
        let pid = fixture.pid().to_string();
        fs::write(format!("{below}/cgroup.procs"), &pid).expect("a member");
        let document = json(&["limits", "--pid", &pid, "--json", "nproc", "pids.max"]);
        let nproc = &document["limits"][0];
        let kernel = document["kernel"].as_array().expect("rows");
        drop(fixture);
        // A process that has ended is gone from its cgroup once it was waited for.
        fs::remove_dir(&below).expect("an empty cgroup");
        fs::remove_dir(&group).expect("an empty cgroup");
        assert_eq!(nproc["ceiling"], 10, "{document}");
        assert_eq!(nproc["ceiling_source"], "pids.max", "{document}");
        let row = kernel
            .iter()
            .find(|row| row["cgroup"].as_str().is_some_and(|path| group.ends_with(path)))
            .unwrap_or_else(|| panic!("{document}"));
        assert_eq!(row["value"], 10);
        assert!(row["used"].as_u64().is_some_and(|used| (1..10).contains(&used)), "{row}");
    }

    #[test]
    fn no_other_process_is_looked_at() {
        let trace = tempfile::NamedTempFile::new().expect("a file");
        let status = Command::new("strace")
            .args(["-q", "-e", "trace=openat,open,newfstatat,statx,getdents64", "-o"])
            .arg(trace.path())
            .args([MX, "limits"])
            .stdout(Stdio::null())
            .status()
            .expect("strace runs");
        assert!(status.success());
        let trace = fs::read_to_string(trace.path()).expect("a trace");
        let processes: Vec<&str> = trace
            .lines()
            .filter_map(|line| line.split("\"/proc/").nth(1))
            .filter_map(|path| path.split('/').next())
            .filter(|name| name.starts_with(|char: char| char.is_ascii_digit()))
            .collect();
        assert!(!processes.is_empty(), "{trace}");
        assert!(processes.iter().all(|pid| *pid == processes[0]), "{trace}");
        assert!(!trace.contains("getdents64"), "{trace}");
    }
}

#[cfg(target_os = "macos")]
#[test]
fn the_limits_of_another_process_are_out_of_reach() {
    let fixture = limited(&["nofile=200:300"], 1);
    let pid = fixture.pid().to_string();
    for arguments in
        [&["limits", "set", "--pid", &pid, "nofile=100"][..], &["limits", "--pid", &pid]]
    {
        let output = mx(arguments);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(stderr(&output).contains("mx limits run"), "{output:?}");
    }
}
