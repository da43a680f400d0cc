//! `--limit`: the first rows, and whether there were more.

use std::io;
use std::ops::ControlFlow;

use crate::model::{OwnedRow, Row, Summary};

use super::Sink;

/// Passes on the first rows. That there are more is known, and said in the summary, once another one
/// is offered; it also ends the listing. Until then a few rows are held, so that they can be taken back.
pub struct Limited<'w> {
    inner: Box<dyn Sink + 'w>,
    limit: u64,
    taken: u64,
    more: bool,
    /// The rows, where they are held.
    rows: Vec<OwnedRow>,
    /// How many there were at the last mark, and whether there were more.
    marked: (u64, bool),
}

impl<'w> Limited<'w> {
    /// No more rows than these are held.
    pub const HELD: u64 = 1_000;

    /// At most `limit` rows for `inner`; 0 = none.
    pub fn new(inner: Box<dyn Sink + 'w>, limit: u64) -> Self {
        Self {
            inner,
            limit,
            taken: 0,
            more: false,
            rows: Vec::new(),
            marked: (0, false),
        }
    }

    const fn holds(&self) -> bool {
        self.limit <= Self::HELD
    }
}

impl Sink for Limited<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        if self.taken == self.limit {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        self.taken += 1;
        if self.holds() {
            self.rows.push(OwnedRow::keep(row));
            return Ok(ControlFlow::Continue(()));
        }
        self.inner.row(row)
    }

    fn mark(&mut self) {
        self.marked = (self.taken, self.more);
        self.inner.mark();
    }

    fn take_back(&mut self) -> bool {
        let is_taken = self.holds() || self.inner.take_back();
        if is_taken {
            (self.taken, self.more) = self.marked;
            self.rows
                .truncate(usize::try_from(self.taken).unwrap_or(usize::MAX));
        }
        is_taken
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        for row in std::mem::take(&mut self.rows) {
            if self.inner.row(&row.row())?.is_break() {
                break;
            }
        }
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
