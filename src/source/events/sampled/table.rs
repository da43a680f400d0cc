//! One table that is looked at again and again.

use std::ops::ControlFlow;
use std::time::Instant;

use super::known::Known;
use super::pending::PendingEvents;
use crate::error::Error;
use crate::filter::Exact;
use crate::model::{Socket, Source as Kind, State, StateSet, Warning};
use crate::source::events::Watched;
use crate::source::{Extensions, Outcome, Request, Source};

/// A table, what is asked about it, and what is known of it.
#[derive(Debug)]
pub(super) struct SampledTable {
    request: Request,
    pub(super) known: Known,
    /// Who answered last.
    source: Option<Kind>,
    /// Why a look was not complete, the first time.
    pub(super) gap: Gap,
}

/// Why events may be missing: told once, whatever comes later.
#[derive(Debug, Default)]
pub(super) struct Gap {
    pending: Option<Warning>,
    is_noted: bool,
}

impl Gap {
    /// Notes the first reason.
    pub(super) fn note(&mut self, why: Warning) {
        if !std::mem::replace(&mut self.is_noted, true) {
            self.pending = Some(why);
        }
    }

    /// Takes the reason that was not told yet.
    pub(super) const fn take(&mut self) -> Option<Warning> {
        self.pending.take()
    }
}

impl SampledTable {
    /// Asks for all states but BOUND, which the kernel cannot tell from CLOSED.
    pub(super) fn new(watched: Watched) -> Self {
        Self {
            request: Request {
                netns: None,
                states: StateSet::ALL.without(State::Bound),
                extensions: Extensions::default(),
                narrow: watched.narrow.for_life(),
            },
            known: Known::new(watched.table),
            source: None,
            gap: Gap::default(),
        }
    }

    /// Looks at the table once. What else it brings to be known joins `warnings`. True if it found
    /// anything that is to be told, or that the next look decides.
    pub(super) fn look(
        &mut self,
        source: &mut dyn Source,
        pending: &mut PendingEvents,
        warnings: &mut Vec<Warning>,
    ) -> Result<bool, Error> {
        let before = pending.len();
        let known = &mut self.known;
        let exact = self.request.narrow.exact;
        let visited = source.visit(known.table, &self.request, &mut |socket: &Socket| {
            if is_wanted(exact, socket) {
                known.meet(socket, pending);
            }
            ControlFlow::Continue(())
        });
        let outcome = visited.inspect_err(|error| {
            self.gap.note(Warning::Failed(error.chain().into()));
        })?;
        if outcome.unlisted == self.request.states {
            return Err(Error::NotInProc(known.table));
        }
        for warning in &outcome.warnings {
            if !warning.is_gap() && !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        let is_open = self.conclude(outcome, before, pending);
        Ok(is_open || pending.len() > before)
    }

    /// Decides what the look is worth. True if the next one decides about something.
    fn conclude(&mut self, outcome: Outcome, before: usize, pending: &mut PendingEvents) -> bool {
        let last = self.source;
        self.source = outcome.source.or(last);
        if last.is_some() && self.source != last {
            // Two sources do not tell sockets apart by the same marks.
            pending.truncate(before);
            let table = self.known.table;
            self.known = Known::new(table);
            self.gap.note(Warning::OtherSource(table));
            return true;
        }
        if let Some(gap) = outcome.into_gaps().next() {
            self.gap.note(gap);
            self.known.give_up();
            return false;
        }
        self.known.settle(Instant::now(), pending)
    }
}

/// A connection asked for by both ends is looked up, and listed among others while it is not there:
/// the others would seem to come and go.
fn is_wanted(exact: Option<Exact>, socket: &Socket) -> bool {
    exact.is_none_or(|exact| {
        socket.local.is_at(exact.local)
            && socket.peer.is_at(exact.peer)
            && socket.interface == exact.interface
    })
}
