//! `mx limits explain` on real processes, cgroups and logs.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::cli::MX;

pub(crate) fn explain(arguments: &[&str]) -> Output {
    Command::new(MX).args(["limits", "explain"]).args(arguments).output().expect("mx runs")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The first match of the document.
pub(crate) fn first(output: &Output) -> Value {
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    document["matches"][0].clone()
}

#[test]
fn an_ordinary_log_is_silent() {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/ordinary.log");
    let output = explain(&[log]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(stderr(&output), "mx: no limit that mx knows of is the cause\n");
}

#[test]
fn files_are_logs_and_the_line_is_printed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    let (one, two) = (path("a.log"), path("b.log"));
    fs::write(&one, "ok\nFATAL: cat: x: Too many open files").expect("a file");
    fs::write(&two, "again: Too many open files\n").expect("a file");
    let output = explain(&[&one, &two]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let matched = "mx: matched: FATAL: cat: x: Too many open files (2 lines)\n";
    assert!(stderr(&output).starts_with(matched), "{output:?}");

    for (name, hint) in [("nope.log", "there is no file"), (".", "is a directory")] {
        let output = explain(&[&path(name)]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr(&output).contains(hint), "{output:?}");
    }
}

#[test]
fn what_is_no_limit_of_the_system_says_what_it_is() {
    for (message, words) in [
        ("java.lang.OutOfMemoryError: Java heap space", "-Xmx"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "nvidia-smi"),
        ("RuntimeError: MPS backend out of memory (MPS allocated: 8 GB)", "accelerator"),
    ] {
        let output = explain(&[message]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr(&output).contains(words), "{message}: {output:?}");
    }
}

#[test]
fn what_does_not_decide_says_what_would() {
    for (message, words) in [
        ("Killed", "Killed process"),
        ("gcc: fatal error: Killed signal terminated program cc1plus", "CONSTRAINT_MEMCG"),
        ("python3 invoked oom-killer: gfp_mask=0xcc0, order=0", "constraint="),
        ("Error: connect EADDRNOTAVAIL 127.0.0.1:80 - Local (0.0.0.0:0)", "ss -tan"),
        ("RuntimeError: unable to open shared memory object </torch_1> in mode", "errno"),
    ] {
        let output = explain(&[message, "--json"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let found = first(&output);
        assert_eq!((&found["certain"], &found["fix"]), (&Value::Bool(false), &Value::Null));
        assert!(found["advice"].as_str().is_some_and(|text| text.contains(words)), "{found}");
    }
}

#[test]
fn a_long_log_takes_memory_for_a_block_of_it_only() {
    // 32 MB in 16 MB of addresses for data, with the line that counts at the end.
    let mut child = Command::new(MX)
        .args(["limits", "run", "data=16M", "--", MX, "limits", "explain", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("mx runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let block = "2026-11-26 info request took 3 ms and touched 12 files\n".repeat(20_000);
    for _ in 0..30 {
        stdin.write_all(block.as_bytes()).expect("mx reads");
    }
    stdin.write_all(b"cat: x: Too many open files").expect("mx reads");
    drop(stdin);
    let output = child.wait_with_output().expect("a child");
    assert_eq!(first(&output)["line"], "cat: x: Too many open files", "{output:?}");
}

#[test]
fn a_parameter_of_the_kernel_is_not_raised_in_a_shell() {
    for (words, hint) in [
        (["raise", "fs.inotify.max_user_watches"], "sudo sysctl fs.inotify.max_user_watches=VALUE"),
        (["raise", "max_map_count=262144"], "sudo sysctl vm.max_map_count=VALUE"),
        (["persist", "pids.max"], "TasksMax"),
        (["run", "/dev/shm=1G"], "remount"),
    ] {
        let output = Command::new(MX).arg("limits").args(words).output().expect("mx runs");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = stderr(&output);
        assert!(text.contains("not of a process") && text.contains(hint), "{output:?}");
        assert!(!text.contains("did you mean"), "{output:?}");
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::process::CommandExt;

    use super::*;
    use crate::fixture::Fixture;
    use crate::hostile::{public_copy, skipped};

    const FORK: &str = "bash: fork: retry: Resource temporarily unavailable";

    #[test]
    fn daemons_have_limits_of_their_own() {
        for (arguments, fix) in [
            (&["nginx: accept4() failed (24: Too many open files)"][..], "worker_rlimit_nofile"),
            (&["dockerd[9]: accept: too many open files"], "systemctl edit docker.service"),
            (&["--unit", "web", "accept: Too many open files"], "systemctl edit web.service"),
        ] {
            let output = explain(&[arguments, &["--json"]].concat());
            let found = first(&output);
            let text = found["fix"].as_str().expect("a fix");
            assert!(text.contains("LimitNOFILE=") && text.contains(fix), "{found}");
        }
        let fixture = Fixture::new("files 1");
        let pid = fixture.pid().to_string();
        let output = explain(&["--pid", &pid, "accept: Too many open files", "--json"]);
        let fix = first(&output)["fix"].as_str().unwrap_or_default().to_owned();
        assert!(fix.contains(&format!("--pid {pid} --nofile=")), "{output:?}");
    }

    #[test]
    fn a_fix_of_the_kernel_lasts_and_says_how() {
        let output = explain(&["tail: inotify_add_watch: No space left on device", "--json"]);
        let found = first(&output);
        let (fix, persist) = (found["fix"].as_str(), found["persist"].as_str());
        let name = "fs.inotify.max_user_watches";
        assert!(fix.is_some_and(|fix| fix.starts_with(&format!("sudo sysctl {name}="))), "{found}");
        let file = format!("/etc/sysctl.d/60-{name}.conf");
        assert!(persist.is_some_and(|line| line.ends_with(&file)), "{found}");
    }

    #[test]
    fn root_is_exempt_from_nproc_and_others_are_not() {
        if !sys::user::is_root() {
            return skipped("only root can start processes of a user who has no other");
        }
        let script =
            "ulimit -Su 3; sleep 1000 & \"$0\" limits explain --json \"$1\"; kill %1; wait";
        let (_directory, copy) = public_copy();
        let run = |uid: u32| {
            let mut command = Command::new("bash");
            command.args(["-c", script]).arg(&copy).arg(FORK).uid(uid);
            first(&command.output().expect("bash runs"))
        };
        let user = run(1_987_654_399);
        assert_eq!((&user["limit"], &user["certain"]), (&"nproc".into(), &true.into()), "{user}");
        assert!(user["fix"].as_str().is_some_and(|fix| fix.starts_with("mx limits raise nproc")));
        let root = run(0);
        assert_ne!(root["limit"], "nproc", "{root}");
    }

    /// A cgroup with a limit on its processes; `None` if none can be made.
    fn group(name: &str, most: &str) -> Option<String> {
        let roots = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];
        let root = roots
            .iter()
            .find(|root| fs::exists(format!("{root}/cgroup.procs")).unwrap_or(false))?;
        let path = format!("{root}/mx-explain-{name}-{}", std::process::id());
        fs::create_dir(&path).ok()?;
        if fs::write(format!("{path}/pids.max"), most).is_err() {
            let _ = fs::remove_dir(&path);
            return None;
        }
        Some(path)
    }

    #[test]
    fn a_full_cgroup_is_named_with_what_raises_it() {
        let Some(path) = group("full", "1") else { return skipped("no cgroup can be made here") };
        let fixture = Fixture::new("files 1");
        let pid = fixture.pid().to_string();
        fs::write(format!("{path}/cgroup.procs"), &pid).expect("a member");
        let output = explain(&["--pid", &pid, "--json", FORK]);
        drop(fixture);
        fs::remove_dir(&path).expect("an empty cgroup");
        let found = first(&output);
        assert_eq!((&found["limit"], &found["certain"]), (&"pids.max".into(), &true.into()));
        let fix = found["fix"].as_str().expect("a fix");
        assert!(fix.ends_with(&format!("sudo tee {path}/pids.max")), "{found}");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }

    #[test]
    fn a_container_with_the_mounts_of_its_host_cannot_tell() {
        let Some(path) = group("hidden", "50") else {
            return skipped("no cgroup can be made here");
        };
        let script = "echo $$ >\"$0/cgroup.procs\" && exec unshare -C \"$1\" limits explain \"$2\"";
        let output =
            Command::new("sh").args(["-c", script, &path, MX, FORK]).output().expect("sh runs");
        fs::remove_dir(&path).expect("an empty cgroup");
        if stderr(&output).contains("unshare") {
            return skipped("no cgroup namespace can be made here");
        }
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(stderr(&output).contains("are not mounted here"), "{output:?}");
    }

    #[test]
    fn a_cause_that_the_message_decides_is_named_where_its_file_is_hidden() {
        let Some(path) = group("named", "50") else {
            return skipped("no cgroup can be made here");
        };
        let script = "echo $$ >\"$0/cgroup.procs\" && exec unshare -C \"$1\" limits explain \"$2\"";
        let messages = [
            ("memory.max", "Memory cgroup out of memory: Killed process 7 (python3)"),
            ("memory.max", "    Reason:       OOMKilled"),
            ("memory.max", "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x"),
            ("pids.max", "kernel: cgroup: fork rejected by pids controller in /"),
        ];
        let run = |message| {
            let mut command = Command::new("sh");
            command.args(["-c", script, &path, MX, message]).output().expect("sh runs")
        };
        let outputs = messages.map(|(_, message)| run(message));
        fs::remove_dir(&path).expect("an empty cgroup");
        if stderr(&outputs[0]).contains("unshare") {
            return skipped("no cgroup namespace can be made here");
        }
        for ((limit, message), output) in messages.iter().zip(&outputs) {
            assert_eq!(output.status.code(), Some(0), "{message}: {output:?}");
            let text = stderr(output);
            assert!(text.contains(&format!("mx: {limit}: ")), "{message}: {text}");
            assert!(text.contains("cgroup are not mounted here"), "{message}: {text}");
        }
    }
}
