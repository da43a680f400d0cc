//! A line for each event: time, ends, step, and what it means.

use std::io;
use std::ops::ControlFlow;

use crate::model::{Event, EventSummary, Row, State};

use super::super::grid::Grid;
use super::super::out::Out;
use super::super::{Color, Format, cell, paint};
use super::stamp::Cells;
use super::{EventLayout, EventSink};

/// Columns of the longest state.
const STATE: usize = 11;

/// Writes events as lines.
pub(in crate::render) struct EventLines<'w> {
    out: Out<'w>,
    cells: Cells,
    color: Color,
    grid: Grid,
}

impl<'w> EventLines<'w> {
    /// Those of `table` or `plain`.
    pub(in crate::render) fn new(format: Format, layout: EventLayout, mut out: Out<'w>) -> Self {
        let color = match format {
            Format::Table => layout.color,
            _ => Color::Never,
        };
        let processes = layout.processes;
        let cells = Cells::new(format, layout);
        let mut columns = cells.columns();
        columns.extend([("OLD", STATE), (cells.arrow(), 0), ("NEW", STATE)]);
        if processes {
            columns.push(("PROCESSES", 0));
        }
        columns.push(("STEP", 0));
        Self {
            grid: cells.begin(&columns, &mut out, color),
            out,
            cells,
            color,
        }
    }
}

impl EventSink for EventLines<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let mut cells = vec![self.cells.time(event.time, event.sampled)];
        cells.extend(self.cells.socket(row));
        let steps = [
            event.old_state.map_or_else(|| "?".to_owned(), name),
            self.cells.arrow().to_owned(),
            paint::mark_state(&name(event.socket.state)),
        ];
        cells.splice(4..4, steps);
        cells.push(self.cells.text(event.step().unwrap_or("-")));
        self.grid.widen(&cells);
        paint::line(&mut self.out.buffer, &self.grid.line(&cells), self.color);
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
