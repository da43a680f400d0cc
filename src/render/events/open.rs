//! Connections that are not over yet.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;

use crate::model::{Event, EventSummary, Row};

use super::EventSink;
use super::chain::Chain;

/// Writes whole connections.
pub(in crate::render) trait ChainWriter {
    /// One that is over, or with whose last step the watch ends.
    fn chain(&mut self, chain: &Chain) -> io::Result<()>;

    /// What was written is to be seen.
    fn flush(&mut self) -> io::Result<()>;

    /// There are no more.
    fn finish(&mut self, summary: &EventSummary) -> io::Result<()>;
}

/// The connections that are open, by number: in the order in which they were first seen.
#[derive(Debug, Default)]
pub(in crate::render) struct Open(BTreeMap<u64, Chain>);

impl Open {
    /// Adds an event; gives the connection if that was its end.
    pub(in crate::render) fn add(&mut self, event: &Event, row: &Row<'_>) -> Option<Chain> {
        let number = event.connection;
        let chain = self.0.entry(number);
        let chain = chain
            .and_modify(|chain| chain.add(event, row))
            .or_insert_with(|| Chain::new(event, row));
        if chain.is_over() {
            self.0.remove(&number)
        } else {
            None
        }
    }

    /// Gives a connection that is over.
    pub(in crate::render) fn take(&mut self, number: u64) -> Option<Chain> {
        self.0.remove(&number)
    }

    /// One of them.
    pub(in crate::render) fn get(&self, number: u64) -> Option<&Chain> {
        self.0.get(&number)
    }

    /// How many there are.
    pub(in crate::render) fn count(&self) -> usize {
        self.0.len()
    }

    /// Those that are open.
    pub(in crate::render) fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.0.values()
    }
}

/// Writes each connection when it is over; those that are not, at the end.
pub(in crate::render) struct Grouped<W> {
    writer: W,
    open: Open,
}

impl<W: ChainWriter> Grouped<W> {
    /// Has seen nothing yet.
    pub(in crate::render) fn new(writer: W) -> Self {
        Self {
            writer,
            open: Open::default(),
        }
    }
}

impl<W: ChainWriter> EventSink for Grouped<W> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        if let Some(over) = self.open.add(event, row) {
            self.writer.chain(&over)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn over(&mut self, connection: u64) -> io::Result<()> {
        let over = self.open.take(connection);
        over.map_or(Ok(()), |over| self.writer.chain(&over))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn finish(&mut self, summary: &EventSummary) -> io::Result<()> {
        for chain in self.open.chains() {
            self.writer.chain(chain)?;
        }
        self.writer.finish(summary)
    }
}
