//! What a user sees: real sockets and processes, the command line, a real zsh.
//!
//! `UPDATE=1 cargo test` rewrites the transcripts in `tests/cli`.

mod bash;
mod cli;
mod clipboard;
mod container;
mod directives;
mod explain;
mod explain_causes;
mod faithful;
mod fish;
mod fixture;
mod homes;
mod hostile;
mod kill;
#[cfg(target_os = "linux")]
mod kill_hostile;
#[cfg(target_os = "linux")]
mod kill_reach;
mod kill_restarted;
#[cfg(target_os = "linux")]
mod kill_signals;
mod limits;
mod live;
#[cfg(target_os = "linux")]
mod namespace;
mod origin;
mod persist;
mod promised;
#[cfg(target_os = "linux")]
mod promised_linux;
mod promises;
mod raise;
#[cfg(target_os = "linux")]
mod reach;
mod removed;
mod setup;
mod signals;
#[cfg(target_os = "linux")]
mod silent;
mod terminal;
mod tidy;
mod values;
mod wait;
mod wait_free;
mod wait_http;
mod wait_remote;
mod watch;
#[cfg(target_os = "linux")]
mod watch_kill;
#[cfg(target_os = "linux")]
mod wayland;
#[cfg(target_os = "linux")]
mod x11;
mod zsh;
