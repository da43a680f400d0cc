//! Rounds on a thread of their own: keys are answered while it looks.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use jiff::Timestamp;

use super::looker::Looker;
use crate::error::Error;
use crate::mode::{Messages, sources};
use crate::model::{ChangedRow, Summary};
use crate::query::Query;

/// What one round brought.
pub(super) struct Round {
    /// When it began, for people.
    pub(super) time: Timestamp,
    /// When it began.
    pub(super) begun: Instant,
    /// When it ended.
    pub(super) ended: Instant,
    /// The rows in the order of the kernel, those that are gone as well.
    pub(super) rows: Vec<ChangedRow>,
    /// What is to be known of it.
    pub(super) summary: Summary,
}

/// Looks when it is asked to.
pub(super) struct Worker {
    asked: Sender<Option<Box<Query>>>,
    rounds: Receiver<Result<Round, Error>>,
    /// Can be read when a round is over.
    wake: UnixStream,
    /// Rounds that were asked for and are not over.
    open: usize,
    messages: KeptMessages,
}

impl Worker {
    /// For this query. Has not been asked yet.
    pub(super) fn start(query: Query) -> io::Result<Self> {
        let (asked, questions) = mpsc::channel();
        let (answers, rounds) = mpsc::channel();
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let messages = KeptMessages::default();
        let mut out = messages.clone();
        thread::Builder::new().spawn(move || {
            let tell = |round| answers.send(round).is_ok() && (&waker).write_all(&[0]).is_ok();
            if let Err(error) = work(query, &questions, &mut out, &tell) {
                tell(Err(error));
            }
        })?;
        Ok(Self {
            asked,
            rounds,
            wake,
            open: 0,
            messages,
        })
    }

    /// Asks for a round, of another query if there is one: what is under way is of no use any more then.
    pub(super) fn ask(&mut self, query: Option<Box<Query>>) {
        // Where nobody hears it, the next call of `round` says so.
        let _ = self.asked.send(query);
        self.open += 1;
    }

    /// True if a round is under way.
    pub(super) const fn is_busy(&self) -> bool {
        self.open > 0
    }

    /// The round that was asked for, when it is over.
    pub(super) fn round(&mut self) -> Result<Option<Round>, Error> {
        let _ = rustix::io::read(&self.wake, &mut [0; 64]);
        loop {
            let round = match self.rounds.try_recv() {
                Ok(round) => round?,
                Err(mpsc::TryRecvError::Empty) => return Ok(None),
                Err(mpsc::TryRecvError::Disconnected) => {
                    let text = "the thread that looks has ended";
                    return Err(Error::Watch(io::Error::other(text)));
                }
            };
            self.open -= 1;
            if self.open == 0 {
                return Ok(Some(round));
            }
        }
    }

    /// The messages of all rounds so far.
    pub(super) fn messages(&self) -> Vec<u8> {
        let messages = self.messages.0.lock();
        messages.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl AsFd for Worker {
    /// Can be read when a round is over.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// Messages that are written when the terminal is given back.
#[derive(Clone, Default)]
struct KeptMessages(Arc<Mutex<Vec<u8>>>);

impl Write for KeptMessages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let messages = self.0.lock();
        messages
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Looks as often as it is asked to; every question is one for a round, and may change the query.
/// Ends when `tell` finds nobody to tell.
fn work(
    query: Query,
    questions: &Receiver<Option<Box<Query>>>,
    out: &mut dyn Write,
    tell: &dyn Fn(Result<Round, Error>) -> bool,
) -> Result<(), Error> {
    let mut messages = Messages::new("lsock", out);
    messages.repeat();
    let mut looker = Looker::new(query, &sources::open)?;
    for query in questions {
        if let Some(query) = query {
            looker = Looker::new(*query, &sources::open)?;
        }
        let (time, begun) = (Timestamp::now(), Instant::now());
        let summary = looker.look(&mut messages)?;
        let round = Round {
            time,
            begun,
            ended: Instant::now(),
            rows: looker.rows(|_| true),
            summary,
        };
        if !tell(Ok(round)) {
            break;
        }
    }
    Ok(())
}
