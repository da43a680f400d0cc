//! Rows kept by `--wait` until the check holds.

use std::io;
use std::ops::ControlFlow;

use super::check::Tally;
use crate::model::Socket;
use crate::query::Count;
use crate::reading::Matcher;
use crate::render::{RowBuffer, Sink as _};

/// The most sockets kept to the end of a listing that can no longer fail, so that it can restart after data
/// loss. Later ones are shown at once.
const MOST: usize = 1_000;

type Opening = Box<dyn FnOnce() -> RowBuffer<'static>>;

pub(super) struct PendingRows {
    expected: Count,
    /// True if nothing about a failed check is reported.
    pub(super) is_failure_enough: bool,
    sockets: Vec<Socket>,
    /// Number of sockets at the last checkpoint.
    checkpoint: usize,
    opening: Option<Opening>,
    /// The buffer for shown rows; `None` = nothing is shown yet.
    shown: Option<RowBuffer<'static>>,
}

impl PendingRows {
    /// `opening` creates the buffer for shown rows.
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

    /// Marks the start of sockets that may be rolled back.
    pub(super) fn checkpoint(&mut self) {
        self.checkpoint = self.sockets.len();
    }

    /// Drops every socket since the last checkpoint; `false` = some were shown.
    pub(super) fn rollback(&mut self) -> bool {
        self.sockets.truncate(self.checkpoint);
        !self.is_open()
    }

    /// Adds the last socket of the matcher; `Break` = no further one is to be shown.
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
            // The check has failed.
            self.sockets.clear();
            return Ok(ControlFlow::Continue(()));
        }
        self.sockets.push(socket.clone());
        if self.sockets.len() > MOST && self.expected.is_settled(tally.certain) {
            return self.show(matcher);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Shows the kept sockets; `Break` = no further one is to be shown.
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
