//! `plain`: one line a socket, columns that never move, the same number of words in every line.

use std::io;
use std::ops::ControlFlow;

use unicode_width::UnicodeWidthStr;

use super::{FormatDefinition, Repeats};
use crate::model::{Row, Summary};

use crate::render::cell::{Blanks, Style};
use crate::render::events::{Chains, EventLines};
use crate::render::out::Out;
use crate::render::summary::text;
use crate::render::value::Datum;
use crate::render::{
    Column, DetailPlace, Envelope, Extras, Format, HeaderLine, Layout, Sink, detail, digits,
};

pub(super) const FORMAT: FormatDefinition = FormatDefinition {
    is_text: true,
    rows: |layout, envelope, out| Box::new(Plain::new(&layout, envelope, out)),
    counts: |out, totals| {
        totals.envelope.begin_text(out);
        text::write(out, totals, Format::Plain, text::States::All);
    },
    events: |layout, _, out| Box::new(EventLines::new(Format::Plain, layout, out)),
    connections: Some(|layout, _, out| Chains::sink(Format::Plain, layout, out)),
    repeats: Repeats::Everything,
};

/// Is it the last cell of its line?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Yes,
    No,
}

impl Last {
    const fn separator(self) -> u8 {
        match self {
            Self::Yes => b'\n',
            Self::No => b' ',
        }
    }
}

/// The columns; each with whether it is the last.
fn columns(layout: &Layout) -> Vec<(Column, Last)> {
    let mut columns: Vec<_> = layout.columns.iter().map(|c| (*c, Last::No)).collect();
    if let Some((_, last)) = columns.last_mut() {
        *last = Last::Yes;
    }
    columns
}

/// Writes rows of fixed columns.
struct Plain<'w> {
    out: Out<'w>,
    columns: Vec<(Column, Last)>,
    style: Style,
    extras: Extras,
    place: DetailPlace,
}

impl<'w> Plain<'w> {
    fn new(layout: &Layout, envelope: &Envelope, mut out: Out<'w>) -> Self {
        envelope.begin_text(&mut out.buffer);
        let columns = columns(layout);
        if layout.header == HeaderLine::Shown {
            for (column, last) in &columns {
                aligned(&mut out.buffer, *column, *last, |buffer| {
                    buffer.extend_from_slice(column.title().as_bytes());
                });
            }
        }
        Self {
            out,
            columns,
            style: layout.style(Blanks::Escape),
            extras: layout.extras,
            place: layout.place,
        }
    }
}

impl Sink for Plain<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let buffer = &mut self.out.buffer;
        for (column, last) in &self.columns {
            cell(buffer, self.style, *column, row, *last);
        }
        if self.extras.has_lines() {
            details(buffer, row, self.extras, self.place);
        }
        self.out.row_done()
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        self.out.finish()
    }
}

/// Writes a cell of a row.
fn cell(out: &mut Vec<u8>, style: Style, column: Column, row: &Row<'_>, last: Last) {
    match column.get(row) {
        // The common case: no detour over a cell that is moved to the right afterwards.
        Some(Datum::Number(number)) if !column.is_port() => {
            digits::right_aligned(out, number, column.definition().width());
            out.push(last.separator());
        }
        _ => aligned(out, column, last, |out| style.cell(out, column, row)),
    }
}

/// Writes a text as wide as its column, and what stands between it and the next.
fn aligned(out: &mut Vec<u8>, column: Column, last: Last, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let end = out.len();
    let cell = out.get(start..).unwrap_or_default();
    let missing = column.definition().width().saturating_sub(width(cell));
    if column.definition().is_right() {
        out.resize(end + missing, b' ');
        out.copy_within(start..end, start + missing);
        if let Some(gap) = out.get_mut(start..start + missing) {
            gap.fill(b' ');
        }
    } else if last == Last::No {
        out.resize(end + missing, b' ');
    }
    out.push(last.separator());
}

/// Columns a cell takes on a terminal.
fn width(cell: &[u8]) -> usize {
    if cell.is_ascii() {
        return cell.len();
    }
    std::str::from_utf8(cell).map_or(cell.len(), UnicodeWidthStr::width)
}

/// Writes the details of a row whose line is complete: below it, or at its end.
fn details(out: &mut Vec<u8>, row: &Row<'_>, extras: Extras, place: DetailPlace) {
    let line = out.len();
    match place {
        DetailPlace::Below => out.extend_from_slice(detail::INDENT),
        DetailPlace::SameLine => {
            out.pop();
            out.push(b' ');
        }
    }
    let start = out.len();
    detail::words(out, row, extras);
    if out.len() > start {
        out.push(b'\n');
    } else {
        out.truncate(line.min(start));
        if place == DetailPlace::SameLine {
            out.pop();
            out.push(b'\n');
        }
    }
}
