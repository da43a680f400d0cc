//! Termination signals.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_default, register_usize};
use signal_hook::low_level::pipe;

use crate::error::Error;
use crate::track::wait;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Second {
    /// Asks again: state that must be cleaned up is not left behind.
    Asks,
    /// Ends the program, which may be blocked in a write.
    Ends,
}

/// The time source of a run.
pub(super) trait Clock {
    fn now(&self) -> Instant;

    /// Sleeps until this moment, or forever. Returns a signal that arrived earlier.
    fn sleep(
        &self,
        until: Option<Instant>,
        output: Option<BorrowedFd<'_>>,
    ) -> Result<Option<u8>, Error>;
}

/// Catches `SIGINT`, `SIGTERM` and, except under `nohup`, `SIGHUP`.
#[derive(Debug)]
pub(super) struct Signals {
    /// Readable once a signal has arrived.
    wake: UnixStream,
}

/// The number of the last signal caught; 0 = none.
static CAUGHT: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// The last signal caught.
pub(super) fn caught() -> Option<u8> {
    let number = u8::try_from(CAUGHT.load(Ordering::Relaxed));
    number.ok().filter(|number| *number > 0)
}

/// True once caught signals end the program again.
static RELEASED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Lets signals end the program from now on.
pub(super) fn release() {
    RELEASED.store(true, Ordering::Relaxed);
}

impl Signals {
    pub(super) fn catch(second: Second) -> io::Result<Self> {
        let (wake, write) = UnixStream::pair()?;
        let is_ignored = ignored_signals() >> (SIGHUP - 1) & 1 == 1;
        let hang_up = Some(SIGHUP).filter(|_| !is_ignored);
        for signal in [SIGINT, SIGTERM].into_iter().chain(hang_up) {
            // First, so that a signal during the following calls is noted too.
            let number = usize::try_from(signal).unwrap_or_default();
            register_usize(signal, Arc::clone(&CAUGHT), number)?;
            register_conditional_default(signal, Arc::clone(&RELEASED))?;
            if second == Second::Ends {
                register(signal, Arc::clone(&RELEASED))?;
            }
            pipe::register(signal, write.try_clone()?)?;
        }
        Ok(Self { wake })
    }
}

impl Clock for Signals {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(
        &self,
        until: Option<Instant>,
        output: Option<BorrowedFd<'_>>,
    ) -> Result<Option<u8>, Error> {
        loop {
            let caught = caught();
            if caught.is_some() || until.is_some_and(|until| until <= self.now()) {
                return Ok(caught);
            }
            wait(&[self.as_fd()], output, until)?;
        }
    }
}

/// The ignored signals, as inherited from the parent: a bit for each, from 1 on.
pub fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or_default()
}

/// For callers that wait for other descriptors too.
impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
