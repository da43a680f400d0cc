//! The sockets of a look that may still fail: they are shown when the check holds.

use std::io;
use std::ops::ControlFlow;

use super::check::Tally;
use super::matcher::Matcher;
use crate::model::Socket;
use crate::query::Count;
use crate::render::Sink;

/// So many are held to the end of a look that cannot fail any more, so that it can be begun again if
/// something is lost. Further ones are shown as they come.
const MOST: usize = 1_000;

/// Opens the output.
type Opening = Box<dyn FnOnce() -> Box<dyn Sink>>;

/// Holds sockets until they may be shown.
pub(super) struct Held {
    expected: Count,
    sockets: Vec<Socket>,
    /// How many there were at the last mark.
    marked: usize,
    opening: Option<Opening>,
    /// Where they go; `None` = nothing is shown yet.
    sink: Option<Box<dyn Sink>>,
}

impl Held {
    /// Nothing yet; what is shown goes to the sink that `opening` makes.
    pub(super) fn new(expected: Count, opening: Opening) -> Self {
        Self {
            expected,
            sockets: Vec::new(),
            marked: 0,
            opening: Some(opening),
            sink: None,
        }
    }

    /// Begins another look.
    pub(super) fn forget(&mut self) {
        self.sockets.clear();
    }

    /// Is anything shown?
    pub(super) const fn is_open(&self) -> bool {
        self.sink.is_some()
    }

    /// Where the sockets go that are shown.
    pub(super) fn opened(&mut self) -> Option<&mut dyn Sink> {
        match &mut self.sink {
            Some(sink) => Some(sink.as_mut()),
            None => None,
        }
    }

    /// What follows may have to be taken back.
    pub(super) fn mark(&mut self) {
        self.marked = self.sockets.len();
    }

    /// Takes back what came since the last mark; `false` = some is shown.
    pub(super) fn take_back(&mut self) -> bool {
        self.sockets.truncate(self.marked);
        !self.is_open()
    }

    /// One more, which the matcher was asked about last; `Break` when no further one is to be shown.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub(super) fn take(
        &mut self,
        socket: &Socket,
        tally: Tally,
        matcher: &mut Matcher,
    ) -> io::Result<ControlFlow<()>> {
        if let Some(sink) = &mut self.sink {
            return sink.row(&matcher.row(socket));
        }
        if self.expected.is_exceeded(tally.found) {
            // The look has failed.
            self.sockets.clear();
            return Ok(ControlFlow::Continue(()));
        }
        self.sockets.push(socket.clone());
        if self.sockets.len() > MOST && self.expected.is_settled(tally.certain) {
            return self.show(matcher);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Shows what is held; `Break` when no further one is to be shown.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub(super) fn show(&mut self, matcher: &mut Matcher) -> io::Result<ControlFlow<()>> {
        if let Some(opening) = self.opening.take() {
            self.sink = Some(opening());
        }
        let Some(sink) = &mut self.sink else {
            return Ok(ControlFlow::Break(()));
        };
        for socket in self.sockets.drain(..) {
            if sink.row(&matcher.row_of(&socket))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
