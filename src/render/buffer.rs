//! The rows between a listing and its writer: kept, sorted, limited and given the names of their hosts.

use std::cmp::Ordering;
use std::io;
use std::ops::ControlFlow;

use crate::model::{OwnedRow, Row, Summary};

use super::{Field, Sink, order};

/// A word of `--sort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// What to compare.
    pub column: Field,
    /// True if the largest comes first. Unknown values come last either way.
    pub descending: bool,
}

impl SortKey {
    fn compare(self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        order::compare(self.column, self.descending, a, b)
    }

    /// By a column, as it is mostly wanted: the fullest queues first, everything else ascending.
    pub const fn usual(column: Field) -> Self {
        let descending = matches!(column, Field::RecvQueue | Field::SendQueue);
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

/// Which rows are written, in which order, and with which names.
#[derive(Default)]
pub struct Arrangement {
    /// The order: by the first key, among equals by the second, and so on. Rows with equal keys keep the
    /// order they came in; without a key all do.
    pub sort: Vec<SortKey>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Gives the rows that are written the names of their hosts.
    pub name_hosts: Option<NameHosts>,
}

/// Gives rows the names of their hosts.
pub type NameHosts = Box<dyn Fn(&mut [OwnedRow])>;

/// What a buffer knew at a point that it can go back to.
#[derive(Default)]
struct Checkpoint {
    /// Rows that were kept,
    kept: usize,
    /// and that were taken.
    taken: u64,
    more: bool,
    /// The kept rows, if they are no longer the first ones.
    rows: Option<Vec<OwnedRow>>,
}

/// Passes rows on to a writer.
///
/// Every row is kept until the end for a sort and for the names of hosts; of a sort with a limit at most
/// four times as many as are written: twice as many, and those of the checkpoint. The first
/// [`WINDOW`](Self::WINDOW) are kept for a writer that wants to see them at once, and for a limit that is
/// no higher, so that they can be rolled back. All others are written as they come.
pub struct RowBuffer<'w> {
    writer: Box<dyn Sink + 'w>,
    arrangement: Arrangement,
    /// Rows that are kept before the first one is written.
    room: usize,
    rows: Vec<OwnedRow>,
    is_writing: bool,
    taken: u64,
    /// True if rows beyond the limit were offered.
    more: bool,
    checkpoint: Checkpoint,
}

impl<'w> RowBuffer<'w> {
    /// Rows that are kept where not all are.
    pub const WINDOW: usize = 1_000;

    /// Before a writer.
    pub fn new(writer: Box<dyn Sink + 'w>, arrangement: Arrangement) -> Self {
        let limit = arrangement.limit.map(limit);
        let room = if !arrangement.sort.is_empty() || arrangement.name_hosts.is_some() {
            usize::MAX
        } else if writer.is_laid_out() || limit.is_some_and(|limit| limit <= Self::WINDOW) {
            Self::WINDOW
        } else {
            0
        };
        Self {
            writer,
            arrangement,
            room,
            rows: Vec::new(),
            is_writing: room == 0,
            taken: 0,
            more: false,
            checkpoint: Checkpoint::default(),
        }
    }

    /// True if rows are kept, the first ones at least, so that they can be rolled back.
    pub const fn keeps(&self) -> bool {
        self.room > 0
    }

    /// Begins rows that may have to be rolled back.
    pub fn checkpoint(&mut self) {
        self.checkpoint = Checkpoint {
            kept: self.rows.len(),
            taken: self.taken,
            more: self.more,
            rows: None,
        };
    }

    /// Drops every row since the last checkpoint; `false` = some may be written.
    pub fn rollback(&mut self) -> bool {
        if self.is_writing {
            return false;
        }
        match self.checkpoint.rows.take() {
            Some(rows) => self.rows = rows,
            None => self.rows.truncate(self.checkpoint.kept),
        }
        self.taken = self.checkpoint.taken;
        self.more = self.checkpoint.more;
        true
    }

    /// Keeps a row, if there is room.
    fn keep(&mut self, row: &Row<'_>) -> bool {
        if self.rows.len() >= self.room {
            return false;
        }
        self.rows.push(OwnedRow::keep(row));
        let most = self
            .arrangement
            .limit
            .map(|most| limit(most).saturating_mul(2));
        if !self.arrangement.sort.is_empty() && most.is_some_and(|most| self.rows.len() >= most) {
            if self.checkpoint.rows.is_none() {
                let kept = self.rows.get(..self.checkpoint.kept);
                self.checkpoint.rows = kept.map(<[OwnedRow]>::to_vec);
            }
            self.sort();
        }
        true
    }

    /// Brings the kept rows into their order, and drops those beyond the limit.
    fn sort(&mut self) {
        let keys = &self.arrangement.sort;
        if keys.is_empty() {
            return;
        }
        self.rows
            .sort_by(|a, b| SortKey::compare_all(keys, &a.row(), &b.row()));
        if let Some(most) = self.arrangement.limit.map(limit) {
            self.more |= self.rows.len() > most;
            self.rows.truncate(most);
        }
    }

    /// Writes the kept rows; those that follow are written as they come.
    fn write_kept(&mut self) -> io::Result<ControlFlow<()>> {
        if std::mem::replace(&mut self.is_writing, true) {
            return Ok(ControlFlow::Continue(()));
        }
        self.sort();
        let mut rows = std::mem::take(&mut self.rows);
        if let Some(name_hosts) = &self.arrangement.name_hosts {
            name_hosts(&mut rows);
        }
        self.writer.rows(&rows)
    }
}

impl Sink for RowBuffer<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let is_full = match self.arrangement.limit {
            Some(0) => true,
            Some(limit) => self.taken == limit && self.arrangement.sort.is_empty(),
            None => false,
        };
        if is_full {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        self.taken += 1;
        if !self.is_writing {
            if self.keep(row) {
                return Ok(ControlFlow::Continue(()));
            }
            if self.write_kept()?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.writer.row(row)
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        // Whoever has left misses the end alone.
        let _ = self.write_kept()?;
        match self.arrangement.limit {
            Some(limit) if self.more => self.writer.finish(&Summary {
                matched: limit,
                limited: true,
                ..summary.clone()
            }),
            _ => self.writer.finish(summary),
        }
    }
}

/// A limit of rows in memory.
fn limit(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
