//! Looks at the sockets of a query again and again, and knows what became of each.

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;

pub(super) use super::tracked::TrackedRow;
use super::tracked::TrackedTable;
use crate::enrich::Mapped;
use crate::error::Error;
use crate::mode::Messages;
use crate::mode::host_names::HostNames;
use crate::mode::list::{self, Listing, Output};
use crate::mode::matcher::Matcher;
use crate::model::{Row, Summary, Table};
use crate::query::Query;
use crate::render::Sink;
use crate::source::{Recorder, Source};

/// What it takes to look.
pub(super) struct Looker {
    query: Query,
    source: Box<dyn Source>,
    tables: Vec<Table>,
    matcher: Matcher,
    hosts: HostNames,
    /// Of each table.
    known: Rc<RefCell<Vec<TrackedTable>>>,
}

impl Looker {
    /// Has not looked yet.
    ///
    /// # Errors
    ///
    /// When there is no such source, or processes cannot be found in the way that is wanted.
    pub(super) fn new(query: Query) -> Result<Self, Error> {
        let (source, tables) = list::open(&query, &Recorder::default())?;
        Ok(Self {
            matcher: Matcher::new(&query)?,
            known: Rc::new(RefCell::new(
                tables.iter().map(|_| TrackedTable::default()).collect(),
            )),
            hosts: HostNames::new(Mapped::AsIpv4),
            query,
            source,
            tables,
        })
    }

    /// One round. What is missing from it is in the summary.
    ///
    /// # Errors
    ///
    /// When nothing can be listed at all.
    pub(super) fn look(&mut self, messages: &mut Messages<'_>) -> Result<Summary, Error> {
        self.matcher.look_again();
        let meet = Meet {
            known: Rc::clone(&self.known),
            table: Rc::default(),
        };
        let output = Output::to(Box::new(meet.clone()));
        let mut listing = Listing::new(&self.query, &mut self.matcher, output);
        for (place, table) in self.tables.iter().enumerate() {
            meet.table.set(place);
            meet.with(TrackedTable::begin);
            let source = self.source.as_mut();
            if read(&mut listing, *table, source, (messages, &meet))? {
                source.vary_chunk_boundary();
                read(&mut listing, *table, source, (messages, &meet))?;
            }
        }
        let summary = listing.close(messages);
        if self.query.hosts {
            let mut known = self.known.borrow_mut();
            let rows = known.iter_mut().flat_map(TrackedTable::rows_mut);
            self.hosts.name(rows.collect());
        }
        Ok(summary)
    }

    /// Such rows of the last round in the order of the kernel, those that are gone where they were.
    pub(super) fn rows(&self, wanted: impl Fn(&TrackedRow) -> bool) -> Vec<TrackedRow> {
        let known = self.known.borrow();
        let rows = known.iter().flat_map(|known| known.rows(&wanted));
        rows.collect()
    }
}

/// Reads a table once. True if another look is needed.
fn read(
    listing: &mut Listing<'_>,
    table: Table,
    source: &mut dyn Source,
    (messages, meet): (&mut Messages<'_>, &Meet),
) -> Result<bool, Error> {
    let gaps = listing.gaps();
    // The sink always wants more.
    let _ = listing.read(table, source, messages)?;
    let is_open = meet.with(|known| {
        if listing.gaps() == gaps {
            return known.settle();
        }
        known.give_up();
        false
    });
    Ok(is_open == Some(true))
}

/// The sink of a look: what is known of the table that is read.
#[derive(Clone)]
struct Meet {
    known: Rc<RefCell<Vec<TrackedTable>>>,
    /// The place of the table.
    table: Rc<Cell<usize>>,
}

impl Meet {
    fn with<T>(&self, of_table: impl FnOnce(&mut TrackedTable) -> T) -> Option<T> {
        let mut known = self.known.borrow_mut();
        known.get_mut(self.table.get()).map(of_table)
    }
}

impl Sink for Meet {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.with(|known| known.meet(row));
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}
