//! A request by HTTP/1.1 and the status of its answer (RFC 9112). The rest of
//! the answer is not read.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What to ask a server for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Host and port, as the URL has them.
    authority: String,
    /// Path and query. Only visible ASCII: nothing in it can end the line.
    path: String,
}

/// More before a final status than interim answers need.
const LONGEST: usize = 64 * 1024;

impl Request {
    /// A request for what follows the host in a URL.
    pub(super) fn new(authority: &str, rest: &str) -> Self {
        let path = rest.split('#').next().unwrap_or(rest);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let escaped = path.bytes().map(|byte| match byte {
            b'!'..=b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        });
        Self {
            authority: authority.to_owned(),
            path: format!("{slash}{}", escaped.collect::<String>()),
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn text(&self) -> String {
        format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: mx/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            self.path,
            self.authority,
            env!("CARGO_PKG_VERSION")
        )
    }

    /// Asks over a new connection; the status of the answer, or why there is none until `deadline`.
    pub(super) fn ask(&self, stream: &mut TcpStream, deadline: Instant) -> Result<u16, String> {
        let left = || {
            let left = deadline.saturating_duration_since(Instant::now());
            // No time at all is not accepted.
            Some(left.max(Duration::from_millis(1)))
        };
        let late = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it does not answer".to_owned(),
            _ => format!("it does not answer: {error}"),
        };
        stream.set_write_timeout(left()).map_err(late)?;
        stream.write_all(self.text().as_bytes()).map_err(late)?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            stream.set_read_timeout(left()).map_err(late)?;
            let length = match stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(late)?,
            };
            answer.extend(&buffer[..length]);
            if let Some(status) = status(&answer, length == 0)? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err("its answer takes too long".to_owned());
            }
        }
    }
}

/// The status of an answer, as far as it has arrived; `Ok(None)` if more must
/// come. Interim answers (1xx) are passed over.
fn status(mut bytes: &[u8], ended: bool) -> Result<Option<u16>, &'static str> {
    const FOREIGN: &str = "its answer is not HTTP";

    let whole = bytes.len();
    loop {
        let known = bytes.len().min(PROTOCOL.len());
        if bytes[..known] != PROTOCOL[..known] {
            return Err(FOREIGN);
        }
        let head = find(bytes, b"\n").map(|end| &bytes[..end]);
        let Some(line) = head else {
            return match (ended, whole) {
                (true, 0) => Err("it closed the connection without an answer"),
                (true, _) => Err("its answer was cut short"),
                (false, LONGEST..) => Err(FOREIGN),
                (false, _) => Ok(None),
            };
        };
        let status = number(line).ok_or(FOREIGN)?;
        if status >= 200 {
            return Ok(Some(status));
        }
        match find(bytes, b"\r\n\r\n") {
            Some(end) => bytes = &bytes[end + 4..],
            None if ended => return Err("its answer was cut short"),
            None if whole > LONGEST => return Err("its answer does not end"),
            None => return Ok(None),
        }
        if whole > LONGEST {
            return Err("its answer does not end");
        }
    }
}

const PROTOCOL: &[u8] = b"HTTP/1.";

/// The number in a status line: after the version, three digits.
fn number(line: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(line.get(..12)?).ok()?;
    let status = line.get(8..)?.strip_prefix(' ')?;
    let digits = status.bytes().all(|byte| byte.is_ascii_digit());
    status.parse().ok().filter(|status| digits && *status >= 100)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_final_answer_counts() {
        for (text, ended, expected) in [
            ("HTTP/1.1 200 OK\r\n", false, Ok(Some(200))),
            ("HTTP/1.0 503\r\n", false, Ok(Some(503))),
            ("HTTP/1.1 404 Not Found\n", false, Ok(Some(404))),
            ("HTTP/1.1 200", false, Ok(None)),
            ("", false, Ok(None)),
            ("HTTP/1.1 100 Continue\r\n\r\n", false, Ok(None)),
            (
                "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 302 Found\r\n",
                false,
                Ok(Some(302)),
            ),
            ("", true, Err("it closed the connection without an answer")),
            ("HTTP/1.1 2", true, Err("its answer was cut short")),
            ("HTTP/1.1 100 Continue\r\n", true, Err("its answer was cut short")),
            ("SSH-2.0-x", false, Err("its answer is not HTTP")),
            ("HTTP/1.1 OK\r\n", false, Err("its answer is not HTTP")),
            ("HTTP/1.1 +20 OK\r\n", false, Err("its answer is not HTTP")),
            ("HTTP/1.1 099 OK\r\n", false, Err("its answer is not HTTP")),
            ("HTTP/2 200\r\n", false, Err("its answer is not HTTP")),
        ] {
            assert_eq!(status(text.as_bytes(), ended), expected, "{text:?} {ended}");
        }
        let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(4000);
        assert_eq!(status(endless.as_bytes(), false), Err("its answer does not end"));
        let long = format!("HTTP/1.1 {}", "2".repeat(LONGEST));
        assert_eq!(status(long.as_bytes(), false), Err("its answer is not HTTP"));
    }

    proptest::proptest! {
        /// Whatever a user writes after the host, the request has the lines that it should have.
        #[test]
        fn a_path_cannot_add_lines(rest in "[/?][\\s\\PC\\x00-\\x1f]{0,40}") {
            let text = Request::new("localhost:1", &rest).text();
            let lines: Vec<&str> = text.split("\r\n").collect();
            proptest::prop_assert_eq!(lines.len(), 7);
            proptest::prop_assert_eq!(lines[0].split(' ').count(), 3);
            proptest::prop_assert!(lines[0].bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }

        /// An answer in pieces has the same status, and no piece has another one.
        #[test]
        fn a_part_has_no_other_status(code in 200u16..=599, interim in 0usize..3, at in 0usize..100, bytes: Vec<u8>) {
            let hint = "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n".repeat(interim);
            let text = format!("{hint}HTTP/1.1 {code} x\r\n");
            proptest::prop_assert_eq!(status(text.as_bytes(), false), Ok(Some(code)));
            let part = &text.as_bytes()[..at.min(text.len() - 1)];
            proptest::prop_assert_eq!(status(part, false), Ok(None));
            let _ = status(&bytes, true);
        }
    }
}
