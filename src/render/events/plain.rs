//! A line for each connection.

use std::io;

use crate::model::EventSummary;

use super::super::grid::Grid;
use super::super::out::Out;
use super::super::{Color, Format, paint};
use super::chain::Chain;
use super::open::{ChainWriter, Grouped};
use super::stamp::Cells;
use super::{EventLayout, EventSink};

/// The line of a connection, in columns that grow.
pub(in crate::render) struct ChainLine {
    cells: Cells,
    grid: Grid,
}

impl ChainLine {
    /// That of `table` or `plain`, below its titles.
    pub(in crate::render) fn new(
        format: Format,
        layout: EventLayout,
        out: &mut Out<'_>,
        color: Color,
    ) -> Self {
        let processes = layout.processes;
        let cells = Cells::new(format, layout);
        let mut columns = cells.columns();
        if processes {
            columns.push(("PROCESSES", 0));
        }
        columns.push(("STATES", 0));
        Self {
            grid: cells.begin(&columns, out, color),
            cells,
        }
    }

    /// The line, with as much of the chain as `fit` leaves of its links in the columns before which it
    /// begins.
    pub(in crate::render) fn of(
        &mut self,
        chain: &Chain,
        fit: impl FnOnce(Vec<String>, usize) -> String,
    ) -> String {
        let mut cells = vec![chain.time(&self.cells)];
        cells.extend(self.cells.socket(&chain.row()));
        self.grid.widen(&cells);
        let begin = self.grid.begin(cells.len());
        cells.push(fit(chain.links(&self.cells), begin));
        self.grid.line(&cells)
    }

    /// The whole line.
    pub(in crate::render) fn whole(&mut self, chain: &Chain) -> String {
        self.of(chain, |links, _| links.concat())
    }
}

/// Writes the line of a connection when it is over.
pub(in crate::render) struct Chains<'w> {
    out: Out<'w>,
    line: ChainLine,
}

impl<'w> Chains<'w> {
    /// Gathers events to connections, and writes these, behind the titles.
    pub(in crate::render) fn sink(
        format: Format,
        layout: EventLayout,
        mut out: Out<'w>,
    ) -> Box<dyn EventSink + 'w> {
        let line = ChainLine::new(format, layout, &mut out, Color::Never);
        Box::new(Grouped::new(Self { out, line }))
    }
}

impl ChainWriter for Chains<'_> {
    fn chain(&mut self, chain: &Chain) -> io::Result<()> {
        let line = self.line.whole(chain);
        paint::line(&mut self.out.buffer, &line, Color::Never);
        self.out.row_done().map(|_| ())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.finish()
    }

    fn finish(&mut self, _: &EventSummary) -> io::Result<()> {
        self.out.finish()
    }
}
