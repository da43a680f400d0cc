//! When to look again.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::error::Error;
use crate::mode::signals::Signals;
use crate::track::Pacer;

/// Looking takes no more than half of the time.
const PACER: Pacer = Pacer {
    rest: 1,
    shortest: Duration::ZERO,
    longest: Duration::MAX,
};

/// Rounds begin so far apart; a pause is at least as long as the round before it.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    /// `None` = never.
    due: Option<Instant>,
}

impl Pace {
    /// The first round is due.
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            due: Some(Instant::now()),
        }
    }

    /// When the next round begins; `None` = beyond all time.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A round began and ended.
    pub(super) fn looked(&mut self, begun: Instant, ended: Instant) {
        let cost = ended.saturating_duration_since(begun);
        let pause = PACER.pause(self.every.saturating_sub(cost), cost);
        self.due = ended.checked_add(pause);
    }

    /// Waits until the next round begins; `false` = a signal asks to end first.
    ///
    /// # Errors
    ///
    /// When waiting is not possible, or whoever reads the output has left: there may be nothing to write
    /// by which that would be noticed.
    pub(super) fn rest(
        &self,
        signals: &Signals,
        out: Option<BorrowedFd<'_>>,
    ) -> Result<bool, Error> {
        loop {
            if signals.caught().is_some() {
                return Ok(false);
            }
            if self.due.is_some_and(|due| due <= Instant::now()) {
                return Ok(true);
            }
            if wait(&[signals.as_fd()], out, self.due)? == Woken::HungUp {
                return Err(Error::Output(io::ErrorKind::BrokenPipe.into()));
            }
        }
    }
}

/// Why waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// There is something to read, or it is time.
    Other,
    /// The output leads nowhere.
    HungUp,
}

/// Waits until one of these can be read, this one is hung up, or until then.
///
/// # Errors
///
/// When waiting is not possible.
pub(super) fn wait(
    readable: &[BorrowedFd<'_>],
    out: Option<BorrowedFd<'_>>,
    until: Option<Instant>,
) -> Result<Woken, Error> {
    let readable = readable.iter().map(|fd| (*fd, PollFlags::IN));
    // That it is hung up is told without being asked for.
    let open = out.map(|fd| (fd, PollFlags::empty()));
    let mut polled: Vec<PollFd<'_>> = open
        .into_iter()
        .chain(readable)
        .map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags))
        .collect();
    let pause = until.map(|until| until.saturating_duration_since(Instant::now()));
    let pause = pause.and_then(|pause| pause.try_into().ok());
    match poll(&mut polled, pause.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(Error::Watch(error.into())),
    }
    let lost = PollFlags::ERR | PollFlags::HUP;
    let out = polled.first().filter(|_| out.is_some());
    Ok(match out {
        Some(out) if out.revents().intersects(lost) => Woken::HungUp,
        _ => Woken::Other,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Pace;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn rounds_begin_in_equal_steps_while_they_are_short() {
        let begun = Instant::now();
        let mut pace = Pace::new(100 * MS);
        pace.looked(begun, begun + 50 * MS);
        assert_eq!(pace.due(), Some(begun + 100 * MS));
    }

    #[test]
    fn a_pause_is_as_long_as_the_round_before_it() {
        let begun = Instant::now();
        let mut pace = Pace::new(100 * MS);
        pace.looked(begun, begun + 300 * MS);
        assert_eq!(pace.due(), Some(begun + 600 * MS));
    }

    #[test]
    fn a_pause_beyond_all_time_never_ends() {
        let begun = Instant::now();
        let mut pace = Pace::new(Duration::MAX);
        pace.looked(begun, begun);
        assert_eq!(pace.due(), None);
    }
}
