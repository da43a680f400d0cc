//! Reads one table after another and passes on the rows.

use std::iter;
use std::ops::ControlFlow;

use super::{Completeness, GapKind, Row};
use crate::error::Error;
use crate::fields::Field;
use crate::filter::{Decision, Expr, Rule};
use crate::model::{Cause, Protocol, Socket, Source as Kind, StateSet, Table, Warning};
use crate::reading::{Matcher, RecordedNames, gaps, missing_fields};
use crate::source::{Outcome, Request, Source, Visitor};

/// What takes rows. A closure does, and keeps what it took.
pub(super) trait Taker {
    fn take(&mut self, row: Row<'_>) -> ControlFlow<()>;

    /// What it was given is whole.
    fn checkpoint(&mut self) {}

    /// Drops what it was given since then; false if it cannot.
    fn rollback(&mut self) -> bool {
        false
    }

    fn can_roll_back(&self) -> bool {
        false
    }
}

impl<F: FnMut(Row<'_>) -> ControlFlow<()>> Taker for F {
    fn take(&mut self, row: Row<'_>) -> ControlFlow<()> {
        self(row)
    }
}

/// Tables that are read, and what must be known of them.
pub(super) struct Reading<'r> {
    pub(super) matcher: &'r mut Matcher,
    pub(super) taker: &'r mut dyn Taker,
    pub(super) fields: &'r [Field],
    pub(super) filter: &'r Expr,
    /// Protocols that were named.
    pub(super) named: Vec<Protocol>,
    /// Names of what is recorded, if it is.
    pub(super) recorded: Option<RecordedNames>,
    pub(super) completeness: Completeness,
}

impl Reading<'_> {
    /// Reads every table until no further row is wanted.
    pub(super) fn read(
        &mut self,
        source: &mut dyn Source,
        rules: &[(Rule, Request)],
    ) -> Result<(), Error> {
        let of_protocol = |(one, _): &(Rule, Request), (other, _): &(Rule, Request)| {
            one.table().protocol == other.table().protocol
        };
        for together in rules.chunk_by(of_protocol) {
            let is_empty = |(rule, request): &&(Rule, Request)| {
                rule.is_never() || request.states == StateSet::EMPTY
            };
            let asked = together.iter().filter(|one| !is_empty(one));
            let (rules, requests): (Vec<Rule>, Vec<(Table, Request)>) = asked
                .map(|(rule, request)| (rule.clone(), (rule.table(), request.clone())))
                .unzip();
            let mut part = Part {
                undecided: vec![None; rules.len()],
                before: vec![None; rules.len()],
                rules: &rules,
                reading: self,
                is_untouched: true,
                is_over: false,
            };
            let outcomes = source.visit_all(&requests, &mut part);
            let (undecided, is_over) = (part.undecided, part.is_over);
            self.note(&rules, outcomes, &undecided)?;
            if is_over {
                break;
            }
        }
        Ok(())
    }

    fn note(
        &mut self,
        rules: &[Rule],
        outcomes: Vec<Result<Outcome, Error>>,
        undecided: &[Option<Kind>],
    ) -> Result<(), Error> {
        let all = rules.iter().zip(undecided);
        let unreported = all.filter_map(|(rule, source)| Some(missing_fields(rule, (*source)?)));
        let mut unreported: Vec<Warning> = unreported.flatten().collect();
        // One outcome for all, or one for each.
        let shares = match outcomes.len() {
            1 => vec![rules],
            _ => rules.chunks(1).collect(),
        };
        let named = self.named.iter().copied().collect();
        for (outcome, rules) in iter::zip(outcomes, shares) {
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(error @ Error::Usage(_)) => return Err(error),
                Err(error) => Outcome::failed(Cause::from(error)),
            };
            for mut outcome in outcome.each() {
                let unreported = std::mem::take(&mut unreported);
                for (is_gap, gap) in gaps(rules, &mut outcome, unreported, self.filter, &named) {
                    self.completeness.note_of_rows(is_gap, gap);
                }
            }
        }
        Ok(())
    }

    /// Notes which namespaces were not found.
    pub(super) fn note_search(&mut self, source: &mut dyn Source) {
        for warning in source.take_warnings() {
            self.completeness.note_of_rows(true, warning);
        }
        if !source.is_searched() {
            let text = "network namespaces held only by a descriptor or a socket are not searched";
            self.completeness.note_of_rows(true, Warning::note(text));
        }
    }

    /// What is missing in the end.
    pub(super) fn finish(mut self) -> Completeness {
        for warning in self.matcher.enricher.warnings() {
            self.completeness.note(GapKind::Owners, warning);
        }
        self.completeness
    }
}

/// Tables of one protocol.
struct Part<'p, 'r> {
    reading: &'p mut Reading<'r>,
    rules: &'p [Rule],
    /// Of each table, which source does not report what the filter asks for.
    undecided: Vec<Option<Kind>>,
    before: Vec<Option<Kind>>,
    /// True if nothing was taken since the last checkpoint.
    is_untouched: bool,
    is_over: bool,
}

impl Visitor for Part<'_, '_> {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        let mut rules = self.rules.iter().zip(&mut self.undecided);
        let own = rules.find(|(rule, _)| rule.table() == socket.table());
        let Some((rule, undecided)) = own.filter(|_| !self.is_over) else {
            return if self.is_over {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            };
        };
        let Reading {
            matcher,
            taker,
            fields,
            recorded,
            ..
        } = &mut *self.reading;
        if let Some(recorded) = recorded {
            recorded.look_up(socket);
        }
        let decision = matcher.decide(socket, rule);
        if let Decision::CannotTell { by_source, .. } = decision
            && by_source
        {
            undecided.get_or_insert(socket.source);
        }
        if decision.held() != Some(true) {
            return ControlFlow::Continue(());
        }
        self.is_untouched = false;
        let row = matcher.row(socket);
        let flow = taker.take(Row { row, fields });
        self.is_over = flow.is_break();
        flow
    }

    fn announce(&mut self, inodes: &[u64]) {
        self.reading.matcher.enricher.announce(inodes);
    }

    fn can_rewind(&self) -> bool {
        self.reading.taker.can_roll_back()
    }

    fn next_part(&mut self) {
        self.reading.taker.checkpoint();
        self.before.clone_from(&self.undecided);
        self.is_untouched = true;
    }

    fn rewind(&mut self) -> bool {
        let is_done = self.is_untouched || self.reading.taker.rollback();
        if is_done {
            self.undecided.clone_from(&self.before);
            self.is_untouched = true;
        }
        is_done
    }
}
