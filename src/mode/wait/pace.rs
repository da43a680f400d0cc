//! How long to wait between two looks.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The pause after a look that costs next to nothing.
const SHORTEST: Duration = Duration::from_millis(5);
/// A pause is so many times as long as the look before it: looks take 1 % of a core. The first one, the
/// last one, and one more to tell why it was in vain come on top of that, and count in a short wait.
const REST: u32 = 100;
/// What has been waited for so long can wait for this part of it longer,
const LATENESS: u32 = 50;
/// but for no more than this.
const PATIENCE: Duration = Duration::from_millis(100);
/// The longest pause between looks for listeners alone, whatever they cost.
const LONGEST: Duration = Duration::from_millis(200);

/// What a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Listeners alone: the kernel does not look at connections.
    Listeners,
    /// Anything else.
    Sockets,
}

/// The pause after a look that took so much of the processor, `waited` after the first one began.
pub(super) fn pause(target: Target, cost: Duration, waited: Duration) -> Duration {
    let rest = cost.saturating_mul(REST);
    let patience = (waited / LATENESS).min(PATIENCE);
    let pause = rest.max(patience).max(SHORTEST);
    match target {
        Target::Listeners => pause.min(LONGEST),
        Target::Sockets => pause,
    }
}

/// What this process has taken of the processors so far, the kernel's work for it included.
pub(super) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, PATIENCE, SHORTEST, Target, pause, processor_time};
    use std::time::Duration;

    const MICRO: Duration = Duration::from_micros(1);
    const MILLI: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn first_pauses_are_5_ms() {
        for target in [Target::Listeners, Target::Sockets] {
            assert_eq!(pause(target, MICRO, Duration::ZERO), SHORTEST);
            assert_eq!(pause(target, 50 * MICRO, 250 * MILLI), SHORTEST);
        }
    }

    #[test]
    fn looks_take_1_percent_of_the_time_at_the_most() {
        for cost in [MICRO, 200 * MICRO, MILLI, 3 * MILLI, 160 * MILLI, LONG] {
            let pause = pause(Target::Sockets, cost, Duration::ZERO);
            assert!(cost * 100 <= pause, "{cost:?}: {pause:?}");
        }
    }

    #[test]
    fn long_waits_are_paused_longer_but_not_for_long() {
        assert_eq!(
            pause(Target::Sockets, MICRO, Duration::from_secs(2)),
            40 * MILLI
        );
        assert_eq!(pause(Target::Sockets, MICRO, LONG), PATIENCE);
    }

    #[test]
    fn listeners_are_looked_for_five_times_a_second_whatever_it_costs() {
        assert_eq!(pause(Target::Listeners, LONG, LONG), LONGEST);
    }

    #[test]
    fn processor_time_grows_with_work() {
        let begun = processor_time();
        assert!((0..1_000_000).any(|_| processor_time() > begun));
    }
}
