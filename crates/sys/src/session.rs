//! Running a shell with the start-up files of its user, which may start anything: in a
//! session of its own, and with an end for all that is in its process group.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::Pid;

use crate::{Error, Result, exec};

/// How long it may take to notice that the shell has ended, where what it has started
/// keeps its output open.
const TICK: Duration = Duration::from_millis(20);

/// What a shell prints with these arguments, without a terminal or input. It and what it
/// leaves running in its process group end with it, or when the time is over.
///
/// Signals that would end this process wait until then: nobody else ends that group.
pub fn run(shell: &str, arguments: &[&str], limit: Duration) -> Result<Vec<u8>> {
    let failed = |error: io::Error| Error::from_io(format!("run {shell}"), error);
    let mut deadly = SigSet::empty();
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
        deadly.add(signal);
    }
    let before = deadly
        .thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)
        .map_err(|errno| failed(errno.into()))?;
    let printed = printed(shell, arguments, limit).map_err(failed);
    // It fails for a wrong number only.
    let _ = before.thread_set_mask();
    printed
}

fn printed(shell: &str, arguments: &[&str], limit: Duration) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + limit;
    let mut command = Command::new(shell);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    exec::in_own_session(&mut command);
    let mut child = command.spawn()?;
    let read = read(&mut child, deadline);
    // A group that has no process any more is no failure, here and below.
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _ = child.wait();
    read
}

/// Reads until the output ends, or the child.
fn read(child: &mut Child, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let Some(mut pipe) = child.stdout.take() else { return Ok(text) };
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    loop {
        // First this, as what was printed before the end is there to be read.
        let has_ended = child.try_wait()?.is_some();
        let is_open = read_what_is_there(&mut pipe, &mut text)?;
        if has_ended {
            return Ok(text);
        }
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let tick = PollTimeout::try_from(rest.min(TICK).as_millis() + 1);
        let mut wanted = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        let wanted = if is_open { &mut wanted[..] } else { &mut [] };
        match poll(wanted, tick.unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// False at the end of the output.
fn read_what_is_there(pipe: &mut ChildStdout, text: &mut Vec<u8>) -> io::Result<bool> {
    let mut part = [0; 4096];
    loop {
        match pipe.read(&mut part) {
            Ok(0) => return Ok(false),
            Ok(length) => text.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_it_prints_comes_back() {
        let run = |text| run("sh", &["-c", text], LONG).expect("sh runs");
        assert_eq!(run("echo one; echo error >&2; exit 3"), b"one\n");
        assert_eq!(run("cat; echo end"), b"end\n");
        assert_eq!(run("head -c 200000 /dev/zero").len(), 200_000);
        assert_eq!(run("exec >&-; sleep 0.1"), b"");
    }

    /// Whether a process of this id is there, and has not ended.
    fn is_running(pid: &str) -> bool {
        let pid = pid.trim().parse().expect("a PID");
        crate::processes::list().expect("processes").iter().any(|process| process.pid == pid)
    }

    #[test]
    fn what_it_leaves_in_the_background_ends_with_it() {
        let start = Instant::now();
        // It keeps the output open, and is not waited for.
        let printed = run("sh", &["-c", "sleep 1000 & echo $!"], LONG).expect("sh runs");
        assert!(start.elapsed() < LONG);
        let pid = String::from_utf8(printed).expect("text");
        while is_running(&pid) {
            std::thread::sleep(TICK);
            assert!(start.elapsed() < LONG, "{pid} goes on");
        }
    }

    #[test]
    fn all_of_it_ends_when_the_time_is_over() {
        let file = std::env::temp_dir().join(format!("mx-session-{}", std::process::id()));
        let text = format!("sleep 1000 & echo $! $$ >'{}'; wait; wait", file.display());
        let error = run("sh", &["-c", &text], Duration::from_secs(2)).expect_err("too long");
        assert!(matches!(&error, Error::Io { source, .. } if
            source.kind() == io::ErrorKind::TimedOut));
        let pids = std::fs::read_to_string(&file).expect("a file");
        std::fs::remove_file(&file).expect("a file");
        let start = Instant::now();
        for pid in pids.split_whitespace() {
            while is_running(pid) {
                std::thread::sleep(TICK);
                assert!(start.elapsed() < LONG, "{pid} goes on");
            }
        }
    }

    #[test]
    fn it_has_no_terminal_and_a_session_of_its_own() {
        let printed = run("sh", &["-c", "(: </dev/tty) 2>/dev/null || echo none"], LONG);
        assert_eq!(printed.expect("sh runs"), b"none\n");
    }
}
