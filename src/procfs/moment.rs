//! Points in time, and inode numbers of sockets made after one.
//!
//! The kernel numbers sockets, pipes and the like from one counter, but every processor takes 1,024
//! numbers at a time (`get_next_ino`, `fs/inode.c`). So a new socket's number can be far below that of an
//! old one made on another processor. A socket made on each processor shows that processor's position.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::fs::fstat;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::param::clock_ticks_per_second;
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// When reading processes began.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Ticks since boot.
    pub ticks: u64,
    /// Recognizes sockets made later.
    pub counters: InodeCounters,
}

impl Moment {
    /// The current moment.
    pub fn now() -> Self {
        Self {
            ticks: ticks(),
            counters: InodeCounters::now(),
        }
    }
}

/// The current time in ticks since boot.
pub fn ticks() -> u64 {
    let now = Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default();
    let per_second = clock_ticks_per_second();
    now.as_secs() * per_second + u64::from(now.subsec_nanos()) * per_second / 1_000_000_000
}

/// Numbers that a processor takes at a time (`LAST_INO_BATCH`, `fs/inode.c`).
const BATCH: u64 = 1_024;

/// The inode counters at one moment. The default never finds anything newer, for data that no longer
/// changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct InodeCounters {
    /// The number given last on each processor.
    last: Vec<u64>,
}

impl InodeCounters {
    /// The current state. A processor on which this process may not run is left out; sockets made there later are
    /// recognized only once their numbers exceed those of all others.
    pub fn now() -> Self {
        let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
        // In a separate thread, so that the calling one may still run anywhere.
        let last = thread::scope(|scope| {
            let probes = thread::Builder::new().spawn_scoped(scope, || {
                let here = processors(&online).filter_map(number_on);
                here.collect::<Vec<u64>>()
            });
            probes.ok().and_then(|thread| thread.join().ok())
        });
        let mut last = last.unwrap_or_default();
        if last.is_empty() {
            last.extend(next_number());
        }
        Self { last }
    }

    /// True if a socket with this number was made after that moment; always right, except for processors that
    /// [`InodeCounters::now`] leaves out.
    pub fn is_older_than(&self, inode: u64) -> bool {
        let end_of_batch = |last: &u64| last.next_multiple_of(BATCH);
        let Some(all_given) = self.last.iter().map(end_of_batch).max() else {
            return false;
        };
        let is_of_rest = |last: &u64| inode > *last && inode <= end_of_batch(last);
        inode > all_given || self.last.iter().any(is_of_rest)
    }
}

/// Parses `0-3,8,10-11`.
fn processors(ranges: &str) -> impl Iterator<Item = usize> {
    ranges.trim().split(',').flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) => first..last.saturating_add(1).min(CpuSet::MAX_CPU),
            _ => 0..0,
        }
    })
}

/// Moves this thread to a processor and takes a number there.
fn number_on(processor: usize) -> Option<u64> {
    let mut only = CpuSet::new();
    only.set(processor);
    sched_setaffinity(None, &only).ok()?;
    next_number()
}

/// The inode number of a new socket, which is closed at once.
fn next_number() -> Option<u64> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::DGRAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).ok()?;
    Some(fstat(socket).ok()?.st_ino)
}

#[cfg(test)]
mod tests {
    use super::{InodeCounters, next_number, number_on, processors};

    #[test]
    fn lists_of_processors_are_read() {
        assert_eq!(
            processors("0-2,5,7-8\n").collect::<Vec<_>>(),
            [0, 1, 2, 5, 7, 8]
        );
        assert_eq!(processors("").count(), 0);
    }

    #[test]
    fn new_numbers_come_from_the_rest_of_a_batch_or_from_beyond_all() {
        let counters = InodeCounters {
            last: vec![5_000, 90_000],
        };
        for (inode, newer) in [
            (4_999, false),
            (5_000, false),
            (5_001, true),
            (5_120, true),
            (5_121, false),
            (89_999, false),
            (90_001, true),
            (90_113, true),
            (200_000, true),
        ] {
            assert_eq!(counters.is_older_than(inode), newer, "{inode}");
        }
    }

    #[test]
    fn a_used_up_batch_leaves_nothing() {
        let counters = InodeCounters { last: vec![2_048] };
        assert!(!counters.is_older_than(2_048));
        assert!(counters.is_older_than(2_049));
    }

    #[test]
    fn nothing_is_newer_than_a_frozen_copy() {
        assert!(!InodeCounters::default().is_older_than(u64::MAX));
    }

    #[test]
    fn sockets_of_every_processor_are_told_old_from_new() {
        let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
        // The affinity belongs to this test's own thread.
        let make = || {
            processors(&online)
                .filter_map(number_on)
                .collect::<Vec<_>>()
        };
        let old = make();
        let counters = InodeCounters::now();
        let new = make();
        assert!(!old.is_empty());
        assert!(old.iter().all(|inode| !counters.is_older_than(*inode)));
        assert!(new.iter().all(|inode| counters.is_older_than(*inode)));
        assert!(next_number().is_some_and(|inode| counters.is_older_than(inode)));
    }
}
