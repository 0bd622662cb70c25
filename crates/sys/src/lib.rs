//! What every noun needs from the system: one error type, user names, signals,
//! the list of processes, running a tool, and becoming another program.
//!
//! Not here: anything about a noun, text for a terminal, exit codes. A leaf
//! crate returns [`Error`]; the binary turns it into a message and a status.

mod error;
pub mod exec;
pub mod processes;
pub mod session;
pub mod signal;
pub mod tool;
pub mod user;

pub use error::{Error, Result};
