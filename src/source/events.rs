//! Where events come from: steps of sockets through the TCP state machine, as they happen.

mod sampled;
mod traced;

use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use crate::error::Error;
use crate::filter::Narrow;
use crate::model::{Event, StateSet, Table, Warning};

pub use sampled::{Destroyed, Sampled};
pub use traced::Traced;

/// What takes the events of a source; `Break` ends the watch.
pub type EventVisitor<'a> = dyn FnMut(&Event) -> ControlFlow<()> + 'a;

/// One table that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The table: TCP or MPTCP.
    pub table: Table,
    /// What of it may be left out. A source may tell more, never less.
    pub narrow: Narrow,
    /// In which states sockets are wanted: steps to these, and from there.
    pub states: StateSet,
    /// True if it must be known whose they are.
    pub owners: bool,
}

impl Watched {
    /// Everything of a table.
    pub fn all(table: Table) -> Self {
        Self {
            table,
            narrow: Narrow::default(),
            states: StateSet::ALL,
            owners: true,
        }
    }
}

/// A watch over sockets.
pub trait EventSource {
    /// Waits for something to tell and lends it, in the order of time. Returns at the latest when
    /// `wake` can be read, or at `until`, and then has told everything that had happened before it
    /// was called, or counts as lost what there was no time for. `Break` = the visitor wants no more.
    ///
    /// # Errors
    ///
    /// When nothing more can be seen.
    fn wait(
        &mut self,
        wake: BorrowedFd<'_>,
        until: Option<Instant>,
        visitor: &mut EventVisitor<'_>,
    ) -> Result<ControlFlow<()>, Error>;

    /// Records that the kernel had no room for, or this program no time, so far.
    fn lost(&self) -> u64;

    /// Why the steps are found by looking again and again; `None` = the kernel records them.
    fn sampled(&self) -> Option<String>;

    /// From where to where a step of TCP goes that is not always told; empty = each is, as far as it is
    /// not lost.
    fn untold(&self) -> StateSet {
        StateSet::EMPTY
    }

    /// Takes the connections of which nothing more is told, though the last step was not to CLOSED: the
    /// kernel keeps a small structure of them, whose steps it does not report.
    fn take_ended(&mut self) -> Vec<u64> {
        Vec::new()
    }

    /// Why events may be missing, besides lost records; each is told once.
    fn gaps(&mut self) -> Vec<Warning>;
}
