//! The sockets of a `--wait` whose check may still fail: they are shown once it holds.

use std::io;
use std::ops::ControlFlow;

use super::check::Tally;
use crate::model::Socket;
use crate::query::Count;
use crate::reading::Matcher;
use crate::render::{RowBuffer, Sink as _};

/// So many are kept to the end of a listing that cannot fail any more, so that it can start over if
/// something is lost. Further ones are shown as they come.
const MOST: usize = 1_000;

type Opening = Box<dyn FnOnce() -> RowBuffer<'static>>;

pub(super) struct PendingRows {
    expected: Count,
    /// No more is to be known of a look that fails than that.
    pub(super) is_failure_enough: bool,
    sockets: Vec<Socket>,
    /// How many there were at the last checkpoint.
    checkpoint: usize,
    opening: Option<Opening>,
    /// Where they go; `None` = nothing is shown yet.
    shown: Option<RowBuffer<'static>>,
}

impl PendingRows {
    /// Nothing yet; what is shown goes where `opening` says.
    pub(super) fn new(expected: Count, opening: Opening) -> Self {
        Self {
            expected,
            is_failure_enough: false,
            sockets: Vec::new(),
            checkpoint: 0,
            opening: Some(opening),
            shown: None,
        }
    }

    pub(super) fn restart(&mut self, is_failure_enough: bool) {
        self.sockets.clear();
        self.is_failure_enough = is_failure_enough;
    }

    pub(super) const fn is_open(&self) -> bool {
        self.shown.is_some()
    }

    pub(super) const fn shown(&mut self) -> Option<&mut RowBuffer<'static>> {
        self.shown.as_mut()
    }

    /// Begins sockets that may have to be rolled back.
    pub(super) fn checkpoint(&mut self) {
        self.checkpoint = self.sockets.len();
    }

    /// Drops every socket since the last checkpoint; `false` = some are shown.
    pub(super) fn rollback(&mut self) -> bool {
        self.sockets.truncate(self.checkpoint);
        !self.is_open()
    }

    /// One more, which the matcher was asked about last; `Break` when no further one is to be shown.
    pub(super) fn take(
        &mut self,
        socket: &Socket,
        tally: Tally,
        matcher: &mut Matcher,
    ) -> io::Result<ControlFlow<()>> {
        if let Some(rows) = &mut self.shown {
            return rows.row(&matcher.row(socket));
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

    /// Shows what is kept; `Break` when no further one is to be shown.
    pub(super) fn show(&mut self, matcher: &mut Matcher) -> io::Result<ControlFlow<()>> {
        if let Some(opening) = self.opening.take() {
            self.shown = Some(opening());
        }
        let Some(rows) = &mut self.shown else {
            return Ok(ControlFlow::Break(()));
        };
        for socket in self.sockets.drain(..) {
            if rows.row(&matcher.row_of(&socket))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
