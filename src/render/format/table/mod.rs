//! `table`: for people at a terminal. The first rows set the widths of the columns for all rows.

use std::io;
use std::ops::ControlFlow;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, Table as Comfy, Width};

use crate::model::{OwnedRow, Row, Summary};
use crate::render::detail::Details;
use crate::render::grid::{GAP, Grid, width};
use crate::render::out::Out;
use crate::render::style::Style;
use crate::render::{Envelope, Extras, Field, Layout, RowBuffer, Sink, detail, paint};
use crate::text::push_wrapped;

/// The smallest width of a column of free text.
const NARROWEST: usize = 16;

pub(super) struct Table<'w> {
    out: Out<'w>,
    layout: Layout,
    details: Details,
    /// `None` = no row yet.
    grid: Option<Grid>,
    scratch: Vec<u8>,
}

impl<'w> Table<'w> {
    pub(super) fn new(layout: Layout, envelope: &Envelope, mut out: Out<'w>) -> Self {
        envelope.begin_text(&mut out.buffer);
        Self {
            out,
            details: Details::of(&layout),
            layout,
            grid: None,
            scratch: Vec::new(),
        }
    }

    fn cells(&mut self, row: &Row<'_>) -> Vec<String> {
        let style = Style::TEXT.of(&self.layout);
        let mut cells = Vec::with_capacity(self.layout.columns.len());
        for column in &self.layout.columns {
            self.scratch.clear();
            style.cell(&mut self.scratch, *column, row);
            let text = String::from_utf8_lossy(&self.scratch);
            cells.push(match column {
                Field::State => paint::mark_state(&text),
                free if free.is_free_text() => paint::mark_breaks(&text),
                _ => text.into_owned(),
            });
        }
        if let Some(first) = cells.first_mut() {
            first.insert(0, paint::ROW);
        }
        cells
    }

    /// Drops columns that `-e` adds and no row fills.
    fn leave_out_empty(&mut self, rows: &[OwnedRow]) {
        let style = Style::TEXT.of(&self.layout);
        let others = self.layout.extras.without(Extras::EXTENDED).columns();
        let scratch = &mut self.scratch;
        self.layout.columns.retain(|column| {
            let mut is_empty = |row: &OwnedRow| {
                scratch.clear();
                style.cell(scratch, *column, &row.row());
                let nothing: &[u8] = match column {
                    Field::Mark => b"0",
                    Field::Shutdown => b"none",
                    _ => b"-",
                };
                *scratch == b"-" || *scratch == nothing
            };
            others.contains(column) || rows.is_empty() || !rows.iter().all(&mut is_empty)
        });
    }

    fn details_of(&mut self, row: &Row<'_>) -> String {
        self.scratch.clear();
        self.details.write(&mut self.scratch, row);
        for line in self.details.subflows(Style::TEXT.of(&self.layout), row) {
            self.scratch.push(b'\n');
            self.scratch.extend_from_slice(&line);
        }
        String::from_utf8_lossy(&self.scratch).into_owned()
    }

    /// Lays out the first rows and writes them. Later rows use the same columns.
    fn lay_out(&mut self, rows: &[OwnedRow]) -> Grid {
        let details: Vec<_> = rows.iter().map(|row| self.details_of(&row.row())).collect();
        let rows: Vec<_> = rows.iter().map(|row| self.cells(&row.row())).collect();
        let mut grid = fit(&self.layout, &rows);
        let (out, layout) = (&mut self.out.buffer, &self.layout);
        let titles: Vec<_> = layout.columns.iter().map(|c| c.title()).collect();
        if layout.header.is_shown() {
            paint::header(out, &grid.line(&titles), layout.color);
        }
        if grid.fold.is_some() {
            for (cells, words) in rows.iter().zip(details) {
                write(out, layout, grid.line(cells), &words);
            }
            return grid;
        }
        let table = arranged(layout, &mut grid, rows);
        let mut lines = table.lines().peekable();
        let mut details = details.into_iter();
        while let Some(line) = lines.next() {
            let row_ends = lines.peek().is_none_or(|next| next.contains(paint::ROW));
            let words = row_ends.then(|| details.next()).flatten();
            write(out, layout, line, &words.unwrap_or_default());
        }
        grid
    }
}

impl Sink for Table<'_> {
    fn is_laid_out(&self) -> bool {
        true
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let (cells, words) = (self.cells(row), self.details_of(row));
        let Some(grid) = &self.grid else {
            return self.rows(&[OwnedRow::keep(row)], false);
        };
        write(
            &mut self.out.buffer,
            &self.layout,
            grid.line(&cells),
            &words,
        );
        self.out.row_done()
    }

    fn rows(&mut self, rows: &[OwnedRow], is_all: bool) -> io::Result<ControlFlow<()>> {
        let mut rest = rows;
        if self.grid.is_none() {
            if is_all && self.layout.leaves_out_empty {
                self.leave_out_empty(rows);
            }
            let (first, others) = rows.split_at(rows.len().min(RowBuffer::WINDOW));
            self.grid = Some(self.lay_out(first));
            rest = others;
        }
        let mut flow = self.out.row_done()?;
        for row in rest {
            flow = self.row(&row.row())?;
        }
        Ok(flow)
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        self.out.end(self.layout.header, summary)
    }
}

/// Rows in these columns, with long cells of free text wrapped.
fn arranged(layout: &Layout, grid: &mut Grid, rows: Vec<Vec<String>>) -> Comfy {
    let mut table = Comfy::new();
    table.load_style(NOTHING).set_delimiter(paint::BREAK);
    for row in rows {
        table.add_row(row.into_iter().map(Cell::new_owned));
    }
    for ((column, width), place) in layout.columns.iter().zip(grid.widths()).zip(0..) {
        let Some(arranged) = table.column_mut(place) else {
            continue;
        };
        let outer = u16::try_from(*width + GAP).unwrap_or(u16::MAX);
        arranged
            .set_padding((0, 1))
            .set_constraint(ColumnConstraint::Absolute(Width::Fixed(outer)));
        if column.is_right() {
            arranged.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Writes a line with its details.
fn write(out: &mut Vec<u8>, layout: &Layout, mut line: String, details: &str) {
    let ends_line = layout.one_line && !details.is_empty();
    if ends_line {
        line.truncate(line.trim_end_matches(' ').len());
        line.push(' ');
        line.push_str(&details.replace('\n', " "));
    }
    paint::line(out, &line, layout.color);
    if !ends_line && !details.is_empty() {
        let width = layout.width.map_or(usize::MAX, usize::from);
        for details in details.lines().filter(|details| !details.is_empty()) {
            let mut below = String::from_utf8_lossy(detail::INDENT).into_owned();
            push_wrapped(&mut below, details, detail::INDENT.len(), width);
            below.push('\n');
            out.extend_from_slice(below.as_bytes());
        }
    }
}

/// Columns as wide as their longest cells. If the terminal is narrower, columns of free text shrink, the
/// widest first; if that is not enough, lines are folded between cells: only the long lines if they are few,
/// else all at the same column.
fn fit(layout: &Layout, rows: &[Vec<String>]) -> Grid {
    let mut grid = Grid::of(&layout.columns);
    let columns = layout.columns.iter().zip(grid.widths());
    // Columns of numbers and addresses do not shrink.
    let least = columns.map(|(column, title)| {
        let free = NARROWEST.max(*title);
        if column.is_free_text() {
            free
        } else {
            usize::MAX
        }
    });
    let least: Vec<usize> = least.collect();
    for row in rows {
        grid.widen(row);
    }
    let Some(terminal) = layout.width.filter(|_| !layout.one_line) else {
        return grid;
    };
    let (terminal, mut narrow) = (usize::from(terminal), grid.clone());
    while narrow.width() > terminal {
        let widths = narrow.widths().zip(&least);
        let free = widths.filter(|(width, least)| **width > **least);
        let Some(widest) = free.map(|(width, _)| width).max() else {
            grid.fold = Some(terminal);
            return ragged(layout, &grid, rows).unwrap_or(grid);
        };
        *widest -= 1;
    }
    narrow
}

/// Narrower columns of addresses, which some cells exceed, if then most lines need no folding.
fn ragged(layout: &Layout, folded: &Grid, rows: &[Vec<String>]) -> Option<Grid> {
    let terminal = folded.fold?;
    let mut grid = folded.clone();
    grid.recovers = true;
    // Most cells of the last column must fit: nothing is aligned after it.
    let mut ends: Vec<usize> = rows
        .iter()
        .filter_map(|row| Some(width(row.last()?)))
        .collect();
    ends.sort_unstable();
    let usual = ends.get(ends.len() / 2).copied().unwrap_or_default();
    let titles = layout.columns.iter().map(|column| width(&column.title()));
    let titles: Vec<usize> = titles.collect();
    if let (Some(last), Some(title)) = (grid.widths().last(), titles.last()) {
        *last = usual.max(*title);
    }
    while grid.width() > terminal {
        let columns = grid.widths().zip(&titles).zip(&layout.columns);
        let columns = columns.filter(|((width, title), column)| {
            matches!(column, Field::Local | Field::Peer) && **width > **title
        });
        let widest = columns.map(|((width, _), _)| width).max()?;
        *widest -= 1;
    }
    let is_whole = |row: &&Vec<String>| !grid.line(row).contains('\n');
    (rows.iter().filter(is_whole).count() * 2 > rows.len()).then_some(grid)
}
