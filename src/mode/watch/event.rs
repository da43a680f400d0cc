//! What the program lends a view, a screen; and what a view waits for, whichever thread it comes from.

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

/// A terminal that is taken for a view, and given back as it was when this is dropped.
pub trait Console {
    /// Columns and lines.
    fn size(&self) -> [u16; 2];

    /// Writes to the screen.
    ///
    /// # Errors
    ///
    /// When that fails: the terminal is gone.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Is hung up when the terminal is gone.
    fn output(&self) -> BorrowedFd<'_>;
}

/// Takes the terminal, and tells what is done there from then on. True if keys can be read.
pub type OpenConsole = fn(EventSender) -> io::Result<(Box<dyn Console>, bool)>;

/// What a round is to be about.
pub(super) enum Question {
    /// The same query as before.
    Again,
    /// Another query, from now on.
    Other(Box<Query>),
    /// Another one, beside it.
    Aside(Arc<Query>),
}

pub(super) struct Round {
    /// True if it is the answer to [`Question::Aside`].
    pub(super) is_aside: bool,
    /// When it began, for people.
    pub(super) time: Timestamp,
    pub(super) begun: Instant,
    pub(super) ended: Instant,
    /// The rows in the order of the kernel, those that are gone as well.
    pub(super) rows: Vec<ChangedRow>,
    /// The counts as text, where sockets are counted.
    pub(super) counts: Option<String>,
    pub(super) verdict: Verdict,
    /// What is to be known of it.
    pub(super) summary: Summary,
}

pub(super) enum Event {
    Input(Input),
    Round(Result<Round, Error>),
    /// Part of a message, for the time after the view.
    Message(Vec<u8>),
}

/// Tells a view what happens.
#[derive(Clone)]
pub struct EventSender {
    events: Sender<Event>,
    waker: Arc<UnixStream>,
}

/// Events that were sent and not received yet.
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
    /// Tells what a person did; `false` = nobody listens any more.
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
    /// Can be read when there are some.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
