//! How a listing came about.

use super::{Cause, Source, Table, Warning};

/// Which source answered for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The table.
    pub table: Table,
    /// Who answered; `None` = this kernel has no such sockets.
    pub source: Option<Source>,
    /// Why not the first choice.
    pub reason: Option<Cause>,
}

/// The end of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Rows shown.
    pub matched: u64,
    /// Nothing that was asked for is known to be missing.
    pub complete: bool,
    /// Stopped at `--limit`, or cut to it: there may be more.
    pub limited: bool,
    /// Where the rows came from, in the order they were asked for.
    pub sources: Vec<Origin>,
    /// What else must be known; also said on the standard error.
    pub warnings: Vec<Warning>,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            matched: 0,
            complete: true,
            limited: false,
            sources: Vec::new(),
            warnings: Vec::new(),
        }
    }
}
