//! Summaries of listings: sources, completeness and warnings.

use super::{Cause, Network, Source, StateSet, Table, Warning};

/// The source of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub table: Table,
    /// The source; `None` = this kernel has no such sockets.
    pub source: Option<Source>,
    /// Why the first choice was not used.
    pub reason: Option<Cause>,
    /// States that the source does not list; the number of their sockets is unknown.
    pub unlisted: StateSet,
    /// The network namespace; `None` = that of `lsock`.
    pub netns: Option<Network>,
    /// True for a recording that does not say which states it has: it is all there is to list.
    pub is_scope_unknown: bool,
}

impl Origin {
    /// What the source does not list, if anything: `TCP sockets in BOUND`.
    pub fn unlisted_sockets(&self) -> Option<String> {
        let is_some = self.unlisted != StateSet::EMPTY;
        is_some.then(|| self.table.protocol.sockets_in(self.unlisted))
    }
}

/// The summary at the end of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows shown.
    pub matched: u64,
    /// True if `--limit` cut the listing: there may be more.
    pub limited: bool,
    /// The sources of the rows, in the order they were queried.
    pub sources: Vec<Origin>,
    /// TCP and UDP sockets that the requested processes hold and that are in no table. Inner `None` = some
    /// may be in another network namespace, or are not readable; outer `None` = not counted.
    pub in_no_table: Option<Option<u64>>,
    /// True if namespaces held only by a descriptor or a socket were not searched for.
    pub is_unsearched: bool,
    /// What is missing, and warnings.
    pub diagnostics: Diagnostics,
}

impl Summary {
    /// True if nothing requested is known to be missing, or may exist in a state that its source does not
    /// list.
    pub fn is_complete(&self) -> bool {
        let lists_all =
            |origin: &Origin| origin.unlisted == StateSet::EMPTY || origin.is_scope_unknown;
        self.diagnostics.is_complete() && self.sources.iter().all(lists_all)
    }

    /// True if everything requested is known, from whatever source.
    pub fn is_certain(&self) -> bool {
        let is_unlisted = |origin: &Origin| origin.unlisted != StateSet::EMPTY;
        self.diagnostics.is_complete() && !self.sources.iter().any(is_unlisted)
    }
}

/// What is missing from a run, and its warnings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// Number of things found to be missing.
    pub gaps: usize,
    /// Warnings, also written to standard error.
    pub warnings: Vec<Warning>,
}

impl Diagnostics {
    /// True if nothing requested is known to be missing.
    pub const fn is_complete(&self) -> bool {
        self.gaps == 0
    }
}
