//! Where events come from: steps of sockets through the TCP state machine, as they happen.

mod sampled;
mod traced;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::filter::Narrow;
use crate::model::{Event, StateSet, Table, Warning};
use crate::source::{Namespaces, Source};

pub use sampled::{Destroyed, Heard, Notices, Sampled};
pub use traced::Traced;

/// What takes the events of a source. A closure does.
pub trait TakesEvents {
    /// One event; `Break` ends the watch.
    fn take(&mut self, event: &Event) -> ControlFlow<()>;

    /// The namespaces whose events come are these from now on.
    fn use_namespaces(&mut self, _namespaces: Namespaces) {}
}

impl<F: FnMut(&Event) -> ControlFlow<()>> TakesEvents for F {
    fn take(&mut self, event: &Event) -> ControlFlow<()> {
        self(event)
    }
}

/// What takes the events of a source.
pub type EventVisitor<'a> = dyn TakesEvents + 'a;

/// The network namespaces that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The own one; its events do not say so.
    Own,
    /// Those that the source knows.
    Known,
    /// Every one, those that come too.
    All,
}

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

    /// Steps that the kernel had no room to record, or no record of, or this program no time for, so far.
    fn lost(&self) -> u64;

    /// Why the steps are found by polling; `None` = the kernel records them.
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

/// Namespaces are looked for again where one is not known, but no more often than this,
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// and for no larger share of the time than one in so many;
const SHARE: u32 = 20;
/// else so often, to let go of those that are gone.
const NEXT_LOOK: Duration = Duration::from_secs(2);

/// Lists the sockets of the namespaces that are watched, and knows which these are.
struct Networks {
    source: Box<dyn Source>,
    /// Their inode numbers.
    known: BTreeSet<u32>,
    /// When they were looked for, and how long that took.
    looked: (Instant, Duration),
}

impl Networks {
    /// Those that a source has found.
    fn new(source: Box<dyn Source>) -> Self {
        Self {
            known: source.namespaces().into_keys().collect(),
            source,
            looked: (Instant::now(), Duration::ZERO),
        }
    }

    /// Looks for them again, if it is time to, and gives them to the visitor.
    fn look(&mut self, is_one_missing: bool, visitor: &mut EventVisitor<'_>) {
        let (ended, cost) = self.looked;
        let rest = if is_one_missing {
            BETWEEN_LOOKS
        } else {
            NEXT_LOOK
        };
        let begun = Instant::now();
        if begun.duration_since(ended) < rest.max(cost * SHARE) {
            return;
        }
        // What is gone has no more steps.
        self.source.next_round();
        let _ = self.source.take_warnings();
        let namespaces = self.source.namespaces();
        self.known = namespaces.keys().copied().collect();
        self.looked = (Instant::now(), begun.elapsed());
        visitor.use_namespaces(namespaces);
    }
}
