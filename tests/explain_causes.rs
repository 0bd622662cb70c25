//! `mx limits explain` where a message has several causes, and what all programs share.

use crate::explain::{explain, first, stderr};

#[test]
fn what_killed_a_process_is_named_in_words() {
    for message in ["Killed", "web exited with code 137", "zsh: killed     python train.py"] {
        let output = explain(&[message]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = stderr(&output);
        for words in [
            "cannot tell what killed the process: the out-of-memory killer for the machine or for the memory cgroup",
            "a time limit",
            "a signal that a user or a program sent",
            "the kernel's log decides",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let found = first(&explain(&[message, "--json"]));
        let candidates = serde_json::json!(["memory.max", "MemTotal", "cpu"]);
        assert_eq!((&found["candidates"], &found["certain"]), (&candidates, &false.into()));
    }
}

#[test]
fn what_does_not_decide_reads_as_a_sentence() {
    for (message, words) in [
        ("connect() failed (99: Cannot assign requested address)", "cannot tell whether no client"),
        ("dial tcp 127.0.0.1:1: connect: cannot assign requested address", "cannot tell whether"),
        ("OSError: [Errno 27] File too large", "cannot tell whether the program wrote"),
        ("web.service: Failed with result 'oom-kill'.", "cannot tell whether the memory"),
        ("DETAIL:  Failed system call was shmget(key=1, size=56, 03600).", "cannot tell which"),
    ] {
        let output = explain(&[message]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(words) && !text.contains("no limit of mx"), "{text}");
    }
}

#[test]
fn the_limits_of_another_user_and_cgroup_are_candidates_too() {
    for (message, limits) in [
        ("bash: fork: retry: Resource temporarily unavailable", ["pids.max", "nproc"]),
        ("OSError: [Errno 12] Cannot allocate memory", ["memory.max", "as"]),
        ("RuntimeError: can't start new thread", ["pids.max", "nproc"]),
    ] {
        let output = explain(&[message, "--json"]);
        let found = first(&output);
        if found["certain"] == true || output.status.code() == Some(3) {
            continue;
        }
        let candidates = found["candidates"].as_array().expect("a list");
        assert!(limits.iter().all(|limit| candidates.contains(&(*limit).into())), "{found}");
    }
}

#[test]
fn a_log_full_of_matches_is_counted_and_not_printed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("full.log");
    let mut log = String::new();
    for number in 0..20_000 {
        let line = match number % 3 {
            0 => format!("web[{number}]: EMFILE: too many open files, open '/srv/{number}'\n"),
            1 => format!("app[{number}]: fork: Resource temporarily unavailable\n"),
            _ => format!("{number} exited with code 137\n"),
        };
        log.push_str(&line);
    }
    std::fs::write(&path, log).expect("a file");
    let output = explain(&[path.to_str().expect("UTF-8")]);
    let text = stderr(&output);
    assert_eq!(text.matches("mx: matched: ").count(), 3, "{text}");
    for count in ["(6667 lines)", "(6667 lines)", "(6666 lines)"] {
        assert!(text.contains(count), "{text}");
    }
    assert!(text.len() + output.stdout.len() < 4000, "{text}");
}

#[test]
fn a_unit_without_a_process_has_not_the_limits_of_the_shell() {
    for (unit, message, limit, fix) in [
        ("mx-none", "accept: Too many open files", "nofile", Some("edit mx-none.service")),
        ("mx-none.service", "mlockall: Cannot allocate memory", "memlock", Some("LimitMEMLOCK=")),
        ("mx-none", "fork: Resource temporarily unavailable", "pids.max", None),
    ] {
        let arguments = ["--unit", unit, message];
        let output = explain(&arguments);
        let text = stderr(&output);
        let note = "mx: mx-none.service has no process that can be seen: its limits";
        assert!(text.contains(note), "{text}");
        let output = explain(&[&arguments[..], &["--json"]].concat());
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(document["limits"], serde_json::json!([]), "{document}");
        let found = first(&output);
        assert_eq!(found["limit"], limit, "{found}");
        let text = found["fix"].as_str();
        let fits = fix.is_none_or(|fix| text.is_none_or(|text| text.contains(fix)));
        assert!(fits && (fix.is_some() || text.is_none()), "{found}");
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::cli::MX;
    use crate::hostile::skipped;

    #[test]
    fn what_all_programs_share_has_a_row_and_a_fix() {
        let ipc = |file: &str| std::fs::exists(format!("/proc/sys/{file}")).unwrap_or(false);
        for (file, message, name, fix) in [
            ("kernel/msgmni", "msgget: No space left on device", "kernel.msgmni", None),
            ("kernel/sem", "semget: No space left on device", "SEMMNI", None),
            ("kernel/shmmni", "shmget: No space left on device", "kernel.shmmni", None),
            (
                "net/netfilter/nf_conntrack_max",
                "nf_conntrack: table full, dropping packet",
                "net.netfilter.nf_conntrack_max",
                Some("sudo sysctl net.netfilter.nf_conntrack_max="),
            ),
            (
                "net/ipv4/tcp_mem",
                "TCP: out of memory -- consider tuning tcp_mem",
                "net.ipv4.tcp_mem",
                Some("sudo sysctl net.ipv4.tcp_mem='"),
            ),
            (
                "net/ipv4/ip_local_port_range",
                "connect: Cannot assign requested address",
                "net.ipv4.ip_local_port_range",
                None,
            ),
        ] {
            if !ipc(file) {
                continue;
            }
            let output = explain(&[message, "--json"]);
            let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(document["kernel"][0]["name"], name, "{document}");
            let found = first(&output);
            assert_eq!(found["limit"], name, "{found}");
            if let Some(fix) = fix {
                let text = found["fix"].as_str().expect("a fix");
                assert!(text.starts_with(fix), "{found}");
                assert!(found["persist"].as_str().is_some_and(|text| text.contains(name)));
            }
        }
    }

    #[test]
    fn client_ports_that_are_in_use_decide() {
        let script = "import socket, subprocess, sys\n\
             open('/proc/sys/net/ipv4/ip_local_port_range', 'w').write('40000 40001')\n\
             held = [socket.create_server(('', port)) for port in (40000, 40001)]\n\
             sys.exit(subprocess.call([sys.argv[1], 'limits', 'explain', '--json', sys.argv[2]]))";
        let message = "Error: connect EADDRNOTAVAIL 127.0.0.1:80 - Local (0.0.0.0:0)";
        let mut command = Command::new("unshare");
        let output = command.args(["--net", "python3", "-c", script, MX, message]).output();
        let output = output.expect("unshare runs");
        if output.stdout.is_empty() {
            return skipped("no network namespace can be made here");
        }
        let found = first(&output);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(
            (&found["certain"], &found["limit"]),
            (&true.into(), &"net.ipv4.ip_local_port_range".into())
        );
        assert_eq!(found["fix"], "sudo sysctl net.ipv4.ip_local_port_range='1024 65535'");
        assert!(found["cause"].as_str().is_some_and(|cause| !cause.contains("whether")), "{found}");
    }

    /// A process of Python that ends with its input, after it has printed a line.
    fn python(script: &str, uid: Option<u32>) -> Child {
        let mut command = Command::new("python3");
        let script = format!("{script}\nprint('ready', flush=True)\nsys.stdin.read()");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(uid) = uid {
            command.uid(uid);
        }
        let mut child = command.spawn().expect("python3 runs");
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        child
    }

    fn watch(script: &str, uid: Option<u32>) -> (Option<i32>, serde_json::Value, String) {
        const MESSAGE: &str = "Error: EMFILE: too many open files, watch '/srv/app'";

        let mut child = python(script, uid);
        let pid = child.id().to_string();
        let text = stderr(&explain(&["--pid", &pid, MESSAGE]));
        let output = explain(&["--pid", &pid, MESSAGE, "--json"]);
        drop(child.stdin.take());
        child.wait().expect("it ends");
        (output.status.code(), first(&output), text)
    }

    #[test]
    fn watches_of_a_process_decide_between_its_files_and_its_users_watchers() {
        let files = "import os, resource, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n\
             held = [os.dup(0) for _ in range(16)]";
        let (code, found, _) = watch(files, None);
        assert_eq!(
            (code, &found["limit"], &found["certain"]),
            (Some(0), &"nofile".into(), &true.into())
        );

        let (code, found, text) = watch("import sys", None);
        assert_eq!((code, &found["certain"]), (Some(1), &false.into()), "{found}");
        assert!(text.contains("near now: look again while the program fails"), "{text}");
        assert!(!text.contains("--pid"), "{text}");

        if !sys::user::is_root() {
            return skipped("only root can start processes of a user who has no other");
        }
        let instances = "import ctypes, sys\nlibc = ctypes.CDLL(None)\n\
             while libc.inotify_init() >= 0: pass";
        let (code, found, _) = watch(instances, Some(1_987_654_398));
        let name = "fs.inotify.max_user_instances";
        assert_eq!(
            (code, &found["limit"], &found["certain"]),
            (Some(0), &name.into(), &true.into()),
            "{found}"
        );
        assert!(found["fix"].as_str().is_some_and(|fix| fix.contains(name)), "{found}");
    }
}
