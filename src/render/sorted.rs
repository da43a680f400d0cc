//! `--sort`: holds every row until the end, or with a limit at most four times as many as are shown:
//! twice as many, and those of earlier tables as they were before the table that is read.

use std::cmp::Ordering;
use std::io;
use std::ops::ControlFlow;

use crate::model::{OwnedRow, Row, Summary};

use super::{Column, Sink, limited, order};

/// A word of `--sort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// What to compare.
    pub column: Column,
    /// The largest first. Unknown values come last either way.
    pub descending: bool,
}

impl SortKey {
    fn compare(self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        order::compare(self.column, self.descending, a, b)
    }

    /// By a column, as it is mostly wanted: the fullest queues first, everything else ascending.
    pub const fn usual(column: Column) -> Self {
        let descending = matches!(column, Column::RecvQueue | Column::SendQueue);
        Self { column, descending }
    }

    /// Which of two rows comes first, by the first key that tells them apart.
    pub fn compare_all(keys: &[Self], a: &Row<'_>, b: &Row<'_>) -> Ordering {
        keys.iter()
            .map(|key| key.compare(a, b))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

/// Passes on the rows in order, at the end. Rows with equal keys keep the order they came in.
pub struct Sorted<'w> {
    inner: Box<dyn Sink + 'w>,
    keys: Vec<SortKey>,
    limit: Option<usize>,
    rows: Vec<OwnedRow>,
    /// Rows beyond the limit were dropped.
    more: bool,
    /// How many rows there were at the last mark, and whether some were dropped before.
    marked: (usize, bool),
    /// The rows of that time, where they are no longer the first ones.
    before: Option<Vec<OwnedRow>>,
}

impl<'w> Sorted<'w> {
    /// Rows for `inner` in the order of the first key, among equals of the second, and so on; of
    /// these only the first `limit`.
    pub fn new(inner: Box<dyn Sink + 'w>, keys: Vec<SortKey>, limit: Option<u64>) -> Self {
        Self {
            inner,
            keys,
            limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            rows: Vec::new(),
            more: false,
            marked: (0, false),
            before: None,
        }
    }

    fn sort(&mut self) {
        let keys = &self.keys;
        self.rows
            .sort_by(|a, b| SortKey::compare_all(keys, &a.row(), &b.row()));
    }

    /// The rows are about to change places.
    fn keep_marked(&mut self) {
        if self.before.is_none() {
            let (length, _) = self.marked;
            self.before = self.rows.get(..length).map(<[OwnedRow]>::to_vec);
        }
    }

    fn sort_and_cut(&mut self) {
        self.sort();
        if let Some(limit) = self.limit.filter(|limit| self.rows.len() > *limit) {
            self.rows.truncate(limit);
            self.more = true;
        }
    }
}

impl Sink for Sorted<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        if self.limit == Some(0) {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        self.rows.push(OwnedRow::keep(row));
        let full = self.limit.map(|limit| limit.saturating_mul(2));
        if full.is_some_and(|full| self.rows.len() >= full) {
            self.keep_marked();
            self.sort_and_cut();
        }
        Ok(ControlFlow::Continue(()))
    }

    fn mark(&mut self) {
        self.marked = (self.rows.len(), self.more);
        self.before = None;
    }

    fn take_back(&mut self) -> bool {
        let (length, more) = self.marked;
        match self.before.take() {
            Some(before) => self.rows = before,
            None => self.rows.truncate(length),
        }
        self.more = more;
        true
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        self.sort_and_cut();
        for row in std::mem::take(&mut self.rows) {
            if self.inner.row(&row.row())?.is_break() {
                break;
            }
        }
        match self.limit {
            Some(limit) if self.more => {
                let shown = u64::try_from(limit).unwrap_or(u64::MAX);
                self.inner.finish(&limited::cut(summary, shown))
            }
            _ => self.inner.finish(summary),
        }
    }
}
