//! The terminal that a program runs in, and what stands before it: tmux,
//! screen, SSH.
//!
//! [`Surroundings`] tells what is there, [`tmux`] talks to tmux, [`osc`] writes
//! escape sequences and [`send`] sends them.
//!
//! Not here: asking a terminal anything. An answer may never come, may end up
//! as input of the next program, and one terminal takes the question for an
//! order.

pub mod osc;
mod surroundings;
pub mod tmux;
mod tty;

pub use surroundings::Surroundings;
pub use tty::send;
