//! The error of all leaf crates: what was being done, and why it failed.

use std::io;

/// The result of a leaf crate's function.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the system did not do what was asked.
///
/// `doing` completes the sentence "cannot …", as in `list TCP sockets`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller lacks the right: EPERM or EACCES. Never the same as "there is none".
    #[error("cannot {doing}: permission denied")]
    Denied {
        /// What was being done.
        doing: String,
    },
    /// This system, kernel or build cannot do it.
    #[error("cannot {doing}: {why}")]
    Unsupported {
        /// What was being done.
        doing: String,
        /// What is missing.
        why: String,
    },
    /// The system answered with something that its documentation excludes.
    #[error("cannot {doing}: unexpected answer from the system: {what}")]
    Unexpected {
        /// What was being done.
        doing: String,
        /// What the answer was.
        what: String,
    },
    /// Any other failed system call.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl Error {
    /// The error of a failed system call, sorted by its errno.
    pub fn from_io(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        let (doing, source) = (doing.into(), source.into());
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied { doing },
            io::ErrorKind::Unsupported => Self::Unsupported { doing, why: source.to_string() },
            _ => Self::Io { doing, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_call_is_told_apart_from_a_failed_one() {
        let denied = Error::from_io("read x", io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(matches!(denied, Error::Denied { .. }));
        assert_eq!(denied.to_string(), "cannot read x: permission denied");
        let missing = Error::from_io("read x", io::Error::from(io::ErrorKind::NotFound));
        assert!(missing.to_string().starts_with("cannot read x: "), "{missing}");
    }
}
