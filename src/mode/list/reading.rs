//! One table after another: which of their sockets are wanted, and where they go.

use std::io;
use std::ops::ControlFlow;

use super::{Extent, Listing, Output};
use crate::error::Error;
use crate::filter::Rule;
use crate::mode::Messages;
use crate::mode::check::Tally;
use crate::mode::missing_fields::MissingFields;
use crate::model::{Origin, Protocol, Socket, StateSet, Table, Warning};
use crate::source::{Outcome, Source, Visitor};

impl Listing<'_> {
    /// Reads tables until no further row is wanted.
    ///
    /// # Errors
    ///
    /// When the output cannot be written, or a table must not be asked for.
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
            rest = others
                .get(usize::from(both.is_some())..)
                .unwrap_or_default();
            let flow = match both {
                Some(flow) => flow,
                None => self.read(*table, source, messages)?,
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Reads TCP over both IP versions in one walk; `None` = the source or the query cannot.
    fn read_both(
        &mut self,
        tables: [Table; 2],
        source: &mut dyn Source,
        messages: &mut Messages<'_>,
    ) -> Result<Option<ControlFlow<()>>, Error> {
        let is_tcp = |table: &Table| table.protocol == Protocol::Tcp;
        if !tables.iter().all(is_tcp) {
            return Ok(None);
        }
        let rules = tables.map(|table| self.query.rule(table));
        let [request, other] = rules.each_ref().map(|rule| self.query.request(rule));
        if request != other || rules.iter().any(Rule::is_never) {
            return Ok(None);
        }
        let mut reading = Reading::new(self, &rules);
        let outcome = source.visit_both(&request, &mut reading);
        let (gaps, end) = reading.end();
        let Some(mut outcome) = outcome else {
            return Ok(None);
        };
        self.asked = true;
        let flow = end.map_err(Error::Output)?;
        outcome.warnings.extend(gaps);
        self.note(&tables, outcome, messages);
        Ok(Some(flow))
    }

    /// Reads one table; `Break` when no further row is wanted.
    ///
    /// # Errors
    ///
    /// When the output cannot be written, or the table must not be asked for.
    pub(in crate::mode) fn read(
        &mut self,
        table: Table,
        source: &mut dyn Source,
        messages: &mut Messages<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let rule = self.query.rule(table);
        let request = self.query.request(&rule);
        if rule.is_never() || request.states == StateSet::EMPTY {
            return Ok(ControlFlow::Continue(()));
        }
        self.asked = true;
        let mut reading = Reading::new(self, std::slice::from_ref(&rule));
        let outcome = source.visit(table, &request, &mut reading);
        let (gaps, end) = reading.end();
        let flow = end.map_err(Error::Output)?;
        match outcome {
            Ok(mut outcome) => {
                outcome.warnings.extend(gaps);
                self.note(&[table], outcome, messages);
            }
            Err(error) => self.missing(table, error, messages)?,
        }
        Ok(flow)
    }

    fn note(&mut self, tables: &[Table], outcome: Outcome, messages: &mut Messages<'_>) {
        // A filter that asks for them has chosen among sockets without names.
        let are_names_needed = self.query.filter.needs().unix_peers;
        for warning in outcome.warnings {
            match warning {
                Warning::UnnamedPeers(_) if are_names_needed => self.gap(warning, messages),
                _ => self.warning(warning, messages),
            }
        }
        self.summary
            .sources
            .extend(tables.iter().map(|table| Origin {
                table: *table,
                source: outcome.source,
                reason: outcome.reason.clone(),
            }));
    }

    /// Counts a socket, and shows it, if the filter wants it.
    fn take(
        &mut self,
        socket: &Socket,
        rule: &Rule,
        missing: &mut MissingFields,
    ) -> io::Result<ControlFlow<()>> {
        let answer = self.matcher.decide(socket, rule, missing);
        self.tally.add(answer);
        if answer.held && !self.is_full {
            self.is_full = self.show(socket)?.is_break();
        }
        Ok(if self.is_enough() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    /// Shows the socket that was asked about last; `Break` when no further row is to be shown.
    fn show(&mut self, socket: &Socket) -> io::Result<ControlFlow<()>> {
        self.shown += 1;
        let flow = match &mut self.output {
            Output::Pending(pending) => pending.take(socket, self.tally, self.matcher),
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

    /// Can no further socket change anything?
    fn is_enough(&self) -> bool {
        let expected = self.query.check.expected;
        let is_settled = expected.is_none_or(|count| count.is_settled(self.tally.certain));
        let is_exceeded = expected.is_some_and(|count| count.is_exceeded(self.tally.certain));
        match &self.output {
            Output::Nothing => is_settled,
            Output::Pending(pending) if !pending.is_open() => {
                self.extent == Extent::Enough && is_exceeded
            }
            _ => self.is_full && is_settled,
        }
    }
}

/// Tables that are read together: one, or TCP over both IP versions.
struct Reading<'r, 'l> {
    listing: &'r mut Listing<'l>,
    /// Of each table.
    rules: &'r [Rule],
    missing: Vec<MissingFields>,
    /// What was found before.
    tally: Tally,
    is_full: bool,
    end: io::Result<ControlFlow<()>>,
}

impl<'r, 'l> Reading<'r, 'l> {
    fn new(listing: &'r mut Listing<'l>, rules: &'r [Rule]) -> Self {
        listing.shown = 0;
        listing.output.checkpoint();
        Self {
            missing: missing(rules),
            tally: listing.tally,
            is_full: listing.is_full,
            end: Ok(ControlFlow::Continue(())),
            listing,
            rules,
        }
    }

    /// What the filter asked for and was not told, and how it ended.
    fn end(self) -> (Vec<Warning>, io::Result<ControlFlow<()>>) {
        let both = self.rules.iter().zip(&self.missing);
        let gaps = both.filter_map(|(rule, missing)| missing.gap(rule));
        (gaps.collect(), self.end)
    }
}

fn missing(rules: &[Rule]) -> Vec<MissingFields> {
    rules.iter().map(|_| MissingFields::default()).collect()
}

impl Visitor for Reading<'_, '_> {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        let mut both = self.rules.iter().zip(&mut self.missing);
        let own = match self.rules {
            [_] => both.next(),
            _ => both.find(|(rule, _)| rule.table().family == socket.family),
        };
        // The source lends nothing of another table.
        let Some((rule, missing)) = own else {
            return ControlFlow::Continue(());
        };
        self.end = self.listing.take(socket, rule, missing);
        match self.end {
            Ok(flow) => flow,
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn can_rewind(&self) -> bool {
        self.listing.output.keeps()
    }

    fn rewind(&mut self) -> bool {
        let listing = &mut *self.listing;
        let is_taken = listing.shown == 0 || listing.output.rollback();
        if is_taken {
            listing.shown = 0;
            listing.tally = self.tally;
            listing.is_full = self.is_full;
            self.missing = missing(self.rules);
        }
        is_taken
    }
}
