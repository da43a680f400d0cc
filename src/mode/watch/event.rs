//! Events of a view from all threads, and the terminal it uses.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use jiff::Timestamp;

use crate::error::Error;
use crate::exit::Verdict;
use crate::model::{ChangedRow, Summary};
use crate::query::Query;
use crate::render::view::Input;

/// A terminal in use by a view; restored when dropped.
pub trait Console {
    /// Columns and lines.
    fn size(&self) -> [u16; 2];

    /// Writes to the screen.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The descriptor, which hangs up when the terminal is gone.
    fn output(&self) -> BorrowedFd<'_>;
}

/// Opens the terminal, and sends its input from then on. True if keys can be read.
pub type OpenConsole = fn(EventSender) -> io::Result<(Box<dyn Console>, bool)>;

/// The query of the next round.
pub(super) enum Question {
    /// The same query as before.
    Again,
    /// Another query from now on.
    Other(Box<Query>),
    /// Another query, once, shown in place of the list.
    Aside(Arc<Query>),
}

pub(super) struct Round {
    /// True if it answers [`Question::Aside`].
    pub(super) is_aside: bool,
    /// The time of day when it began.
    pub(super) time: Timestamp,
    pub(super) begun: Instant,
    pub(super) ended: Instant,
    /// The rows in the kernel's order, including those that are gone.
    pub(super) rows: Vec<ChangedRow>,
    /// The counts as text, if sockets are counted.
    pub(super) counts: Option<String>,
    pub(super) verdict: Verdict,
    /// Its summary.
    pub(super) summary: Summary,
}

pub(super) enum Event {
    Input(Input),
    Round(Result<Round, Error>),
    /// Part of a message, written after the view ends.
    Message(Vec<u8>),
}

/// Sends events to a view.
#[derive(Clone)]
pub struct EventSender {
    events: Sender<Event>,
    waker: Arc<UnixStream>,
}

/// Receives events.
pub(super) struct Events {
    events: Receiver<Event>,
    wake: UnixStream,
}

pub(super) fn channel() -> io::Result<(EventSender, Events)> {
    let (sender, events) = mpsc::channel();
    let (wake, waker) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    let waker = Arc::new(waker);
    let sender = EventSender {
        events: sender,
        waker,
    };
    Ok((sender, Events { events, wake }))
}

impl EventSender {
    /// Sends user input; `false` = the view has ended.
    pub fn input(&self, input: Input) -> bool {
        self.send(Event::Input(input))
    }

    pub(super) fn send(&self, event: Event) -> bool {
        self.events.send(event).is_ok() && (&*self.waker).write_all(&[0]).is_ok()
    }
}

impl Write for EventSender {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        self.send(Event::Message(message.to_vec()));
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Events {
    pub(super) fn next(&self) -> Option<Event> {
        let _ = rustix::io::read(&self.wake, &mut [0; 64]);
        self.events.try_recv().ok()
    }
}

impl AsFd for Events {
    /// Readable when there are events.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
