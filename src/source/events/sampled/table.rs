//! A table that is polled.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use super::known::Known;
use super::pending::PendingEvents;
use crate::error::Error;
use crate::filter::Exact;
use crate::model::{Socket, Source as Kind, State, StateSet, Table, Warning};
use crate::source::events::Watched;
use crate::source::{Outcome, Request, Source};

/// A table, its request, and its known sockets in each network namespace.
#[derive(Debug)]
pub(super) struct SampledTable {
    pub(super) table: Table,
    request: Request,
    /// By inode number of the namespace; `None` = the own one, not requested.
    parts: BTreeMap<Option<u32>, Part>,
    /// Why it cannot be read.
    gap: Gap,
}

/// A table of one network namespace.
#[derive(Debug)]
struct Part {
    known: Known,
    /// The source of the last round.
    source: Option<Kind>,
    /// Why a round was incomplete, the first time.
    gap: Gap,
}

impl Part {
    fn new(table: Table) -> Self {
        Self {
            known: Known::new(table),
            source: None,
            gap: Gap::default(),
        }
    }

    /// Ends a round by its outcome. True if the next one decides about something.
    fn conclude(&mut self, outcome: Outcome, before: usize, pending: &mut PendingEvents) -> bool {
        let netns = outcome.netns.as_ref();
        let (inode, name) = (
            netns.map(|netns| netns.inode),
            netns.map(|netns| Arc::clone(&netns.name)),
        );
        let last = self.source;
        self.source = outcome.source.or(last);
        if last.is_some() && self.source != last {
            // Two sources identify sockets differently.
            pending.take_back(before, inode);
            let table = self.known.table;
            self.known = Known::new(table);
            let gap = Warning::failed(format!("{table}: the source changed during the watch"))
                .within(name.as_ref());
            self.gap.note(gap);
            return true;
        }
        if let Some(gap) = outcome.into_gaps().next() {
            self.gap.note(gap.within(name.as_ref()));
            self.known.give_up();
            return false;
        }
        self.known.settle(Instant::now(), pending)
    }
}

/// Why events may be missing: reported once.
#[derive(Debug, Default)]
pub(super) struct Gap {
    pending: Option<Warning>,
    is_noted: bool,
}

impl Gap {
    /// Notes a reason, if it is the first.
    pub(super) fn note(&mut self, why: Warning) {
        if !std::mem::replace(&mut self.is_noted, true) {
            self.pending = Some(why);
        }
    }

    /// Takes the reason, if not reported yet.
    pub(super) const fn take(&mut self) -> Option<Warning> {
        self.pending.take()
    }
}

impl SampledTable {
    /// Requests all states but BOUND, which the kernel cannot distinguish from CLOSED.
    pub(super) fn new(watched: Watched) -> Self {
        Self {
            request: Request {
                narrow: watched.narrow.for_life(),
                ..Request::plain(StateSet::ALL.without(State::Bound))
            },
            table: watched.table,
            parts: BTreeMap::new(),
            gap: Gap::default(),
        }
    }

    /// Handles a notice of a destroyed socket of the own namespace.
    pub(super) fn destroyed(&mut self, socket: &Socket) {
        if let Some(part) = self.parts.get_mut(&None) {
            part.known.destroyed(socket);
        }
    }

    /// Takes the unreported reasons why events may be missing.
    pub(super) fn gaps(&mut self) -> impl Iterator<Item = Warning> {
        let parts = self.parts.values_mut().map(|part| &mut part.gap);
        parts.chain([&mut self.gap]).filter_map(Gap::take)
    }

    /// Reads the table once. Other warnings join `warnings`. True if it found an event, or something that the next
    /// round decides.
    pub(super) fn look(
        &mut self,
        source: &mut dyn Source,
        pending: &mut PendingEvents,
        warnings: &mut Vec<Warning>,
    ) -> Result<bool, Error> {
        let before = pending.len();
        let (table, parts) = (self.table, &mut self.parts);
        let exact = self.request.narrow.exact;
        let visited = source.visit(table, &self.request, &mut |socket: &Socket| {
            if is_wanted(exact, socket) {
                let part = parts.entry(socket.netns);
                let part = part.or_insert_with(|| Part::new(table));
                part.known.meet(socket, pending);
            }
            ControlFlow::Continue(())
        });
        let outcome = visited.inspect_err(|error| {
            self.gap.note(Warning::Failed(error.chain().into()));
        })?;
        if outcome.unlisted == self.request.states {
            return Err(Error::NotInProc(table));
        }
        let mut is_open = false;
        let mut listed = BTreeSet::new();
        for outcome in outcome.each() {
            let netns = outcome.netns.as_ref();
            for warning in &outcome.warnings {
                let warning = warning.clone().within(netns.map(|netns| &netns.name));
                if !warning.is_gap() && !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            let inode = netns.map(|netns| netns.inode);
            listed.insert(inode);
            let part = self.parts.entry(inode).or_insert_with(|| Part::new(table));
            is_open |= part.conclude(outcome, before, pending);
        }
        // A namespace that is gone has no sockets.
        self.parts.retain(|inode, _| listed.contains(inode));
        Ok(is_open || pending.len() > before)
    }
}

/// True if a socket is the connection requested by both ends, if any. Such a connection is looked up, but listed among
/// others if it does not exist: the others would seem to come and go.
fn is_wanted(exact: Option<Exact>, socket: &Socket) -> bool {
    exact.is_none_or(|exact| exact.is_of(socket))
}
