//! Pauses between two polls.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::track::Pacer;

/// Polls take 1 % of a core. The first one, and the one that reports the timeout, are extra, which matters in
/// short waits.
const PACER: Pacer = Pacer {
    rest: 100,
    shortest: Duration::from_millis(5),
    longest: Duration::from_millis(100),
};
/// The pause may grow to one part in this many of the time waited.
const LATENESS: u32 = 50;
/// The longest pause if only listeners are polled, whatever the cost.
const LONGEST: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Only listeners: the kernel skips connections.
    Listeners,
    Sockets,
}

/// The pause after a poll with this processor time, `waited` after the first and `left` before the last one.
pub(super) fn pause(target: Target, cost: Duration, waited: Duration, left: Duration) -> Duration {
    let lateness = waited / LATENESS;
    let pause = PACER.pause(lateness, cost);
    match target {
        Target::Listeners => pause.min(LONGEST),
        Target::Sockets if pause == PACER.pause(lateness, Duration::ZERO) => pause,
        Target::Sockets => spread(pause, left),
    }
}

/// The shortest equal pauses of at least `pause`, the last of which reaches the end.
fn spread(pause: Duration, left: Duration) -> Duration {
    let number = left.as_nanos() / pause.as_nanos().max(1);
    match u32::try_from(number) {
        Ok(number @ 1..) => left / number,
        // No time is left for another poll, or for more than can be counted.
        _ => pause,
    }
}

/// Processor time of this process so far, including the kernel's work for it.
pub(super) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, PACER, Target, pause, processor_time};
    use std::time::Duration;

    const MICRO: Duration = Duration::from_micros(1);
    const MILLI: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(3_600);

    /// A pause in an endless wait.
    fn endless(target: Target, cost: Duration, waited: Duration) -> Duration {
        pause(target, cost, waited, Duration::MAX)
    }

    #[test]
    fn first_pauses_are_5_ms() {
        for target in [Target::Listeners, Target::Sockets] {
            assert_eq!(endless(target, MICRO, Duration::ZERO), PACER.shortest);
            assert_eq!(endless(target, 50 * MICRO, 250 * MILLI), PACER.shortest);
        }
    }

    #[test]
    fn looks_take_1_percent_of_the_time_at_the_most() {
        for cost in [MICRO, 200 * MICRO, MILLI, 3 * MILLI, 160 * MILLI, LONG] {
            for left in [Duration::ZERO, 10 * MILLI, Duration::from_secs(10), LONG] {
                let pause = pause(Target::Sockets, cost, Duration::ZERO, left);
                assert!(cost * 100 <= pause, "{cost:?}, {left:?}: {pause:?}");
            }
        }
    }

    /// Including the first poll, and the one that finds the nearest match.
    #[test]
    fn whole_wait_takes_2_percent_at_the_most() {
        let time = Duration::from_secs(10);
        for cost in (1..=66).map(|millis| millis * MILLI) {
            let (mut waited, mut looks) = (Duration::ZERO, 1);
            while waited < time {
                let pause = pause(Target::Sockets, cost, waited, time.saturating_sub(waited));
                waited = (waited + pause).min(time);
                looks += 1;
            }
            assert!(cost * (looks + 1) <= time / 50, "{looks} of {cost:?}");
        }
    }

    #[test]
    fn last_pause_is_as_long_as_the_others() {
        let (left, third) = (Duration::from_secs(9), Duration::from_secs(3));
        for cost in [23, 25, 27, 30] {
            let pause = pause(Target::Sockets, cost * MILLI, Duration::ZERO, left);
            assert_eq!(pause, third, "{cost}");
        }
    }

    #[test]
    fn long_waits_are_paused_longer_but_not_for_long() {
        assert_eq!(
            endless(Target::Sockets, MICRO, Duration::from_secs(2)),
            40 * MILLI
        );
        assert_eq!(endless(Target::Sockets, MICRO, LONG), PACER.longest);
    }

    #[test]
    fn listeners_are_looked_for_five_times_a_second_whatever_it_costs() {
        for left in [Duration::ZERO, LONG] {
            assert_eq!(pause(Target::Listeners, LONG, LONG, left), LONGEST);
        }
    }

    #[test]
    fn processor_time_grows_with_work() {
        let begun = processor_time();
        assert!((0..1_000_000).any(|_| processor_time() > begun));
    }
}
