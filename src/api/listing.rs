//! Sockets that are kept.

use std::ops::ControlFlow;
use std::slice;
use std::sync::Arc;

use super::read::Taker;
use super::{Completeness, OwnedRow, Row};
use crate::fields::Field;

/// Sockets, and whether these are all.
///
/// ```
/// let lsock::Listing { rows, completeness, .. } = lsock::listeners()?;
/// println!("{} listeners, complete: {}", rows.len(), completeness.is_complete());
/// # Ok::<(), lsock::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The sockets, in the order in which the kernel tells them.
    pub rows: Vec<OwnedRow>,
    /// Whether these are all, with all that was asked for.
    pub completeness: Completeness,
}

impl Listing {
    /// Lends each row.
    ///
    /// ```
    /// let listing = lsock::listeners()?;
    /// let on_port_80 = listing.iter().filter(|row| row.local().is_some_and(|local| local.port() == 80));
    /// println!("{}", on_port_80.count());
    /// # Ok::<(), lsock::Error>(())
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        self.rows.iter().map(OwnedRow::row)
    }
}

impl<'a> IntoIterator for &'a Listing {
    type Item = Row<'a>;
    type IntoIter = std::iter::Map<slice::Iter<'a, OwnedRow>, fn(&'a OwnedRow) -> Row<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter().map(OwnedRow::row)
    }
}

impl IntoIterator for Listing {
    type Item = OwnedRow;
    type IntoIter = std::vec::IntoIter<OwnedRow>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

/// Rows that are kept.
pub(super) struct Kept {
    rows: Vec<OwnedRow>,
    /// So many are certain to stay.
    whole: usize,
    fields: Arc<[Field]>,
}

impl Kept {
    /// Nothing yet, with these fields.
    pub(super) fn of(fields: &[Field]) -> Self {
        Self {
            rows: Vec::new(),
            whole: 0,
            fields: fields.into(),
        }
    }

    pub(super) fn into_rows(self) -> Vec<OwnedRow> {
        self.rows
    }
}

impl Taker for Kept {
    fn take(&mut self, row: Row<'_>) -> ControlFlow<()> {
        self.rows.push(OwnedRow::keep(row, &self.fields));
        ControlFlow::Continue(())
    }

    fn checkpoint(&mut self) {
        self.whole = self.rows.len();
    }

    fn rollback(&mut self) -> bool {
        self.rows.truncate(self.whole);
        true
    }

    fn can_roll_back(&self) -> bool {
        true
    }
}
