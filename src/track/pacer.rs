//! The pause between two rounds.

use std::time::Duration;

/// Bounds on the pauses between rounds, and on the CPU share of rounds.
#[derive(Debug, Clone, Copy)]
pub struct Pacer {
    /// A pause lasts at least this many times as long as the round before it: with 100, rounds take 1 % of a core.
    pub rest: u32,
    /// The shortest pause.
    pub shortest: Duration,
    /// The longest pause, unless the round was too costly for it.
    pub longest: Duration,
}

impl Pacer {
    /// The pause after a round that took `cost`, as close to `wanted` as the bounds allow.
    pub fn pause(&self, wanted: Duration, cost: Duration) -> Duration {
        let rest = cost.saturating_mul(self.rest);
        wanted.clamp(self.shortest, self.longest).max(rest)
    }

    /// The next pause to want after a useless round.
    pub fn longer(&self, pause: Duration) -> Duration {
        (pause.max(self.shortest) * 3 / 2).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::Pacer;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);
    const PACER: Pacer = Pacer {
        rest: 20,
        shortest: Duration::from_millis(5),
        longest: Duration::from_millis(100),
    };

    #[test]
    fn pause_stays_within_bounds() {
        assert_eq!(PACER.pause(Duration::ZERO, Duration::ZERO), PACER.shortest);
        assert_eq!(PACER.pause(50 * MS, Duration::ZERO), 50 * MS);
        assert_eq!(PACER.pause(Duration::MAX, Duration::ZERO), PACER.longest);
    }

    #[test]
    fn costly_look_is_followed_by_a_long_pause_whatever_is_wanted() {
        for wanted in [Duration::ZERO, 50 * MS, Duration::MAX] {
            assert_eq!(PACER.pause(wanted, 30 * MS), 600 * MS);
        }
        assert_eq!(PACER.pause(MS, Duration::MAX), Duration::MAX);
    }

    #[test]
    fn useless_pauses_grow_up_to_the_longest() {
        let mut pause = Duration::ZERO;
        while pause < PACER.longest {
            let longer = PACER.longer(pause);
            assert!(longer > pause.max(PACER.shortest));
            pause = longer;
        }
        assert_eq!(PACER.longer(pause), PACER.longest);
    }
}
