//! A line for each event: time, ends, step, and what it means.

use std::io;
use std::ops::ControlFlow;

use unicode_width::UnicodeWidthStr as _;

use crate::model::{Event, EventSummary, Row, State};

use super::super::out::Out;
use super::super::{Color, Format, Header, cell, paint};
use super::stamp::Cells;
use super::{EventLayout, EventSink, Shown};

/// Room for an IPv4 end, and for the longest state.
const WIDTHS: [(&str, usize); 5] = [
    ("PROTO", 5),
    ("LOCAL", 21),
    ("PEER", 21),
    ("OLD", 11),
    ("NEW", 11),
];

/// Writes events as lines.
pub(in crate::render) struct Lines<'w> {
    out: Out<'w>,
    cells: Cells,
    color: Color,
    widths: Widths,
}

impl<'w> Lines<'w> {
    /// Those of `table` or `plain`.
    pub(in crate::render) fn new(format: Format, layout: EventLayout, out: Out<'w>) -> Self {
        let color = match format {
            Format::Table => layout.color,
            _ => Color::Never,
        };
        let (header, processes) = (layout.header, layout.processes);
        let mut lines = Self {
            out,
            cells: Cells::new(format, layout),
            color,
            widths: Widths::default(),
        };
        if header == Header::Shown {
            let titles = lines.titles(processes);
            paint::header(&mut lines.out.buffer, &titles, color);
        }
        lines
    }

    fn titles(&mut self, processes: Shown) -> String {
        let time = self.cells.time(jiff::Timestamp::UNIX_EPOCH, false).len() + 1;
        let mut line = self.widths.pad(0, "TIME", time);
        for (index, (title, width)) in WIDTHS.into_iter().enumerate() {
            line.push_str(&self.widths.pad(index + 1, title, width));
            if title == "OLD" {
                line.push_str(self.cells.arrow());
                line.push(' ');
            }
        }
        if processes == Shown::Yes {
            line.push_str(&self.widths.pad(WIDTHS.len() + 1, "PROCESSES", 0));
        }
        line.push_str("STEP");
        line
    }
}

impl EventSink for Lines<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let time = self.cells.time(event.time, event.sampled);
        // In a line of titles or not: the mark of a sampled time has its place.
        let mut line = self
            .widths
            .pad(0, &time, self.cells.time(event.time, true).len());
        let cells = self.cells.socket(row);
        let mut cells = cells.iter();
        for (index, (_, width)) in WIDTHS.into_iter().enumerate().take(3) {
            let cell = cells.next().map_or("", String::as_str);
            line.push_str(&self.widths.pad(index + 1, cell, width));
        }
        let old = event.old_state.map_or_else(|| "?".to_owned(), name);
        line.push_str(&self.widths.pad(4, &old, 11));
        line.push_str(self.cells.arrow());
        line.push(' ');
        let new = name(event.socket.state);
        let padded = self.widths.pad(5, &new, 11);
        line.push_str(&padded.replacen(&new, &paint::mark_state(&new), 1));
        if let Some(processes) = cells.next() {
            line.push_str(&self.widths.pad(6, processes, "PROCESSES".len()));
        }
        line.push_str(&self.cells.text(event.step().unwrap_or("-")));
        paint::line(&mut self.out.buffer, &line, self.color);
        self.out.row_done()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.finish()
    }

    fn finish(&mut self, _: &EventSummary) -> io::Result<()> {
        self.out.finish()
    }
}

/// The name of a state.
pub(in crate::render) fn name(state: State) -> String {
    let mut out = Vec::new();
    cell::state(&mut out, state);
    String::from_utf8_lossy(&out).into_owned()
}

/// Columns grow with what comes, and never shrink.
#[derive(Debug, Default)]
pub(in crate::render) struct Widths([usize; 7]);

impl Widths {
    /// The cell, as wide as its column, and a blank.
    pub(in crate::render) fn pad(&mut self, column: usize, cell: &str, least: usize) -> String {
        let width = cell.width();
        let mut wide = width.max(least);
        if let Some(known) = self.0.get_mut(column) {
            *known = wide.max(*known);
            wide = *known;
        }
        let gap = " ".repeat(wide.saturating_sub(width) + 1);
        format!("{cell}{gap}")
    }
}
