//! Standard output and standard error. The reader may be slow or stall, and the descriptor may be
//! non-blocking.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, write};
use rustix::stdio::stderr;

use super::signals::caught;
use crate::query::OpenOutput;

/// What a pipe accepts without blocking when `poll(2)` reports it writable: `PIPE_BUF`.
const PIECE: usize = 4_096;

/// How long a stalled reader is tolerated once the run is to end; then writing stops.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often a waiting writer checks for the end of the run.
const GLANCE: Duration = Duration::from_millis(100);

/// Writes to a descriptor, and waits while it accepts nothing.
#[derive(Debug)]
pub struct Stdout<D = OwnedFd> {
    descriptor: D,
    /// True if a signal ends the run: it polls before it writes, because a blocking write is not interrupted.
    is_interrupted: bool,
    /// When the run ends.
    until: Option<Instant>,
    patience: Duration,
}

/// Writes messages to standard error.
pub type Stderr = Stdout<BorrowedFd<'static>>;

impl Stdout {
    /// Standard output for a run that signals or a time end; `out` if it cannot be opened.
    pub(super) fn of_run(
        open: Option<OpenOutput>,
        out: Box<dyn Write>,
        until: Option<Instant>,
    ) -> Box<dyn Write> {
        let Some(descriptor) = open.and_then(|open| open().ok()) else {
            return out;
        };
        Box::new(Self {
            is_interrupted: true,
            until,
            ..Self::from(descriptor)
        })
    }
}

impl Default for Stderr {
    fn default() -> Self {
        Self {
            is_interrupted: true,
            ..Self::from(stderr())
        }
    }
}

impl<D> From<D> for Stdout<D> {
    /// Waits as long as the reader takes.
    fn from(descriptor: D) -> Self {
        Self {
            descriptor,
            is_interrupted: false,
            until: None,
            patience: PATIENCE,
        }
    }
}

impl<D: AsFd> Stdout<D> {
    /// Waits until it is writable, forever unless the run is to end.
    fn wait(&mut self) -> io::Result<()> {
        while !self.patience.is_zero() {
            let mut polled = [PollFd::new(&self.descriptor, PollFlags::OUT)];
            match poll(&mut polled, GLANCE.try_into().ok().as_ref()) {
                Ok(0) if self.is_over() => self.patience = self.patience.saturating_sub(GLANCE),
                Ok(0) | Err(Errno::INTR) => {}
                // If the reader has closed it, the write fails.
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::new(
            ErrorKind::TimedOut,
            "the reader takes nothing",
        ))
    }

    fn is_over(&self) -> bool {
        let is_late = self.until.is_some_and(|until| until <= Instant::now());
        self.is_interrupted && (is_late || caught().is_some())
    }
}

impl<D: AsFd> Write for Stdout<D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut piece = bytes;
        if self.is_interrupted {
            self.wait()?;
            piece = bytes.get(..PIECE).unwrap_or(bytes);
        }
        loop {
            match write(&self.descriptor, piece) {
                Err(Errno::AGAIN) => self.wait()?,
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stdout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
