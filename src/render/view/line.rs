//! The line of a row.

use unicode_width::UnicodeWidthChar as _;

use crate::model::{Change, Row, State};

use super::super::cell::{Blanks, Style};
use super::super::{Column, Layout, Signs, cell, detail, paint, widths};

/// Columns before the first cell: the mark of what became of the socket, and a blank.
pub(super) const MARK: usize = 2;

/// The longest name of a state: the column would become as wide anyway.
const STATE: usize = 11;

/// The mark of what became of a socket: it is told without colours too.
pub(super) const fn mark(change: Change) -> &'static str {
    match change {
        Change::None | Change::Found => "  ",
        Change::New => "+ ",
        Change::Changed(_) => "~ ",
        Change::Gone => "- ",
    }
}

/// What stands where a line goes on beyond the screen.
pub(super) const fn more(signs: Signs) -> char {
    match signs {
        Signs::Ascii => '>',
        Signs::Unicode => '…',
    }
}

/// The columns of a list, as wide as what was seen needs.
///
/// Where all of them do not fit the screen, none is wider than in `plain`: a long cell moves what is
/// behind it in its own line.
pub(super) struct Columns {
    layout: Layout,
    style: Style,
    widths: Vec<usize>,
}

impl Columns {
    pub(super) fn new(layout: &Layout) -> Self {
        let least = |column: &Column| {
            let title = widths::of(&column.title());
            match column {
                Column::State => STATE.max(title),
                _ => title,
            }
        };
        Self {
            style: layout.style(Blanks::Keep),
            widths: layout.columns.iter().map(least).collect(),
            layout: layout.clone(),
        }
    }

    /// The cells of a row, and what `-i` and `-m` tell of it.
    pub(super) fn cells(&self, row: &Row<'_>) -> Vec<String> {
        let mut out = Vec::new();
        let mut text = |write: &dyn Fn(&mut Vec<u8>)| {
            out.clear();
            write(&mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        let columns = self.layout.columns.iter();
        let mut cells: Vec<String> = columns
            .map(|column| text(&|out| self.style.cell(out, *column, row)))
            .collect();
        cells.push(text(&|out| detail::words(out, row, self.layout.extras)));
        cells
    }

    /// Makes room for cells.
    pub(super) fn widen(&mut self, rows: &[Vec<String>]) {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = widths::of(cell).max(*width);
            }
        }
    }

    /// How wide each column is on a screen.
    pub(super) fn on(&self, screen: usize) -> Vec<usize> {
        let cells = self.widths.iter().map(|width| width + widths::GAP);
        if MARK + cells.sum::<usize>() <= screen + widths::GAP {
            return self.widths.clone();
        }
        let columns = self.layout.columns.iter().zip(&self.widths);
        columns
            .map(|(column, width)| column.definition().width().min(*width))
            .collect()
    }

    pub(super) fn titles(&self, widths: &[usize]) -> String {
        let titles = self.layout.columns.iter().map(|column| column.title());
        self.side_by_side(widths, &titles.collect::<Vec<_>>())
    }

    /// The line of a row. The state that it left takes room from the columns behind it, in this line
    /// alone.
    pub(super) fn line(
        &self,
        widths: &[usize],
        (row, change): (&Row<'_>, Change),
        mut cells: Vec<String>,
    ) -> String {
        let state = row.socket.state;
        let columns = self.layout.columns.iter();
        for (column, cell) in columns.zip(&mut cells) {
            if *column == Column::State {
                *cell = match change.old_state() {
                    Some(old) if old != state => self.step(old, cell),
                    _ => paint::mark_state(cell),
                };
            }
        }
        self.side_by_side(widths, &cells)
    }

    fn step(&self, old: State, now: &str) -> String {
        let mut text = Vec::new();
        cell::state(&mut text, old);
        let arrow = match self.layout.signs {
            Signs::Ascii => "->",
            Signs::Unicode => "→",
        };
        format!("{}{arrow}{now}", String::from_utf8_lossy(&text))
    }

    /// Cells one after another, each in its column or, where one before it was too long, as near to it
    /// as can be. What is behind the last column follows it.
    fn side_by_side(&self, widths: &[usize], cells: &[String]) -> String {
        let mut line = String::new();
        let (mut used, mut begin) = (0, 0);
        for (place, cell) in cells.iter().enumerate() {
            let width = widths.get(place).copied().unwrap_or_default();
            let needed = widths::of(cell);
            let is_number = self
                .layout
                .columns
                .get(place)
                .is_some_and(|c| c.definition().is_right());
            let wished = if is_number {
                begin + width.saturating_sub(needed)
            } else {
                begin
            };
            let free = if place == 0 { 0 } else { used + widths::GAP };
            let at = wished.max(free);
            if needed > 0 {
                line.extend(std::iter::repeat_n(' ', at - used));
                line.push_str(cell);
                used = at + needed;
            }
            begin += width + widths::GAP;
        }
        line
    }
}

/// The part of a line that is seen from column `left` on, `width` columns wide. `more` stands at its
/// end where it goes on: half an address reads like another one.
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
        // Half of a wide character is a blank.
        let hidden = (column - wide).max(left) - (column - wide);
        if hidden > 0 {
            part.push(' ');
            used += wide - hidden;
        } else if used + wide > width {
            return ended(&part, width, more);
        } else {
            part.push(c);
            used += wide;
        }
    }
    part
}

/// A part that goes on, with the sign of it in its last column.
fn ended(part: &str, width: usize, more: char) -> String {
    let mut ended = String::new();
    let mut used = 0;
    for c in part.chars() {
        let wide = c.width().unwrap_or_default();
        if used + wide >= width {
            break;
        }
        ended.push(c);
        used += wide;
    }
    ended.extend(std::iter::repeat_n(' ', width.saturating_sub(used + 1)));
    if width > 0 {
        ended.push(more);
    }
    ended
}
