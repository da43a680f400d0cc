//! Steps as the kernel records them, with what look-ups add: whose namespace, which socket, and what
//! the kernel leaves behind where it reports the end.

mod belonging;
mod remains;
mod tracker;

use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::tracefs::{Record, Tracer, kernel_filter, now_ns};
use super::{EventSource, EventVisitor, Watched};
use crate::error::Error;
use crate::model::{Event, Warning};
use tracker::{Since, Tracker, ends_of};

/// After the first record of a batch: what belongs together comes together, and most sockets are still
/// there to be looked up.
const GATHER: Duration = Duration::from_millis(1);

/// The count of lost records is read no more often.
const COUNT_LOST: Duration = Duration::from_secs(1);

/// Steps of TCP and MPTCP sockets, from the tracepoint `sock:inet_sock_set_state`.
#[derive(Debug)]
pub struct Traced {
    tracer: Tracer,
    tracker: Tracker,
    /// Read, and not told yet.
    records: Vec<Record>,
    events: Vec<Event>,
    lost: u64,
    /// Records up to this moment may have been lost, in nanoseconds of the monotonic clock.
    lost_until_ns: u64,
    counted: Option<Instant>,
}

impl Traced {
    /// Begins to record.
    ///
    /// # Errors
    ///
    /// When the kernel records nothing for us: no rights, or no tracepoint.
    pub fn new(watched: &[Watched]) -> Result<Self, Error> {
        let tracer = Tracer::open(&kernel_filter(watched))?;
        Ok(Self {
            tracer,
            tracker: Tracker::new(watched),
            records: Vec::new(),
            events: Vec::new(),
            lost: 0,
            lost_until_ns: 0,
            counted: None,
        })
    }

    /// Waits for a record, for `wake`, for the moment at which something left behind may have ended,
    /// or for `until`.
    fn pause(&self, wake: BorrowedFd<'_>, until: Option<Instant>) -> Result<(), Error> {
        if self.tracer.has_more() || !self.records.is_empty() {
            return Ok(());
        }
        let due = [until, self.tracker.due()].into_iter().flatten().min();
        let rest = due.map(|due| due.saturating_duration_since(Instant::now()));
        let rest = rest.map(|rest| Timespec::try_from(rest).unwrap_or(LONG));
        let mut descriptors: Vec<PollFd<'_>> = self
            .tracer
            .descriptors()
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
            .collect();
        descriptors.push(PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN));
        match poll(&mut descriptors, rest.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(cause) => return Err(Error::Watch(cause.into())),
        }
        let woken = descriptors
            .pop()
            .is_some_and(|wake| !wake.revents().is_empty());
        let recorded = descriptors.iter().any(|cpu| !cpu.revents().is_empty());
        if recorded && !woken {
            std::thread::sleep(GATHER);
        }
        Ok(())
    }

    fn count_lost(&mut self, now: Instant, is_last: bool) -> Result<(), Error> {
        let recent = |counted: Instant| now.saturating_duration_since(counted) < COUNT_LOST;
        if !is_last && self.counted.is_some_and(recent) {
            return Ok(());
        }
        self.counted = Some(now);
        let lost = self.tracer.lost()?;
        if lost > self.lost {
            self.lost = lost;
            self.lost_until_ns = now_ns();
            // An end may be among what was lost: then the address of the socket is another's by now.
            self.tracker.forget();
        }
        Ok(())
    }
}

/// As good as for ever.
const LONG: Timespec = Timespec {
    tv_sec: 86_400,
    tv_nsec: 0,
};

impl EventSource for Traced {
    fn wait(
        &mut self,
        wake: BorrowedFd<'_>,
        until: Option<Instant>,
        visitor: &mut EventVisitor<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        self.pause(wake, until)?;
        let now = Instant::now();
        self.tracer.read(&mut self.records)?;
        let is_last = until.is_some_and(|until| until <= now);
        self.count_lost(now, is_last)?;
        let (tracer, mut newer) = (&mut self.tracer, Vec::new());
        let (lost, lost_until_ns) = (self.lost, self.lost_until_ns);
        let mut since = || {
            // What cannot be read now is read, or refused, next time.
            let _ = tracer.read(&mut newer);
            Since {
                // The next record is kept: it comes last here.
                moved: newer
                    .iter()
                    .rev()
                    .map(|record: &Record| (record.socket, ends_of(record).local))
                    .collect(),
                lost_until_ns: match tracer.lost() {
                    Ok(now) if now == lost => lost_until_ns,
                    // Counted, or refused, next time.
                    _ => u64::MAX,
                },
            }
        };
        self.tracker
            .follow(&self.records, Clock::now(), &mut since, &mut self.events);
        self.records = newer;
        if is_last {
            self.tracker.finish(&mut self.events);
        }
        self.events.sort_by_key(|event| event.time);
        for event in self.events.drain(..) {
            if visitor(&event).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn lost(&self) -> u64 {
        self.lost
    }

    fn sampled(&self) -> Option<String> {
        None
    }

    fn gaps(&mut self) -> Vec<Warning> {
        Vec::new()
    }
}

/// Two clocks read at once.
#[derive(Debug, Clone, Copy)]
struct Clock {
    wall: Timestamp,
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    mono_ns: u64,
}

impl Clock {
    fn now() -> Self {
        Self {
            wall: Timestamp::now(),
            mono_ns: now_ns(),
        }
    }

    /// The time of day of a moment in nanoseconds of the monotonic clock.
    fn time_of(self, time_ns: u64) -> Timestamp {
        let past = i64::try_from(self.mono_ns).unwrap_or(i64::MAX);
        let past = past.saturating_sub(i64::try_from(time_ns).unwrap_or(i64::MAX));
        self.wall
            .saturating_sub(SignedDuration::from_nanos(past))
            .unwrap_or(self.wall)
    }
}
