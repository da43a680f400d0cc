//! Rounds on a thread of their own: keys are answered while it looks.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use jiff::Timestamp;

use super::event::{Event, EventSender, Round};
use super::looker::Looker;
use crate::error::Error;
use crate::mode::{Messages, sources};
use crate::query::Query;

/// Looks when it is asked to, and tells each round.
pub(super) struct Worker {
    asked: Sender<Option<Box<Query>>>,
    /// Rounds that were asked for and are not over.
    open: usize,
}

impl Worker {
    /// For this query. Has not been asked yet.
    pub(super) fn start(query: Query, events: EventSender) -> io::Result<Self> {
        let (asked, questions) = mpsc::channel();
        thread::Builder::new().spawn(move || {
            if let Err(error) = work(query, &questions, &events) {
                events.send(Event::Round(Err(error)));
            }
        })?;
        Ok(Self { asked, open: 0 })
    }

    /// Asks for a round, of another query if there is one: what is under way is of no use any more then.
    pub(super) fn ask(&mut self, query: Option<Box<Query>>) {
        // Where nobody hears it, an error is on its way.
        let _ = self.asked.send(query);
        self.open += 1;
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.open > 0
    }

    /// A round is over. True if it is the last that was asked for.
    pub(super) const fn is_answered(&mut self) -> bool {
        self.open -= 1;
        self.open == 0
    }
}

/// Looks as often as it is asked to; every question is one for a round, and may change the query.
/// Ends when nobody listens any more.
fn work(
    query: Query,
    questions: &Receiver<Option<Box<Query>>>,
    events: &EventSender,
) -> Result<(), Error> {
    let mut out = events.clone();
    let mut messages = Messages::new("lsock", &mut out);
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
        if !events.send(Event::Round(Ok(round))) {
            break;
        }
    }
    Ok(())
}
