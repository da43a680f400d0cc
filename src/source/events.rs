//! Sources of events: the transitions of sockets in the TCP state machine, as they happen.

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

/// Receives the events of a source. Implemented by closures.
pub trait TakesEvents {
    /// Takes one event; `Break` ends the watch.
    fn take(&mut self, event: &Event) -> ControlFlow<()>;

    /// Sets the namespaces of the events that follow.
    fn use_namespaces(&mut self, _namespaces: Namespaces) {}
}

impl<F: FnMut(&Event) -> ControlFlow<()>> TakesEvents for F {
    fn take(&mut self, event: &Event) -> ControlFlow<()> {
        self(event)
    }
}

/// The receiver of a source's events.
pub type EventVisitor<'a> = dyn TakesEvents + 'a;

/// The watched network namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The own one; its events do not name it.
    Own,
    /// Those that the source found.
    Known,
    /// All, including new ones.
    All,
}

/// A watched table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The table: TCP or MPTCP.
    pub table: Table,
    /// What of it may be omitted. A source may report more, never less.
    pub narrow: Narrow,
    /// The states of interest: transitions to and from these.
    pub states: StateSet,
    /// True if the owners of sockets are needed.
    pub owners: bool,
}

impl Watched {
    /// Watches everything of a table.
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
    /// Waits for events and lends them in order of time. Returns at the latest when `wake` is readable, or at
    /// `until`. By then it has reported everything that happened before the call, except what it counts as lost for
    /// lack of time. `Break` = the visitor wants no more.
    ///
    /// # Errors
    ///
    /// When watching cannot continue.
    fn wait(
        &mut self,
        wake: BorrowedFd<'_>,
        until: Option<Instant>,
        visitor: &mut EventVisitor<'_>,
    ) -> Result<ControlFlow<()>, Error>;

    /// Transitions lost so far: the kernel had no room for a record, made none, or lsock had no time to read it.
    fn lost(&self) -> u64;

    /// Why transitions are found by polling; `None` = the kernel records them.
    fn sampled(&self) -> Option<String>;

    /// Origin and target of a TCP transition that is not always reported; empty = all are, unless lost.
    fn untold(&self) -> StateSet {
        StateSet::EMPTY
    }

    /// Takes the connections that have no further events, though their last was not to CLOSED: the kernel keeps a small
    /// structure of them, whose transitions it does not report.
    fn take_ended(&mut self) -> Vec<u64> {
        Vec::new()
    }

    /// Why events may be missing, besides lost records; each reason is reported once.
    fn gaps(&mut self) -> Vec<Warning>;
}

/// The minimum time between two searches for unknown namespaces.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// Searches take at most one part in this many of the time.
const SHARE: u32 = 20;
/// The time between searches if no namespace is unknown, to drop those that are gone.
const NEXT_LOOK: Duration = Duration::from_secs(2);

/// The watched namespaces, and a source that lists their sockets.
struct Networks {
    source: Box<dyn Source>,
    /// Their inode numbers.
    known: BTreeSet<u32>,
    /// When the last search ended, and how long it took.
    looked: (Instant, Duration),
}

impl Networks {
    /// Starts with the namespaces that a source has found.
    fn new(source: Box<dyn Source>) -> Self {
        Self {
            known: source.namespaces().into_keys().collect(),
            source,
            looked: (Instant::now(), Duration::ZERO),
        }
    }

    /// Searches again if it is time, and gives the namespaces to the visitor.
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
        // Namespaces that are gone have no more events.
        self.source.next_round();
        let _ = self.source.take_warnings();
        let namespaces = self.source.namespaces();
        self.known = namespaces.keys().copied().collect();
        self.looked = (Instant::now(), begun.elapsed());
        visitor.use_namespaces(namespaces);
    }
}
