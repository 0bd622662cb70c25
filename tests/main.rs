//! What a user sees: real sockets and processes, the command line, a real zsh.
//!
//! `UPDATE=1 cargo test` rewrites the transcripts in `tests/cli`.

mod cli;
mod fixture;
mod hostile;
mod kill;
mod live;
mod origin;
mod terminal;
mod tidy;
mod wait;
mod watch;
mod zsh;
