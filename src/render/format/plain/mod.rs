//! `plain`: one line per socket, with fixed columns and the same number of words in every line, followed by
//! details.

use std::io;
use std::ops::ControlFlow;

use crate::fields::Datum;
use crate::model::{Family, Row, State, Summary};

use crate::render::detail::Details;
use crate::render::digits::{self, Short};
use crate::render::out::Out;
use crate::render::style::Style;
use crate::render::{Envelope, Field, HeaderLine, Layout, Sink, detail, endpoint, grid};

/// The position of a column's cells.
#[derive(Debug)]
struct PlainColumn {
    field: Field,
    width: usize,
    /// True if right-aligned.
    is_right: bool,
    /// True if numbers are plain digits.
    has_digits: bool,
    /// The byte after them: a blank, or the end of the line.
    after: u8,
    /// The last cell among those that are the same in most rows.
    last: Option<(u64, Short)>,
}

pub(super) struct Plain<'w> {
    out: Out<'w>,
    columns: Vec<PlainColumn>,
    style: Style,
    details: Details,
    one_line: bool,
    header: HeaderLine,
}

impl<'w> Plain<'w> {
    pub(super) fn new(layout: &Layout, envelope: &Envelope, mut out: Out<'w>) -> Self {
        envelope.begin_text(&mut out.buffer);
        let last = layout.columns.len().saturating_sub(1);
        let columns = layout.columns.iter().zip(0..);
        let columns: Vec<PlainColumn> = columns
            .map(|(field, place)| PlainColumn {
                field: *field,
                width: field.width(),
                is_right: field.is_right(),
                has_digits: !field.is_port() && !field.has_unit_in_text(),
                after: if place == last { b'\n' } else { b' ' },
                last: None,
            })
            .collect();
        if layout.header.is_shown() {
            for column in &columns {
                aligned(&mut out.buffer, column, |buffer| {
                    buffer.extend_from_slice(column.field.title().as_bytes());
                });
            }
        }
        Self {
            out,
            columns,
            style: Style::WORD.of(layout),
            details: Details::of(layout),
            one_line: layout.one_line,
            header: layout.header,
        }
    }
}

impl Sink for Plain<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let buffer = &mut self.out.buffer;
        for column in &mut self.columns {
            cell(buffer, self.style, column, row);
        }
        if !self.details.is_empty() {
            details(buffer, self.style, row, &self.details, self.one_line);
        }
        self.out.row_done()
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        self.out.end(self.header, summary)
    }
}

fn cell(out: &mut Vec<u8>, style: Style, column: &mut PlainColumn, row: &Row<'_>) {
    let value = column.field.get(row);
    // The common cases: in its place at once.
    match value {
        Some(Datum::Number(number)) if column.has_digits && number != 0 => {
            digits::right_aligned(out, number, column.width);
            return out.push(column.after);
        }
        Some(Datum::End(side)) => {
            if let Some((address, port)) = endpoint::numeric(side, row) {
                let is_padded = column.after == b' ';
                let width = if is_padded { column.width } else { 0 };
                digits::ipv4_end(out, address, port, width);
                return out.push(column.after);
            }
        }
        _ => {}
    }
    let Some(key) = key(column, value, row) else {
        return uncommon(out, style, column, row);
    };
    if let Some((known, text)) = &column.last
        && *known == key
    {
        return text.write(out);
    }
    let start = out.len();
    uncommon(out, style, column, row);
    column.last = out.get(start..).and_then(Short::of).map(|text| (key, text));
}

fn uncommon(out: &mut Vec<u8>, style: Style, column: &PlainColumn, row: &Row<'_>) {
    aligned(out, column, |out| style.cell(out, column.field, row));
}

/// Identifies a value that many rows share: a word, 0, or no name.
fn key(column: &PlainColumn, value: Option<Datum<'_>>, row: &Row<'_>) -> Option<u64> {
    let word = match value {
        Some(Datum::Number(0)) if column.has_digits => return Some(0),
        Some(Datum::Word(word)) => word,
        Some(Datum::State(state)) if !matches!(state, State::Unknown(_)) => state.name(),
        Some(Datum::End(side)) if row.socket.family == Family::Unix => {
            return side.of(row).name.is_empty().then_some(0);
        }
        _ => return None,
    };
    let place = word.as_ptr().addr().wrapping_mul(1 << 8);
    u64::try_from(place.wrapping_add(word.len())).ok()
}

/// Writes a text as wide as its column, and the separator.
fn aligned(out: &mut Vec<u8>, column: &PlainColumn, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let end = out.len();
    let cell = out.get(start..).unwrap_or_default();
    let missing = column.width.saturating_sub(width(cell));
    if column.is_right {
        digits::blanks(out, missing);
        out.copy_within(start..end, start + missing);
        if let Some(gap) = out.get_mut(start..start + missing) {
            gap.fill(b' ');
        }
    } else if column.after == b' ' {
        digits::blanks(out, missing);
    }
    out.push(column.after);
}

/// The width of a cell on a terminal.
fn width(cell: &[u8]) -> usize {
    if cell.is_ascii() {
        return cell.len();
    }
    std::str::from_utf8(cell).map_or(cell.len(), grid::width)
}

/// Writes the details of a row whose line is complete, below or at its end.
fn details(out: &mut Vec<u8>, style: Style, row: &Row<'_>, details: &Details, one_line: bool) {
    out.pop();
    let end = out.len();
    let begin = if one_line { b" " } else { detail::LINE };
    out.extend_from_slice(begin);
    let start = out.len();
    details.write(out, row);
    if out.len() == start {
        out.truncate(end);
    }
    for line in details.subflows(style, row) {
        out.extend_from_slice(begin);
        out.extend_from_slice(&line);
    }
    out.push(b'\n');
}
