//! The answer to an HTTP request, as far as it has arrived (RFC 9112).
//!
//! Only what an engine's answer to a `GET` needs: no interim answers, no
//! compression, no ranges.

use std::borrow::Cow;

/// A head that is longer is not an engine's.
const LONGEST_HEAD: usize = 16 * 1024;

/// A complete answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    /// What the header `Server` says.
    pub(crate) server: Option<&'a str>,
    pub(crate) body: Cow<'a, [u8]>,
}

/// How the end of the body is known.
#[derive(Clone, Copy, PartialEq)]
enum Framing {
    /// The server closes the connection.
    Closed,
    Length(usize),
    Chunked,
}

/// Reads an answer; `Ok(None)` if more of it must come. `ended` says that nothing more will.
///
/// An error says what is wrong with the answer.
pub(crate) fn response(bytes: &[u8], ended: bool) -> Result<Option<Response<'_>>, &'static str> {
    const SHORT: &str = "its answer was cut short";

    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return match (bytes.is_empty(), ended) {
            _ if bytes.len() > LONGEST_HEAD || !may_begin_head(bytes) => Err(FOREIGN),
            (true, true) => Err("it closed the connection"),
            (false, true) => Err(SHORT),
            (_, false) => Ok(None),
        };
    };
    let (status, server, framing) = head(&bytes[..end])?;
    let rest = &bytes[end + 4..];
    let body = match framing {
        Framing::Closed => ended.then_some(Cow::Borrowed(rest)),
        Framing::Length(length) => rest.get(..length).map(Cow::Borrowed),
        Framing::Chunked => chunks(rest)?.map(Cow::Owned),
    };
    match body {
        Some(body) => Ok(Some(Response { status, server, body })),
        None if ended => Err(SHORT),
        None => Ok(None),
    }
}

const FOREIGN: &str = "its answer is not HTTP";

/// Whether these bytes could be the beginning of an answer.
fn may_begin_head(bytes: &[u8]) -> bool {
    const PROTOCOL: &[u8] = b"HTTP/1.";
    let length = bytes.len().min(PROTOCOL.len());
    bytes[..length] == PROTOCOL[..length]
}

fn head(bytes: &[u8]) -> Result<(u16, Option<&str>, Framing), &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| FOREIGN)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1."));
    let status = status.and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or(FOREIGN)?;
    let (mut server, mut framing) = (None, Framing::Closed);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("server") {
            server = Some(value);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err("its answer has an unknown encoding");
            }
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("content-length") && framing != Framing::Chunked {
            framing = Framing::Length(value.parse().map_err(|_| FOREIGN)?);
        }
    }
    Ok((status, server, framing))
}

/// The body of a chunked answer; `Ok(None)` if its end is not there yet.
fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    /// A length and its extensions.
    const LONGEST_LINE: usize = 256;
    const BROKEN: &str = "its answer is in broken chunks";

    let mut body = Vec::new();
    loop {
        let Some(end) = find(rest, b"\r\n") else {
            return if rest.len() > LONGEST_LINE { Err(BROKEN) } else { Ok(None) };
        };
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| BROKEN)?;
        let digits = line.split(';').next().unwrap_or(line).trim();
        let length = usize::from_str_radix(digits, 16).map_err(|_| BROKEN)?;
        if length == 0 {
            return Ok(Some(body));
        }
        rest = &rest[end + 2..];
        let Some(after) = length.checked_add(2) else { return Err(BROKEN) };
        let Some(chunk) = rest.get(..after) else { return Ok(None) };
        if !chunk.ends_with(b"\r\n") {
            return Err(BROKEN);
        }
        body.extend(&chunk[..length]);
        rest = &rest[after..];
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str, ended: bool) -> Result<Option<String>, &'static str> {
        let response = response(text.as_bytes(), ended)?;
        Ok(response.map(|response| String::from_utf8_lossy(&response.body).into_owned()))
    }

    #[test]
    fn an_answer_ends_where_its_head_says() {
        for (text, ended, expected) in [
            ("HTTP/1.0 200 OK\r\n\r\n[]", false, None),
            ("HTTP/1.0 200 OK\r\n\r\n[]", true, Some("[]")),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[", false, None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]more", false, Some("[]")),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n", false, None),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 1\r\n\r\n1;x=y\r\n[\r\n00B\r\n0123456789]\r\n0\r\n\r\n",
                false,
                Some("[0123456789]"),
            ),
            ("HTTP/1.1 200", false, None),
            ("", false, None),
        ] {
            assert_eq!(body(text, ended), Ok(expected.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn the_head_tells_status_and_server() {
        let text = b"HTTP/1.0 403 Forbidden by policy\r\nServer: Libpod/4.3.1 (linux)\r\n\r\n";
        let response = response(text, true).expect("HTTP").expect("an end");
        assert_eq!((response.status, response.server), (403, Some("Libpod/4.3.1 (linux)")));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = format!("HTTP/1.0 200 OK\r\n{}", "x".repeat(LONGEST_HEAD));
        let endless =
            format!("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", "0".repeat(300));
        for (text, ended, why) in [
            ("SSH-2.0-OpenSSH_9.2\r\n", false, "not HTTP"),
            ("HTTP/2 200\r\n\r\n", false, "not HTTP"),
            ("HTTP/1.0 OK\r\n\r\n", false, "not HTTP"),
            (&long, false, "not HTTP"),
            ("HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", false, "not HTTP"),
            ("", true, "closed"),
            ("HTTP/1.0 200 OK\r\n", true, "cut short"),
            ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n[]", true, "cut short"),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[", true, "cut short"),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[]\r\n", false, "chunks"),
            (
                "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                false,
                "chunks",
            ),
            (&endless, false, "chunks"),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false, "encoding"),
        ] {
            let error = body(text, ended).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, ended: bool) {
            let _ = response(&bytes, ended);
            let chunked = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &bytes[..]].concat();
            let _ = response(&chunked, ended);
        }

        /// However an answer is torn, no part of it is taken for the whole.
        #[test]
        fn a_part_is_never_the_whole(chunks in proptest::collection::vec("[a-z]{1,40}", 0..6), at in 0usize..400) {
            let framed: String = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let text = format!("{head}{framed}0\r\n");
            proptest::prop_assert_eq!(body(&text, false), Ok(Some(chunks.concat())));
            let part = &text[..at.min(text.len() - 1)];
            proptest::prop_assert_eq!(body(part, false), Ok(None));
            proptest::prop_assert!(body(part, true).is_err());
        }
    }
}
