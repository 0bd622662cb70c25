//! What a user sees: real sockets and processes, the command line, a real zsh.
//!
//! `UPDATE=1 cargo test` rewrites the transcripts in `tests/cli`.

mod bash;
mod cli;
mod directives;
mod fish;
mod fixture;
mod hostile;
mod kill;
mod live;
mod setup;
mod terminal;
mod tidy;
mod wait;
mod zsh;
