//! `--limit`: the first rows, and whether there were more.

use std::io;
use std::ops::ControlFlow;

use crate::model::{Row, Summary};

use super::Sink;

/// Passes on the first rows. That there are more is known, and said in the summary, once another one
/// is offered; it also ends the listing.
pub struct Limited<'w> {
    inner: Box<dyn Sink + 'w>,
    limit: u64,
    passed: u64,
    more: bool,
    /// The same two at the last mark.
    marked: (u64, bool),
}

impl<'w> Limited<'w> {
    /// At most `limit` rows for `inner`; 0 = none.
    pub fn new(inner: Box<dyn Sink + 'w>, limit: u64) -> Self {
        Self {
            inner,
            limit,
            passed: 0,
            more: false,
            marked: (0, false),
        }
    }
}

impl Sink for Limited<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        if self.passed == self.limit {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        self.passed += 1;
        self.inner.row(row)
    }

    fn mark(&mut self) {
        self.marked = (self.passed, self.more);
        self.inner.mark();
    }

    fn take_back(&mut self) -> bool {
        let is_taken = self.inner.take_back();
        if is_taken {
            (self.passed, self.more) = self.marked;
        }
        is_taken
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        if self.more {
            self.inner.finish(&cut(summary, self.limit))
        } else {
            self.inner.finish(summary)
        }
    }
}

/// The summary of a listing of which only so many rows are shown.
pub(super) fn cut(summary: &Summary, shown: u64) -> Summary {
    Summary {
        matched: shown,
        limited: true,
        ..summary.clone()
    }
}
