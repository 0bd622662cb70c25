//! Running a tool of the system: found on PATH, its arguments a vector, never
//! through a shell, and never for longer than a limit.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{Error, Result};

/// How a tool ended, and what it printed.
#[derive(Debug)]
pub struct Output {
    /// Its status.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it said of errors.
    pub stderr: Vec<u8>,
}

impl Output {
    /// The first line of what it said of errors.
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        text.lines().next().map_or_else(|| self.status.to_string(), str::to_owned)
    }
}

/// Runs a tool with this input to its end, or ends it when the time is over.
///
/// No thread is started: a caller may fork afterwards.
pub fn run(tool: &str, arguments: &[&str], input: &[u8], limit: Duration) -> Result<Output> {
    let failed = |error: io::Error| Error::from_io(format!("run {tool}"), error);
    let mut command = Command::new(tool);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let deadline = Instant::now() + limit;
    let ended = exchange(&mut child, input, deadline)
        .and_then(|(stdout, stderr)| Ok((wait(&mut child, deadline)?, stdout, stderr)));
    match ended {
        Ok((status, stdout, stderr)) => Ok(Output { status, stdout, stderr }),
        Err(error) => {
            // What failed is said; whether the end of it succeeds changes nothing.
            let _ = child.kill();
            let _ = child.wait();
            Err(failed(error))
        }
    }
}

/// Writes the input and reads what is printed, as the tool is ready for it.
fn exchange(
    child: &mut Child,
    mut input: &[u8],
    deadline: Instant,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut stdin = child.stdin.take().filter(|_| !input.is_empty());
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let (mut printed, mut said) = (Vec::new(), Vec::new());
    if let Some(stdin) = &stdin {
        // A tool that prints before it reads must not wait for a writer that waits for it.
        fcntl(stdin, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    while stdout.is_some() || stderr.is_some() {
        let ready = wait_for(
            [
                stdin.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLOUT)),
                stdout.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLIN)),
                stderr.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLIN)),
            ],
            deadline,
        )?;
        if let Some(pipe) = stdin.as_mut().filter(|_| ready[0]) {
            match pipe.write(input) {
                Ok(length) => input = &input[length..],
                // It may end without having read everything.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => input = &[],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if input.is_empty() {
                stdin = None;
            }
        }
        if ready[1] {
            read_some(&mut stdout, &mut printed)?;
        }
        if ready[2] {
            read_some(&mut stderr, &mut said)?;
        }
    }
    Ok((printed, said))
}

/// Which of the pipes are ready, of those that are there.
fn wait_for(
    pipes: [Option<(BorrowedFd, PollFlags)>; 3],
    deadline: Instant,
) -> io::Result<[bool; 3]> {
    let mut wanted: Vec<PollFd> =
        pipes.iter().flatten().map(|(pipe, flags)| PollFd::new(*pipe, *flags)).collect();
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        // Rounded up, so that it does not spin through the last millisecond.
        let limit = PollTimeout::try_from(rest.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        match poll(&mut wanted, limit) {
            Ok(0) if rest.is_zero() => return Err(io::ErrorKind::TimedOut.into()),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    let mut states = wanted.iter().map(|one| one.any().unwrap_or(true));
    Ok(pipes.map(|pipe| pipe.is_some() && states.next().unwrap_or(true)))
}

/// Reads once; at the end the pipe is closed.
fn read_some(pipe: &mut Option<impl Read>, text: &mut Vec<u8>) -> io::Result<()> {
    const MOST: usize = 64 * 1024;

    let Some(open) = pipe else { return Ok(()) };
    let start = text.len();
    text.resize(start + MOST, 0);
    let length = match open.read(&mut text[start..]) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            text.truncate(start);
            return Ok(());
        }
        result => result?,
    };
    text.truncate(start + length);
    if length == 0 {
        *pipe = None;
    }
    Ok(())
}

/// Waits for the end of a tool that has closed what it prints to.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // It closes its descriptors a moment before it ends.
        std::thread::sleep(Duration::from_micros(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn shell(script: &str, input: &[u8], limit: Duration) -> Result<Output> {
        run("sh", &["-c", script], input, limit)
    }

    #[test]
    fn input_output_and_status_of_a_tool() {
        let output = shell("cat; echo no >&2; exit 3", b"a\0b", LONG).expect("sh runs");
        assert_eq!((output.stdout.as_slice(), output.status.code()), (&b"a\0b"[..], Some(3)));
        assert_eq!(output.complaint(), "no");
        let silent = shell("exit 4", b"", LONG).expect("sh runs");
        assert_eq!(silent.complaint(), "exit status: 4");
    }

    #[test]
    fn more_than_a_pipe_holds_goes_both_ways() {
        let input: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let output = shell("cat; cat /dev/zero | head -c 1000000 >&2", &input, LONG);
        let output = output.expect("sh runs");
        assert!(output.stdout == input && output.stderr.len() == 1_000_000);
        let unread = shell("exec true", &input, LONG).expect("sh runs");
        assert!(unread.status.success() && unread.stdout.is_empty());
    }

    #[test]
    fn a_tool_that_does_not_end_is_ended() {
        for script in ["exec sleep 100", "exec sleep 100 >&- 2>&-"] {
            let error = shell(script, b"", Duration::from_millis(50)).expect_err("too long");
            assert!(error.to_string().starts_with("cannot run sh: "), "{error}");
            assert!(matches!(&error, Error::Io { source, .. } if
                source.kind() == io::ErrorKind::TimedOut));
        }
    }

    #[test]
    fn a_tool_that_is_not_there() {
        let error = run("no-such-tool-here", &[], b"", LONG).expect_err("no tool");
        assert!(matches!(&error, Error::Io { source, .. } if
            source.kind() == io::ErrorKind::NotFound));
    }
}
