//! How a listing came about.

use super::{Cause, Network, Source, StateSet, Table, Warning};

/// Which source answered for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The table.
    pub table: Table,
    /// Who answered; `None` = this kernel has no such sockets.
    pub source: Option<Source>,
    /// Why not the first choice.
    pub reason: Option<Cause>,
    /// States whose sockets the source does not list: how many there are is unknown.
    pub unlisted: StateSet,
    /// The network namespace; `None` = the own one.
    pub netns: Option<Network>,
    /// True of a recording that does not say which states it has: it is all there is to list.
    pub is_scope_unknown: bool,
}

impl Origin {
    /// `TCP sockets in BOUND`: what the source does not list, if there is any.
    pub fn unlisted_sockets(&self) -> Option<String> {
        let is_some = self.unlisted != StateSet::EMPTY;
        is_some.then(|| self.table.protocol.sockets_in(self.unlisted))
    }
}

/// The end of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows shown.
    pub matched: u64,
    /// Stopped at `--limit`, or cut to it: there may be more.
    pub limited: bool,
    /// Where the rows came from, in the order they were asked for.
    pub sources: Vec<Origin>,
    /// Sockets of TCP and UDP that the processes asked for hold, and that no table has: the inner `None` =
    /// some may be of another network namespace, or cannot be read; the outer one = not counted.
    pub in_no_table: Option<Option<u64>>,
    /// True if namespaces that nothing but a descriptor or a socket holds were not looked for.
    pub is_unsearched: bool,
    /// What is missing, and what else must be known.
    pub diagnostics: Diagnostics,
}

impl Summary {
    /// True if nothing that was asked for is known to be missing, or may be there in a state that its
    /// source does not list.
    pub fn is_complete(&self) -> bool {
        let lists_all =
            |origin: &Origin| origin.unlisted == StateSet::EMPTY || origin.is_scope_unknown;
        self.diagnostics.is_complete() && self.sources.iter().all(lists_all)
    }

    /// True if all that was asked for is known, wherever it comes from.
    pub fn is_certain(&self) -> bool {
        let is_unlisted = |origin: &Origin| origin.unlisted != StateSet::EMPTY;
        self.diagnostics.is_complete() && !self.sources.iter().any(is_unlisted)
    }
}

/// What is missing from a run, and what else must be known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// How often something was found to be missing.
    pub gaps: usize,
    /// What must be known; also said on the standard error.
    pub warnings: Vec<Warning>,
}

impl Diagnostics {
    /// True if nothing that was asked for is known to be missing.
    pub const fn is_complete(&self) -> bool {
        self.gaps == 0
    }
}
