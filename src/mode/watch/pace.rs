//! When to look again.

use std::time::{Duration, Instant};

/// Rounds begin so far apart; a pause is at least as long as the round before it.
#[derive(Debug)]
pub(in crate::mode) struct Pace {
    every: Duration,
    /// `None` = never.
    due: Option<Instant>,
}

impl Pace {
    /// The first round is due now.
    pub(in crate::mode) const fn new(every: Duration, now: Instant) -> Self {
        let due = Some(now);
        Self { every, due }
    }

    /// When the next round begins; `None` = beyond all time.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn looked(&mut self, begun: Instant, ended: Instant) {
        let cost = ended.saturating_duration_since(begun);
        let pause = self.every.saturating_sub(cost);
        self.due = ended.checked_add(pause.max(cost));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Pace;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn rounds_begin_in_equal_steps_while_they_are_short() {
        let begun = Instant::now();
        let mut pace = Pace::new(100 * MS, begun);
        pace.looked(begun, begun + 50 * MS);
        assert_eq!(pace.due(), Some(begun + 100 * MS));
    }

    #[test]
    fn a_pause_is_as_long_as_the_round_before_it() {
        let begun = Instant::now();
        let mut pace = Pace::new(100 * MS, begun);
        pace.looked(begun, begun + 300 * MS);
        assert_eq!(pace.due(), Some(begun + 600 * MS));
    }

    #[test]
    fn a_pause_beyond_all_time_never_ends() {
        let begun = Instant::now();
        let mut pace = Pace::new(Duration::MAX, begun);
        pace.looked(begun, begun);
        assert_eq!(pace.due(), None);
    }
}
