//! `table`: for people at a terminal. The first rows are held until the widths of the columns are
//! known; later rows keep these widths and are written as they come.

pub(in crate::render) mod diagram;
pub(in crate::render) mod live;

use std::io;
use std::ops::ControlFlow;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, Table as Comfy, Width};
use unicode_width::UnicodeWidthStr as _;

use crate::model::{Row, Summary};

use crate::render::cell::Blanks;
use crate::render::out::Out;
use crate::render::{Column, Header, Layout, Place, Sink, detail, paint, widths};

/// Rows that are held.
pub(in crate::render) const WINDOW: usize = 1_000;

/// Where the table stands.
enum Stage {
    /// Rows and their details, not laid out yet.
    Held(Vec<Vec<String>>, Vec<String>),
    /// The widths are set.
    Streaming(Vec<usize>),
}

/// Writes rows of aligned columns.
pub(in crate::render) struct Table<'w> {
    out: Out<'w>,
    layout: Layout,
    stage: Stage,
    scratch: Vec<u8>,
    /// How many rows were held at the last mark.
    marked: usize,
}

impl<'w> Table<'w> {
    pub(in crate::render) fn new(layout: Layout, out: Out<'w>) -> Self {
        Self {
            out,
            layout,
            stage: Stage::Held(Vec::new(), Vec::new()),
            scratch: Vec::new(),
            marked: 0,
        }
    }

    fn cells(&mut self, row: &Row<'_>) -> Vec<String> {
        let style = self.layout.style(Blanks::Keep);
        let mut cells = Vec::with_capacity(self.layout.columns.len());
        for column in &self.layout.columns {
            self.scratch.clear();
            style.cell(&mut self.scratch, *column, row);
            let text = String::from_utf8_lossy(&self.scratch);
            cells.push(match column {
                Column::State => paint::mark_state(&text),
                free if free.definition().is_free_text() => paint::mark_breaks(&text),
                _ => text.into_owned(),
            });
        }
        if let Some(first) = cells.first_mut() {
            first.insert(0, paint::ROW);
        }
        cells
    }

    fn details(&mut self, row: &Row<'_>) -> String {
        self.scratch.clear();
        detail::words(&mut self.scratch, row, self.layout.extras);
        String::from_utf8_lossy(&self.scratch).into_owned()
    }

    /// Lays out the rows that were held, writes them, and keeps their widths.
    fn lay_out(&mut self) {
        let Stage::Held(rows, details) = &mut self.stage else {
            return;
        };
        let (rows, details) = (std::mem::take(rows), std::mem::take(details));
        let widths = widths::fit(&self.layout, &rows);
        if widths::too_wide(&self.layout, &widths).is_some() {
            self.fold(&widths, &rows, &details);
            self.stage = Stage::Streaming(widths);
            return;
        }
        let table = arranged(&self.layout, &widths, rows);
        let mut lines = table.lines().peekable();
        if self.layout.header == Header::Shown
            && let Some(header) = lines.next()
        {
            paint::header(&mut self.out.buffer, &header, self.layout.color);
        }
        let mut details = details.into_iter();
        while let Some(line) = lines.next() {
            let row_ends = lines.peek().is_none_or(|next| next.contains(paint::ROW));
            let words = if row_ends {
                details.next().unwrap_or_default()
            } else {
                String::new()
            };
            write(&mut self.out.buffer, &self.layout, line, &words);
        }
        self.stage = Stage::Streaming(widths);
    }
}

impl Table<'_> {
    /// Writes the rows that were held on lines that are folded between cells.
    fn fold(&mut self, widths: &[usize], rows: &[Vec<String>], details: &[String]) {
        let out = &mut self.out.buffer;
        if self.layout.header == Header::Shown {
            let titles: Vec<String> = self.layout.columns.iter().map(|c| c.title()).collect();
            let header = folded(&self.layout, widths, &titles);
            paint::header(out, &header, self.layout.color);
        }
        for (cells, words) in rows.iter().zip(details) {
            write(
                out,
                &self.layout,
                folded(&self.layout, widths, cells),
                words,
            );
        }
    }
}

/// A line of cells, or several where they do not fit the terminal.
fn folded(layout: &Layout, widths: &[usize], cells: &[String]) -> String {
    let mut line = String::new();
    let fold = widths::too_wide(layout, widths);
    widths::side_by_side(&mut line, &layout.columns, widths, cells, fold);
    line
}

impl Sink for Table<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let cells = self.cells(row);
        let words = self.details(row);
        if let Stage::Held(rows, details) = &mut self.stage {
            if rows.len() < WINDOW {
                rows.push(cells);
                details.push(words);
                return Ok(ControlFlow::Continue(()));
            }
            self.lay_out();
        }
        if let Stage::Streaming(widths) = &self.stage {
            let line = folded(&self.layout, widths, &cells);
            write(&mut self.out.buffer, &self.layout, line, &words);
        }
        self.out.row_done()
    }

    fn mark(&mut self) {
        if let Stage::Held(rows, _) = &self.stage {
            self.marked = rows.len();
        }
    }

    fn take_back(&mut self) -> bool {
        let Stage::Held(rows, details) = &mut self.stage else {
            return false;
        };
        rows.truncate(self.marked);
        details.truncate(self.marked);
        true
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        self.lay_out();
        self.out.finish()
    }
}

/// Rows in columns of these widths; cells of free text broken where they are longer.
fn arranged(layout: &Layout, widths: &[usize], rows: Vec<Vec<String>>) -> Comfy {
    let mut table = Comfy::new();
    table.load_style(NOTHING).set_delimiter(paint::BREAK);
    if layout.header == Header::Shown {
        table.set_header(layout.columns.iter().map(|column| column.title()));
    }
    for row in rows {
        table.add_row(row.into_iter().map(Cell::new_owned));
    }
    for ((column, width), place) in layout.columns.iter().zip(widths).zip(0..) {
        let Some(arranged) = table.column_mut(place) else {
            continue;
        };
        let outer = u16::try_from(width + widths::GAP).unwrap_or(u16::MAX);
        arranged
            .set_padding((0, 1))
            .set_constraint(ColumnConstraint::Absolute(Width::Fixed(outer)));
        if column.definition().is_right() {
            arranged.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Writes a line and the details that follow it.
fn write(out: &mut Vec<u8>, layout: &Layout, mut line: String, details: &str) {
    match layout.place {
        _ if details.is_empty() => paint::line(out, &line, layout.color),
        Place::SameLine => {
            line.truncate(line.trim_end_matches(' ').len());
            line.push(' ');
            line.push_str(details);
            paint::line(out, &line, layout.color);
        }
        Place::Below => {
            paint::line(out, &line, layout.color);
            below(out, details, layout.width.map_or(usize::MAX, usize::from));
        }
    }
}

/// Writes details on lines of their own, broken between words where they do not fit.
fn below(out: &mut Vec<u8>, details: &str, width: usize) {
    let mut used = 0;
    for word in details.split(' ') {
        if used > 0 && used + 1 + word.width() > width {
            out.push(b'\n');
            used = 0;
        }
        let before = if used == 0 { detail::INDENT } else { b" " };
        out.extend_from_slice(before);
        out.extend_from_slice(word.as_bytes());
        used += before.len() + word.width();
    }
    out.push(b'\n');
}
