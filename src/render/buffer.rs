//! Buffers rows between a listing and its format: sorting, limit, host names, rollback.

use std::io;
use std::ops::ControlFlow;

use crate::model::{OwnedRow, Row, Summary};

use super::{Order, Sink};

/// The order and number of written rows, and their host names.
#[derive(Default)]
pub struct Arrangement {
    /// The order.
    pub order: Order,
    /// Maximum number of rows.
    pub limit: Option<usize>,
    /// Adds host names to the written rows.
    pub name_hosts: Option<NameHosts>,
}

impl Arrangement {
    /// Sorts the rows from a position on, and drops those beyond the limit; does nothing in the kernel's
    /// order.
    fn sort(&self, rows: &mut Vec<OwnedRow>, from: usize) {
        if self.order != Order::Kernel {
            let since = rows.get_mut(from..).unwrap_or_default();
            since.sort_by(|a, b| self.order.compare(&a.row(), &b.row()));
            rows.truncate(from.saturating_add(self.limit.unwrap_or(usize::MAX)));
        }
    }

    /// Likewise, once there are twice as many as are written.
    fn trim(&self, rows: &mut Vec<OwnedRow>, from: usize) {
        if self
            .limit
            .is_some_and(|most| (rows.len() - from) / 2 >= most)
        {
            self.sort(rows, from);
        }
    }
}

/// Adds host names to rows.
pub type NameHosts = Box<dyn Fn(&mut [OwnedRow])>;

/// Passes rows on to a writer.
///
/// Host names and sorting require that all rows are kept until the end, except in the [usual](Order::Usual)
/// order with more than [`Order::MOST`] rows, which are written unsorted. Sorting with a limit keeps at most
/// four times as many as are written: half of them before the checkpoint, half since. Otherwise the first
/// [`WINDOW`](Self::WINDOW) rows are kept, for a writer that lays them out together and for a limit that is
/// no higher, so that they can be rolled back. All others are written at once.
pub struct RowBuffer<'w> {
    writer: Box<dyn Sink + 'w>,
    arrangement: Arrangement,
    /// Number of rows kept before the first is written.
    room: usize,
    is_writing: bool,
    rows: Vec<OwnedRow>,
    /// Number of rows kept at the checkpoint.
    settled: usize,
    /// Rows received, including those beyond the limit.
    offered: usize,
    /// Rows received before the checkpoint.
    offered_before: usize,
}

impl<'w> RowBuffer<'w> {
    /// Rows kept if not all are.
    pub const WINDOW: usize = 1_000;

    /// Puts a buffer in front of a writer.
    pub fn new(writer: Box<dyn Sink + 'w>, arrangement: Arrangement) -> Self {
        let limit = arrangement.limit;
        let is_few = limit.is_some_and(|limit| limit <= Order::MOST);
        let room = if arrangement.name_hosts.is_some() {
            usize::MAX
        } else if arrangement.order == Order::Usual && !is_few {
            Order::MOST
        } else if arrangement.order != Order::Kernel {
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
            is_writing: room == 0,
            rows: Vec::new(),
            settled: 0,
            offered: 0,
            offered_before: 0,
        }
    }

    /// Keeps all rows until the end, so that they can be rolled back.
    pub fn keeping_all(writer: Box<dyn Sink + 'w>) -> Self {
        Self {
            room: usize::MAX,
            is_writing: false,
            ..Self::new(writer, Arrangement::default())
        }
    }

    /// True if at least the first rows are kept, so that they can be rolled back.
    pub const fn keeps(&self) -> bool {
        self.room > 0
    }

    /// Marks the start of rows that may be rolled back.
    pub fn checkpoint(&mut self) {
        self.arrangement.trim(&mut self.rows, 0);
        self.settled = self.rows.len();
        self.offered_before = self.offered;
    }

    /// Drops every row since the last checkpoint; `false` = some may have been written.
    pub fn rollback(&mut self) -> bool {
        if self.is_writing {
            return false;
        }
        self.rows.truncate(self.settled);
        self.offered = self.offered_before;
        true
    }

    fn keep(&mut self, row: &Row<'_>) -> bool {
        if self.rows.len() >= self.room {
            return false;
        }
        self.rows.push(OwnedRow::keep(row));
        self.arrangement.trim(&mut self.rows, self.settled);
        true
    }

    /// Writes the kept rows; later ones are written at once.
    fn write_kept(&mut self, is_all: bool) -> io::Result<ControlFlow<()>> {
        if std::mem::replace(&mut self.is_writing, true) {
            return Ok(ControlFlow::Continue(()));
        }
        let mut rows = std::mem::take(&mut self.rows);
        self.arrangement.sort(&mut rows, 0);
        if let Some(name_hosts) = &self.arrangement.name_hosts {
            name_hosts(&mut rows);
        }
        self.writer.rows(&rows, is_all)
    }
}

impl Sink for RowBuffer<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.offered += 1;
        if let Some(limit) = self.arrangement.limit
            && self.offered > limit
            && (limit == 0 || self.arrangement.order == Order::Kernel)
        {
            return Ok(ControlFlow::Break(()));
        }
        if !self.is_writing {
            if self.keep(row) {
                return Ok(ControlFlow::Continue(()));
            }
            if self.arrangement.order == Order::Usual {
                self.arrangement.order = Order::Kernel;
            }
            if self.write_kept(false)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.writer.row(row)
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        // If the reader has closed the pipe, only the end is lost.
        let _ = self.write_kept(true)?;
        match self.arrangement.limit {
            Some(limit) if self.offered > limit => self.writer.finish(&Summary {
                matched: u64::try_from(limit).unwrap_or(u64::MAX),
                limited: true,
                ..summary.clone()
            }),
            _ => self.writer.finish(summary),
        }
    }
}
