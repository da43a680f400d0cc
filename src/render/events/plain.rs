//! A line for each connection.

use std::io;

use crate::model::EventSummary;

use super::super::out::Out;
use super::super::{Color, Format, Header, paint};
use super::chain::Chain;
use super::lines::Widths;
use super::open::{ChainWriter, Grouped};
use super::stamp::Cells;
use super::{EventLayout, EventSink, Shown};

/// Room for an IPv4 end.
const WIDTHS: [(&str, usize); 3] = [("PROTO", 5), ("LOCAL", 21), ("PEER", 21)];

/// The line of a connection, in columns that grow.
pub(in crate::render) struct ChainLine {
    pub(in crate::render) cells: Cells,
    widths: Widths,
}

impl ChainLine {
    /// That of `table` or `plain`.
    pub(in crate::render) fn new(format: Format, layout: EventLayout) -> Self {
        Self {
            cells: Cells::new(format, layout),
            widths: Widths::default(),
        }
    }

    /// The line of titles.
    pub(in crate::render) fn titles(&mut self) -> String {
        let time = self.cells.time(jiff::Timestamp::UNIX_EPOCH, true).len();
        let mut line = self.widths.pad(0, "TIME", time);
        for (index, (title, width)) in WIDTHS.into_iter().enumerate() {
            line.push_str(&self.widths.pad(index + 1, title, width));
        }
        if self.cells.layout().processes == Shown::Yes {
            line.push_str(&self.widths.pad(WIDTHS.len() + 1, "PROCESSES", 0));
        }
        line.push_str("STATES");
        line
    }

    /// What comes before the chain.
    pub(in crate::render) fn before(&mut self, chain: &Chain) -> String {
        let least = self.cells.time(jiff::Timestamp::UNIX_EPOCH, true).len();
        let mut line = self.widths.pad(0, &chain.time(&self.cells), least);
        for (index, cell) in self.cells.socket(&chain.row()).iter().enumerate() {
            let least = WIDTHS
                .get(index)
                .map_or("PROCESSES".len(), |(_, width)| *width);
            line.push_str(&self.widths.pad(index + 1, cell, least));
        }
        line
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
        out: Out<'w>,
    ) -> Box<dyn EventSink + 'w> {
        let header = layout.header;
        let mut chains = Self {
            out,
            line: ChainLine::new(format, layout),
        };
        if header == Header::Shown {
            let titles = chains.line.titles();
            paint::header(&mut chains.out.buffer, &titles, Color::Never);
        }
        Box::new(Grouped::new(chains))
    }
}

impl ChainWriter for Chains<'_> {
    fn chain(&mut self, chain: &Chain) -> io::Result<()> {
        let mut line = self.line.before(chain);
        line.extend(chain.links(&self.line.cells));
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
