//! `plain`: one line a socket, columns that never move, the same number of words in every line.

use std::io;
use std::ops::ControlFlow;

use unicode_width::UnicodeWidthStr;

use crate::model::{Row, Summary};

use super::cell::{Blanks, Style};
use super::out::Out;
use super::{Column, Extras, Header, Layout, Place, Sink, detail};

/// Writes rows of fixed columns.
pub(super) struct Plain<'w> {
    out: Out<'w>,
    columns: Vec<Column>,
    style: Style,
    extras: Extras,
    place: Place,
}

impl<'w> Plain<'w> {
    pub(super) fn new(layout: Layout, mut out: Out<'w>) -> Self {
        if layout.header == Header::Shown {
            let last = layout.columns.len().saturating_sub(1);
            for (index, column) in layout.columns.iter().enumerate() {
                let title = column.title();
                aligned(&mut out.buffer, *column, index == last, |buffer| {
                    buffer.extend_from_slice(title.as_bytes());
                });
            }
        }
        Self {
            out,
            style: layout.style(Blanks::Escape),
            columns: layout.columns,
            extras: layout.extras,
            place: layout.place,
        }
    }
}

impl Sink for Plain<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let buffer = &mut self.out.buffer;
        let last = self.columns.len().saturating_sub(1);
        for (index, column) in self.columns.iter().enumerate() {
            aligned(buffer, *column, index == last, |buffer| {
                self.style.cell(buffer, *column, row);
            });
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

/// Writes a cell and what stands between it and the next.
fn aligned(out: &mut Vec<u8>, column: Column, last: bool, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let cell = out.get(start..).unwrap_or_default();
    let missing = column.plain_width().saturating_sub(width(cell));
    if column.is_number() {
        let end = out.len();
        out.resize(end + missing, b' ');
        out.copy_within(start..end, start + missing);
        if let Some(gap) = out.get_mut(start..start + missing) {
            gap.fill(b' ');
        }
    } else if !last {
        out.resize(out.len() + missing, b' ');
    }
    out.push(if last { b'\n' } else { b' ' });
}

/// Columns a cell takes on a terminal.
fn width(cell: &[u8]) -> usize {
    if cell.is_ascii() {
        return cell.len();
    }
    std::str::from_utf8(cell).map_or(cell.len(), UnicodeWidthStr::width)
}

/// Writes the details of a row whose line is complete: below it, or at its end.
fn details(out: &mut Vec<u8>, row: &Row<'_>, extras: Extras, place: Place) {
    let line = out.len();
    match place {
        Place::Below => out.extend_from_slice(detail::INDENT),
        Place::SameLine => {
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
        if place == Place::SameLine {
            out.pop();
            out.push(b'\n');
        }
    }
}
