//! The standard output, and the standard error. The reader may be slow or stall, and the descriptor may be
//! non-blocking.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, write};
use rustix::stdio::stderr;

use super::signals::{Signals, is_asked_to_end};
use crate::query::OpenOutput;

/// What a pipe takes at once when `poll(2)` says that it takes something: `PIPE_BUF`.
const PIECE: usize = 4_096;

/// How long a reader may take nothing once the run is to end.
const PATIENCE: Duration = Duration::from_millis(500);

/// Writes to a descriptor, and waits where it takes nothing for now.
#[derive(Debug)]
pub struct Stdout {
    descriptor: OwnedFd,
    /// `None` = it waits for as long as the reader wants.
    end: Option<RunEnd>,
}

/// What ends a run, also while it waits for its reader.
#[derive(Debug)]
struct RunEnd {
    signals: Rc<Signals>,
    until: Option<Instant>,
}

impl Stdout {
    /// That of a run that signals or a time end; `out` where it cannot be opened.
    pub(super) fn of_run(
        open: Option<OpenOutput>,
        out: Box<dyn Write>,
        signals: &Rc<Signals>,
        until: Option<Instant>,
    ) -> Box<dyn Write> {
        let Some(descriptor) = open.and_then(|open| open().ok()) else {
            return out;
        };
        let signals = Rc::clone(signals);
        let end = Some(RunEnd { signals, until });
        Box::new(Self { descriptor, end })
    }

    /// Waits until something can be written.
    fn wait(&self) -> io::Result<()> {
        let mut patience = None;
        loop {
            let mut polled = vec![PollFd::new(&self.descriptor, PollFlags::OUT)];
            let now = Instant::now();
            let until = match &self.end {
                None => None,
                Some(end) if end.is_reached(now) => {
                    Some(*patience.get_or_insert_with(|| now + PATIENCE))
                }
                Some(end) => {
                    polled.push(PollFd::from_borrowed_fd(end.signals.as_fd(), PollFlags::IN));
                    end.until
                }
            };
            let pause = until.map(|until| until.saturating_duration_since(now));
            let pause: Option<Timespec> = pause.and_then(|pause| pause.try_into().ok());
            match poll(&mut polled, pause.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            // That nobody reads any more is told by the write.
            if polled.first().is_some_and(|fd| !fd.revents().is_empty()) {
                return Ok(());
            }
            if patience.is_some_and(|patience| patience <= Instant::now()) {
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    "the reader takes nothing",
                ));
            }
        }
    }
}

impl RunEnd {
    fn is_reached(&self, now: Instant) -> bool {
        self.signals.caught().is_some() || self.until.is_some_and(|until| until <= now)
    }
}

impl From<OwnedFd> for Stdout {
    /// Waits for as long as the reader wants.
    fn from(descriptor: OwnedFd) -> Self {
        Self {
            descriptor,
            end: None,
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut piece = bytes;
        if self.end.is_some() {
            // A write that blocks hears of no signal.
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

/// Writes messages to the standard error, and waits where it takes nothing for now.
#[derive(Debug, Default)]
pub struct Stderr {
    /// The reader took nothing for too long when the run was to end: nothing more is written.
    is_given_up: bool,
}

/// How often a writer of messages looks whether the run is to end.
const GLANCE: Duration = Duration::from_millis(100);

impl Stderr {
    /// Waits until something can be written, for ever unless a signal asks to end.
    fn wait(&mut self) -> io::Result<()> {
        let mut patience = PATIENCE;
        while !self.is_given_up {
            let mut polled = [PollFd::from_borrowed_fd(stderr(), PollFlags::OUT)];
            match poll(&mut polled, GLANCE.try_into().ok().as_ref()) {
                Ok(0) if is_asked_to_end() => {
                    patience = patience.saturating_sub(GLANCE);
                    self.is_given_up = patience.is_zero();
                }
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(ErrorKind::TimedOut.into())
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            // A write that blocks hears of no signal.
            self.wait()?;
            match write(stderr(), bytes.get(..PIECE).unwrap_or(bytes)) {
                Err(Errno::AGAIN) => {}
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
