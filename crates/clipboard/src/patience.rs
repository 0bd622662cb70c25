//! How long the other side may be silent: a server, the owner of a clipboard,
//! tmux, a terminal.
//!
//! A [`Patience`] counts from the moment it is made and is for all ways that are
//! tried, so that several silent ones take no longer than one. Each gets an equal
//! part of what is left until it has answered, and then all of it. What arrives
//! starts the count anew: slow is not silent.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

/// How long everything that is asked may be silent, counted from now.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    limit: Duration,
    until: Instant,
}

impl Patience {
    /// What a person waits for without a thought. With the start of a program
    /// and of its tools it is less than 2 s.
    pub const USUAL: Duration = Duration::from_millis(1500);

    /// Counted from now.
    pub fn new(limit: Duration) -> Self {
        const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

        let limit = limit.min(LONGEST);
        Self { limit, until: Instant::now() + limit }
    }

    /// What is left of it.
    pub(crate) fn left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// For the first of so many ways.
    pub(crate) fn for_one_of(self, ways: usize) -> Clock {
        let ways = u32::try_from(ways).unwrap_or(u32::MAX).max(1);
        // One that comes after silent ones gets a chance, too.
        let share = (self.left() / ways).max(Duration::from_millis(50));
        Clock {
            limit: self.limit,
            whole: self.until,
            share,
            until: Cell::new(Some(Instant::now() + share)),
            has_answered: Cell::new(false),
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new(Self::USUAL)
    }
}

/// The time of one way to a clipboard.
#[derive(Debug)]
pub(crate) struct Clock {
    limit: Duration,
    whole: Instant,
    share: Duration,
    until: Cell<Option<Instant>>,
    has_answered: Cell<bool>,
}

#[cfg_attr(
    not(any(target_os = "linux", test)),
    expect(
        dead_code,
        reason = "macOS keeps the clipboard itself: nothing is waited for piece by piece"
    )
)]
impl Clock {
    /// What is left; `None` if there is no limit any more.
    pub(crate) fn left(&self) -> Option<Duration> {
        Some(self.until.get()?.saturating_duration_since(Instant::now()))
    }

    /// As [`Clock::left`], for calls that take zero for no limit.
    pub(crate) fn left_at_least(&self, least: Duration) -> Duration {
        self.left().unwrap_or(Duration::MAX).max(least)
    }

    /// What is left for this way once the other side has answered.
    pub(crate) fn left_of_all(&self) -> Duration {
        self.whole.saturating_duration_since(Instant::now()).max(self.left().unwrap_or_default())
    }

    /// Whether the time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// The other side is there: no other way is tried any more.
    pub(crate) fn answered(&self) {
        self.has_answered.set(true);
        self.until.set(Some(self.whole));
    }

    /// Something went on, after the other side had answered.
    pub(crate) fn goes_on(&self) {
        if self.has_answered.get() && self.until.get().is_some() {
            self.until.set(Some(Instant::now() + self.limit));
        }
    }

    /// From now on there is this limit, or none.
    pub(crate) fn set(&self, limit: Option<Duration>) {
        self.has_answered.set(limit.is_none());
        self.until.set(limit.map(|limit| Instant::now() + limit));
    }

    /// "it has not answered for 1.5 s".
    pub(crate) fn complaint(&self, who: impl fmt::Display) -> String {
        let limit = if self.has_answered.get() { self.limit } else { self.share };
        format!("{who} has not answered for {} s", seconds(limit))
    }
}

/// Seconds with one digit after the point, if it is not zero.
pub(crate) fn seconds(time: Duration) -> String {
    let text = format!("{:.1}", time.as_secs_f64());
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn is_near(left: Option<Duration>, expected: Duration) -> bool {
        left.is_some_and(|left| left <= expected && left + Duration::from_secs(60) > expected)
    }

    #[test]
    fn several_silent_ways_take_no_longer_than_one() {
        let patience = Patience::new(3 * HOUR);
        let clock = patience.for_one_of(3);
        assert!(is_near(clock.left(), HOUR) && !clock.is_over());
        assert_eq!(clock.complaint("it"), "it has not answered for 3600 s");
        clock.goes_on();
        assert!(is_near(clock.left(), HOUR), "it has not answered yet");
        clock.answered();
        assert!(is_near(clock.left(), 3 * HOUR));
        clock.set(None);
        assert_eq!(clock.left(), None);
        clock.goes_on();
        assert!(!clock.is_over() && clock.left().is_none());
    }

    #[test]
    fn a_limit_that_is_over_or_beyond_all_clocks() {
        assert!(Patience::new(Duration::MAX).left() > 1000 * HOUR);
        let clock = Patience::new(Duration::ZERO).for_one_of(0);
        assert!(clock.left() <= Some(Duration::from_millis(50)));
        assert_eq!(seconds(Duration::from_millis(1540)), "1.5");
        assert_eq!(seconds(Duration::from_millis(2)), "0");
    }
}
