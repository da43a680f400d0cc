//! Rows to text, JSON and CSV.

pub mod column;

use std::io;
use std::ops::ControlFlow;

use crate::model::{Row, Summary};
pub use column::Column;

/// Takes the rows of a listing, one after another.
pub trait Sink {
    /// One row; `Break` when no further row is wanted.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>>;

    /// The end of the listing: everything held back is written.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    fn finish(&mut self, summary: &Summary) -> io::Result<()>;
}
