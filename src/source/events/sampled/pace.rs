//! How often the tables are looked at.

use std::time::{Duration, Instant};

/// The pause after something changed: what comes next is likely to come soon.
const SHORTEST: Duration = Duration::from_millis(5);
/// The pause when nothing happens.
const LONGEST: Duration = Duration::from_millis(100);
/// A pause is so many times as long as the look before it: looking takes less than 5 % of one core.
pub(super) const REST: u32 = 20;

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Something that is to be told, or that the next look decides.
    Change,
    /// All as it was.
    Nothing,
}

/// Chooses the moment of the next look.
#[derive(Debug)]
pub(super) struct Pace {
    pause: Duration,
    /// When the last look ended.
    rested_since: Instant,
    /// The least pause that this look allows.
    least: Duration,
}

impl Pace {
    /// After a first look, which took so long.
    pub(super) fn new(now: Instant, cost: Duration) -> Self {
        Self {
            pause: SHORTEST,
            rested_since: now,
            least: least(cost),
        }
    }

    /// A look ended now; it took so long.
    pub(super) fn looked(&mut self, now: Instant, cost: Duration, found: Found) {
        self.pause = match found {
            Found::Change => SHORTEST,
            Found::Nothing => (self.pause * 3 / 2).min(LONGEST),
        };
        self.rested_since = now;
        self.least = least(cost);
    }

    /// When to look next, if nothing is heard.
    pub(super) fn due(&self) -> Instant {
        self.rested_since + self.pause.max(self.least)
    }

    /// When to look next, if something is known to have happened.
    pub(super) fn earliest(&self) -> Instant {
        self.rested_since + self.least
    }
}

fn least(cost: Duration) -> Duration {
    cost.saturating_mul(REST).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::{Found, LONGEST, Pace, REST, SHORTEST};
    use std::time::{Duration, Instant};

    #[test]
    fn pauses_grow_while_nothing_changes_and_fall_back_when_something_does() {
        let now = Instant::now();
        let mut pace = Pace::new(now, Duration::ZERO);
        let mut last = SHORTEST;
        while last < LONGEST {
            pace.looked(now, Duration::ZERO, Found::Nothing);
            assert!(pace.due() - now > last);
            last = pace.due() - now;
        }
        assert_eq!(last, LONGEST);
        pace.looked(now, Duration::ZERO, Found::Nothing);
        assert_eq!(pace.due() - now, LONGEST);
        assert_eq!(pace.earliest() - now, SHORTEST);
        pace.looked(now, Duration::ZERO, Found::Change);
        assert_eq!(pace.due() - now, SHORTEST);
    }

    #[test]
    fn a_costly_look_is_followed_by_a_long_pause_whatever_is_heard() {
        let now = Instant::now();
        let cost = Duration::from_millis(30);
        let mut pace = Pace::new(now, cost);
        for found in [Found::Change, Found::Nothing] {
            pace.looked(now, cost, found);
            assert_eq!(pace.due() - now, cost * REST);
            assert_eq!(pace.earliest() - now, cost * REST);
        }
    }
}
