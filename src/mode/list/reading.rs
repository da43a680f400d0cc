//! Reads tables one by one, filters their sockets, and passes them on.

use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::slice;

use procfs::process::{FDTarget, Process};

use super::{INCOMPLETE, Listing, Output};
use crate::error::Error;
use crate::filter::{Decision, Rule, Test};
use crate::mode::Messages;
use crate::mode::check::Tally;
use crate::model::{
    Cause, Origin, Protocol, Row, Socket, Source as Kind, State, StateSet, Table, Warning,
};
use crate::reading::{gaps, missing_fields};
use crate::render::{Format, Sink as _};
use crate::source::{Detail, Outcome, Request, Source, Visitor};

impl Listing<'_> {
    /// Reads tables until no further row is wanted.
    pub(in crate::mode) fn read_all(
        &mut self,
        tables: &[Table],
        source: &mut dyn Source,
        messages: &mut Messages<'_>,
    ) -> Result<(), Error> {
        let mut rest = tables;
        while let [table, others @ ..] = rest {
            let both = match others {
                [next, ..] => self.read_both([*table, *next], source, messages)?,
                [] => None,
            };
            rest = others.get(both.iter().len()..).unwrap_or_default();
            let flow = both.map_or_else(|| self.read(*table, source, messages), Ok)?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Reads TCP of both IP versions in one walk; `None` = the source or the query does not allow it.
    fn read_both(
        &mut self,
        tables: [Table; 2],
        source: &mut dyn Source,
        messages: &mut Messages<'_>,
    ) -> Result<Option<ControlFlow<()>>, Error> {
        let is_tcp = |table: &Table| table.protocol == Protocol::Tcp;
        // `ss` lists one after the other.
        let is_in_order = matches!(self.query.format, Format::Ss(_));
        if is_in_order || !tables.iter().all(is_tcp) {
            return Ok(None);
        }
        let rules = tables.map(|table| self.query.rule(table));
        let [request, other] = rules.each_ref().map(|rule| self.request(rule));
        if request != other || rules.iter().any(Rule::is_never) {
            return Ok(None);
        }
        let mut reading = Reading::new(self, &rules);
        let outcome = source.visit_both(&request, &mut reading);
        outcome
            .map(|outcome| reading.end(Ok(outcome), messages))
            .transpose()
    }

    /// Reads one table; `Break` = no further row is wanted. An error means that the output cannot be written,
    /// or that the request is invalid.
    pub(in crate::mode) fn read(
        &mut self,
        table: Table,
        source: &mut dyn Source,
        messages: &mut Messages<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let rule = self.query.rule(table);
        let request = self.request(&rule);
        if rule.is_never() || request.states == StateSet::EMPTY {
            return Ok(ControlFlow::Continue(()));
        }
        let mut reading = Reading::new(self, slice::from_ref(&rule));
        let outcome = source.visit(table, &request, &mut reading);
        reading.end(outcome, messages)
    }

    /// The request for a rule's table. Tracked sockets are identified by their cookies.
    fn request(&self, rule: &Rule) -> Request {
        let mut request = self.query.request(rule);
        request.extensions.detail = match self.output {
            Output::Pending(_) | Output::Tracked(_) => Detail::All,
            Output::Rows(_) | Output::Counts(..) | Output::Nothing => self.query.detail(rule),
        };
        request
    }

    /// Counts a socket, and shows it, if it matches.
    fn take(
        &mut self,
        socket: &Socket,
        rule: &Rule,
        undecided: &mut Option<Kind>,
    ) -> io::Result<ControlFlow<()>> {
        if self.query.is_ended && is_own(socket) {
            return Ok(ControlFlow::Continue(()));
        }
        let decision = self.matcher.decide(socket, rule);
        let is_held = decision.held() == Some(true);
        self.tally.add(decision);
        self.kept.add(socket, decision);
        if let Decision::CannotTell { by_source, .. } = decision
            && by_source
        {
            undecided.get_or_insert(socket.source);
        }
        if let (true, Some(unlisted)) = (is_held, &mut self.unlisted) {
            unlisted.list(socket.inode);
        }
        if is_held && !self.is_full {
            self.is_full = self.show(socket)?.is_break();
        }
        Ok(if self.is_enough() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    /// Shows the last socket; `Break` = no further row is to be shown.
    fn show(&mut self, socket: &Socket) -> io::Result<ControlFlow<()>> {
        self.shown += 1;
        let flow = match &mut self.output {
            Output::Pending(pending) => pending.take(socket, self.tally, self.matcher),
            Output::Tracked(tracked) => {
                tracked.meet(&self.matcher.row(socket));
                Ok(ControlFlow::Continue(()))
            }
            // Listeners are shown.
            Output::Counts(summing, _)
                if socket.state != State::Listen && !summing.has_room(socket) =>
            {
                summing.row(&Row::bare(socket))
            }
            output => match output.sink() {
                Some(sink) => sink.row(&self.matcher.row(socket)),
                None => Ok(ControlFlow::Continue(())),
            },
        };
        match flow {
            Err(cause) if self.may_ignore(&cause) => Ok(ControlFlow::Break(())),
            flow => flow,
        }
    }

    /// True if no further socket changes the result.
    fn is_enough(&self) -> bool {
        let expected = self.query.check.expected;
        let is_settled = expected.is_none_or(|count| count.is_settled(self.tally.certain));
        let is_exceeded = expected.is_some_and(|count| count.is_exceeded(self.tally.certain));
        match &self.output {
            Output::Nothing => is_settled,
            Output::Pending(pending) if !pending.is_open() => {
                is_exceeded && pending.is_failure_enough
            }
            _ => self.is_full && is_settled,
        }
    }
}

/// True if it is a socket that this program queries the kernel with.
fn is_own(socket: &Socket) -> bool {
    let is_it = |target| matches!(target, FDTarget::Socket(inode) if socket.inode == Some(inode));
    let held = || Process::myself().and_then(|process| process.fd());
    socket.protocol == Protocol::Netlink
        && held().is_ok_and(|held| held.flatten().any(|descriptor| is_it(descriptor.target)))
}

/// Tables read together: one, or TCP of both IP versions.
struct Reading<'r, 'l> {
    listing: &'r mut Listing<'l>,
    rules: &'r [Rule],
    /// For each table, the source of the first row that could not be decided.
    undecided: [Option<Kind>; 2],
    /// The tally, `is_full` and `undecided` at the checkpoint.
    before: (Tally, bool, [Option<Kind>; 2]),
    flow: io::Result<ControlFlow<()>>,
}

impl<'r, 'l> Reading<'r, 'l> {
    fn new(listing: &'r mut Listing<'l>, rules: &'r [Rule]) -> Self {
        let mut reading = Self {
            undecided: [None; 2],
            before: (listing.tally, listing.is_full, [None; 2]),
            flow: Ok(ControlFlow::Continue(())),
            listing,
            rules,
        };
        reading.next_part();
        reading
    }

    /// Adds the warnings of the tables; `Break` = no further row is wanted.
    fn end(
        self,
        outcome: Result<Outcome, Error>,
        messages: &mut Messages<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let flow = self.flow.map_err(Error::Output)?;
        let listing = self.listing;
        listing.asked = true;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error @ Error::Usage(_)) => return Err(error),
            // Other tables can still be read.
            Err(error) => {
                let cause = Cause::from(error);
                let noted = &mut listing.summary.diagnostics;
                messages.note_gap("", Warning::Failed(cause.clone()), noted);
                Outcome::absent(cause)
            }
        };
        let undecided = self.rules.iter().zip(self.undecided);
        let mut unreported: Vec<Warning> = undecided
            .filter_map(|(rule, source)| Some(missing_fields(rule, source?)))
            .flatten()
            .collect();
        for outcome in outcome.each() {
            listing.note(self.rules, outcome, mem::take(&mut unreported), messages);
        }
        Ok(flow)
    }
}

impl Listing<'_> {
    /// Adds the warnings of the tables of one namespace.
    fn note(
        &mut self,
        rules: &[Rule],
        mut outcome: Outcome,
        unreported: Vec<Warning>,
        messages: &mut Messages<'_>,
    ) {
        let noted = &mut self.summary.diagnostics;
        let query = self.query;
        for (is_gap, warning) in gaps(rules, &mut outcome, unreported, &query.filter, &query.alone)
        {
            let is_told = noted.warnings.iter().any(|told| told.includes(&warning));
            match (is_told, is_gap) {
                // Written before, perhaps as only likely: it is missing all the same.
                (true, true) if noted.warnings.contains(&warning) => noted.gaps += 1,
                (_, true) => messages.note_gap(INCOMPLETE, warning, noted),
                (true, false) => {}
                (false, false) => messages.note(INCOMPLETE, warning, noted),
            }
        }
        let origins = rules.iter().map(|rule| Origin {
            table: rule.table(),
            source: outcome.source,
            reason: outcome.reason.clone(),
            unlisted: outcome.unlisted,
            netns: outcome.netns.clone(),
            is_scope_unknown: outcome.is_scope_unknown,
        });
        self.summary.sources.extend(origins);
    }
}

impl Visitor for Reading<'_, '_> {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        let mut both = self.rules.iter().zip(&mut self.undecided);
        let own = match self.rules {
            [_] => both.next(),
            _ => both.find(|(rule, _)| rule.table().family == socket.family),
        };
        // The source lends nothing of another table.
        let Some((rule, undecided)) = own else {
            return ControlFlow::Continue(());
        };
        if let Some(recorded) = &mut self.listing.recorded {
            recorded.look_up(socket);
        }
        self.flow = self.listing.take(socket, rule, undecided);
        match self.flow {
            Ok(flow) => flow,
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn announce(&mut self, inodes: &[u64]) {
        self.listing.matcher.enricher.announce(inodes);
    }

    /// True if only states decide.
    fn counts(&self) -> bool {
        let is_of_state = |test: &&Test| matches!(test, Test::State(_));
        let by_state = |rule: &Rule| rule.expr().tests().iter().all(is_of_state);
        matches!(&self.listing.output, Output::Counts(summing, _) if !summing.lists())
            && self.listing.unlisted.is_none()
            && self.rules.iter().all(by_state)
    }

    fn count(&mut self, like: &Socket, count: u64, ports: &[u16]) {
        let of_family = |rule: &&Rule| rule.table().family == like.family;
        let Some(rule) = self.rules.iter().find(of_family) else {
            return;
        };
        let listing = &mut *self.listing;
        let decision = listing.matcher.decide(like, rule);
        listing.tally.add_many(decision, count);
        if let (Some(true), Output::Counts(summing, _)) = (decision.held(), &mut listing.output) {
            listing.shown += count;
            summing.add_many(like, count, ports);
        }
    }

    fn can_rewind(&self) -> bool {
        self.listing.output.keeps()
    }

    fn next_part(&mut self) {
        let listing = &mut *self.listing;
        listing.shown = 0;
        listing.output.checkpoint();
        listing.kept.checkpoint();
        self.before = (listing.tally, listing.is_full, self.undecided);
    }

    fn rewind(&mut self) -> bool {
        let listing = &mut *self.listing;
        let is_taken = listing.shown == 0 || listing.output.rollback();
        if is_taken {
            listing.kept.rollback();
            listing.shown = 0;
            (listing.tally, listing.is_full, self.undecided) = self.before;
        }
        is_taken
    }
}
