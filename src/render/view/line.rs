//! Lines of rows.

use unicode_width::UnicodeWidthChar as _;

use crate::model::{Change, ChangedRow, Row};

use super::super::detail::Details;
use super::super::grid::Grid;
use super::super::style::Style;
use super::super::{Field, Layout, paint};

/// Columns before the first cell, for marks.
pub(super) const MARK: usize = 2;

/// Length of the longest state: the column would become as wide anyway.
const STATE: usize = 11;

/// Marks of changes and selection, which do not depend on colors.
pub(super) fn mark(change: Change, is_selected: bool) -> String {
    let sign = match change {
        Change::None | Change::Found => ' ',
        Change::New => '+',
        Change::Changed(_) => '~',
        Change::Gone => '-',
    };
    format!("{sign}{}", if is_selected { '>' } else { ' ' })
}

/// The columns of a list, as wide as needed so far.
///
/// If they do not fit the screen, none is wider than in `plain`: a long cell moves the rest of its own line.
pub(super) struct ListColumns {
    layout: Layout,
    details: Details,
    style: Style,
    grid: Grid,
}

impl ListColumns {
    pub(super) fn new(layout: &Layout) -> Self {
        let mut grid = Grid::of(&layout.columns);
        grid.recovers = true;
        for (column, width) in layout.columns.iter().zip(grid.widths()) {
            if *column == Field::State {
                *width = STATE.max(*width);
            }
        }
        Self {
            style: Style::TEXT.of(layout),
            details: Details::of(layout),
            grid,
            layout: layout.clone(),
        }
    }

    /// The cells of a row, and its details of `-i` and `-m`.
    pub(super) fn cells(&self, row: &Row<'_>) -> Vec<String> {
        let columns = self.layout.columns.iter();
        let mut cells: Vec<_> = columns.map(|c| self.style.text(*c, row)).collect();
        let mut details = Vec::new();
        self.details.write(&mut details, row);
        cells.push(String::from_utf8_lossy(&details).into_owned());
        cells
    }

    pub(super) fn widen(&mut self, rows: &[Vec<String>]) {
        for row in rows {
            self.grid.widen(row);
        }
    }

    pub(super) fn on(&self, screen: usize) -> Grid {
        let mut grid = self.grid.clone();
        if MARK + grid.width() > screen {
            for (column, width) in self.layout.columns.iter().zip(grid.widths()) {
                *width = column.width().min(*width);
            }
        }
        grid
    }

    pub(super) fn titles(&self, grid: &Grid) -> String {
        let titles = self.layout.columns.iter().map(|column| column.title());
        grid.line(&titles.collect::<Vec<_>>())
    }

    /// The line of a row. The old state takes room from the columns after it, in this line only.
    pub(super) fn line(&self, grid: &Grid, row: &ChangedRow, mut cells: Vec<String>) -> String {
        let state = row.row.row().socket.state;
        let columns = self.layout.columns.iter();
        for (column, cell) in columns.zip(&mut cells) {
            if *column == Field::State {
                *cell = match row.change.old_state() {
                    Some(old) if old != state => {
                        format!("{old}{}{cell}", self.layout.signs.arrow())
                    }
                    _ => paint::mark_state(cell),
                };
            }
        }
        grid.line(&cells)
    }
}

/// The part of a line from column `left`, `width` columns wide. If the line continues, the part ends with
/// `more`: half an address looks like another one.
pub(super) fn part(line: &str, left: usize, width: usize, more: char) -> String {
    let mut part = String::new();
    let (mut column, mut used) = (0, 0);
    let mut chars = line.trim_end().chars();
    for c in chars.by_ref() {
        let wide = c.width().unwrap_or_default();
        column += wide;
        if column <= left {
            continue;
        }
        // Half of a wide character becomes a blank.
        let hidden = (column - wide).max(left) - (column - wide);
        if hidden > 0 {
            part.push(' ');
            used += wide - hidden;
        } else if used + wide > width {
            // The sign takes the last column.
            while used >= width
                && let Some(c) = part.pop()
            {
                used -= c.width().unwrap_or_default();
            }
            part.extend(std::iter::repeat_n(' ', width.saturating_sub(used + 1)));
            part.extend((width > 0).then_some(more));
            return part;
        } else {
            part.push(c);
            used += wide;
        }
    }
    part
}

/// The part of a painted line that fits in this width.
pub(super) fn painted_part(line: &str, width: usize, more: char) -> String {
    let mut is_escape = false;
    let chars = line.chars().map(|c| {
        let wide = if is_escape || c == '\u{1b}' {
            is_escape = !c.is_ascii_alphabetic();
            0
        } else {
            c.width().unwrap_or_default()
        };
        (c, wide)
    });
    let chars: Vec<(char, usize)> = chars.collect();
    let is_cut = chars.iter().map(|(_, wide)| wide).sum::<usize>() > width;
    let room = width.saturating_sub(usize::from(is_cut));
    let (mut part, mut used) = (String::new(), 0);
    for (c, wide) in chars {
        let begin = used;
        used += wide;
        // The end of a color is kept.
        if used <= room || wide == 0 {
            part.push(c);
        } else if begin <= room && width > 0 {
            part.push(more);
            used = usize::MAX / 2;
        }
    }
    part
}
