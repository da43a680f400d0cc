//! One table that is looked at again and again.

use std::ops::ControlFlow;
use std::time::Instant;

use super::Found;
use super::known::Known;
use super::news::News;
use crate::error::Error;
use crate::filter::Exact;
use crate::model::{Socket, Source as Kind, State, StateSet, Warning};
use crate::source::events::Watched;
use crate::source::{Extensions, Outcome, Request, Source};

/// A table, what is asked about it, and what is known of it.
#[derive(Debug)]
pub(super) struct Watch {
    request: Request,
    pub(super) known: Known,
    /// Who answered last.
    source: Option<Kind>,
    /// Why a look was not complete, the first time.
    gap: Gap,
}

/// What is said of a table that cannot be seen whole.
#[derive(Debug)]
enum Gap {
    None,
    New(Warning),
    Told,
}

impl Watch {
    /// Asks for all states but BOUND, which the kernel cannot tell from CLOSED.
    pub(super) fn new(watched: Watched) -> Self {
        Self {
            request: Request {
                states: StateSet::ALL.without(State::Bound),
                extensions: Extensions::default(),
                narrow: watched.narrow.for_life(),
            },
            known: Known::new(watched.table),
            source: None,
            gap: Gap::None,
        }
    }

    /// Looks at the table once. What else it brings to be known joins `warnings`.
    ///
    /// # Errors
    ///
    /// When the table cannot be read at all.
    pub(super) fn look(
        &mut self,
        source: &mut dyn Source,
        news: &mut News,
        warnings: &mut Vec<Warning>,
    ) -> Result<Found, Error> {
        let before = news.len();
        let known = &mut self.known;
        let exact = self.request.narrow.exact;
        let visited = source.visit(known.table(), &self.request, &mut |socket: &Socket| {
            if is_wanted(exact, socket) {
                known.meet(socket, news);
            }
            ControlFlow::Continue(())
        });
        let outcome = match visited {
            Ok(outcome) => outcome,
            Err(error) => {
                self.miss(Warning::Failed(error.chain().into()));
                return Err(error);
            }
        };
        Ok(self.judge(outcome, before, (news, warnings)))
    }

    /// What the look is worth.
    fn judge(
        &mut self,
        outcome: Outcome,
        before: usize,
        (news, warnings): (&mut News, &mut Vec<Warning>),
    ) -> Found {
        for warning in &outcome.warnings {
            if !warning.is_gap() && !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        let last = self.source;
        self.source = outcome.source.or(last);
        if last.is_some() && self.source != last {
            // Two sources do not tell sockets apart by the same marks.
            news.truncate(before);
            self.known = Known::new(self.known.table());
            self.miss(Warning::OtherSource(self.known.table()));
            return Found::Change;
        }
        if let Some(gap) = outcome.into_gaps().next() {
            self.miss(gap);
            self.known.give_up();
            return found(news, before);
        }
        match self.known.settle(Instant::now(), news) {
            Found::Change => Found::Change,
            Found::Nothing => found(news, before),
        }
    }

    fn miss(&mut self, why: Warning) {
        if matches!(self.gap, Gap::None) {
            self.gap = Gap::New(why);
        }
    }

    /// Why something may be missing, once.
    pub(super) fn gap(&mut self) -> Option<Warning> {
        match std::mem::replace(&mut self.gap, Gap::Told) {
            Gap::New(why) => Some(why),
            Gap::None => {
                self.gap = Gap::None;
                None
            }
            Gap::Told => None,
        }
    }
}

fn found(news: &News, before: usize) -> Found {
    if news.len() > before {
        Found::Change
    } else {
        Found::Nothing
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
