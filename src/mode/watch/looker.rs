//! Looks at the sockets of a query again and again, and knows what became of each.

use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::tracked::TrackedTable;
use crate::enrich::Mapped;
use crate::error::Error;
use crate::mode::Messages;
use crate::mode::host_names::HostNames;
use crate::mode::list::{Listing, Output};
use crate::mode::matcher::Matcher;
use crate::mode::sources::Open;
use crate::model::{Change, ChangedRow, Row, Summary, Table};
use crate::query::Query;
use crate::render::Sink;
use crate::source::{Recorder, Source};

/// What it takes to look.
pub(super) struct Looker {
    query: Query,
    source: Box<dyn Source>,
    tables: Vec<(Table, TrackedTable)>,
    matcher: Matcher,
    hosts: HostNames,
}

impl Looker {
    /// Has not looked yet.
    pub(super) fn new(query: Query, open: Open<'_>) -> Result<Self, Error> {
        let (source, tables) = open(&query, &Recorder::default())?;
        Ok(Self {
            matcher: Matcher::new(&query)?,
            hosts: HostNames::new(Mapped::AsIpv4),
            query,
            source,
            tables: tables
                .into_iter()
                .map(|table| (table, TrackedTable::default()))
                .collect(),
        })
    }

    /// One round. What is missing from it is in the summary.
    pub(super) fn look(&mut self, messages: &mut Messages<'_>) -> Result<Summary, Error> {
        self.matcher.enricher.next_listing();
        let current = CurrentTable::default();
        let output = Output::to(Box::new(Rc::clone(&current)));
        let mut listing = Listing::new(&self.query, &mut self.matcher, output);
        for (table, tracked) in &mut self.tables {
            tracked.begin();
            current.replace(std::mem::take(tracked));
            let source = self.source.as_mut();
            if read(&mut listing, *table, source, (messages, &current))? {
                source.vary_chunk_boundary();
                read(&mut listing, *table, source, (messages, &current))?;
            }
            *tracked = current.take();
        }
        let summary = listing.close(messages);
        if self.query.hosts.is_some() {
            let tracked = self.tables.iter_mut().map(|(_, tracked)| tracked);
            self.hosts
                .name(tracked.flat_map(TrackedTable::rows_mut).collect());
        }
        Ok(summary)
    }

    /// Such rows of the last round in the order of the kernel, those that are gone where they were.
    pub(super) fn rows(&self, wanted: impl Fn(Change) -> bool) -> Vec<ChangedRow> {
        let tracked = self.tables.iter();
        tracked
            .flat_map(|(_, tracked)| tracked.rows(&wanted))
            .collect()
    }
}

/// Reads a table once. True if another look is needed.
fn read(
    listing: &mut Listing<'_>,
    table: Table,
    source: &mut dyn Source,
    (messages, current): (&mut Messages<'_>, &CurrentTable),
) -> Result<bool, Error> {
    let gaps = listing.summary.diagnostics.gaps;
    // The sink always wants more.
    let _ = listing.read(table, source, messages)?;
    let mut tracked = current.borrow_mut();
    if listing.summary.diagnostics.gaps == gaps {
        return Ok(tracked.settle());
    }
    tracked.give_up();
    Ok(false)
}

/// The table that is read: its rows come here.
type CurrentTable = Rc<RefCell<TrackedTable>>;

impl Sink for CurrentTable {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.borrow_mut().meet(row);
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}
