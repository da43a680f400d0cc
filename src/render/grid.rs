//! Text in columns.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::Field;

/// Blanks between two columns.
pub(super) const GAP: usize = 1;

/// The indentation of the rest of a folded line.
const FOLDED: &str = "    ";

/// The width of a text on a terminal.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.width()
    }
}

/// The longest prefix of a text that fits in this width.
pub(super) fn cut(text: &str, width: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or_default();
        used <= width
    };
    text.chars().take_while(fits).collect()
}

/// Columns of text; cells of numbers are right-aligned.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    /// The width of each column, and true if it has numbers.
    columns: Vec<(usize, bool)>,
    /// True if cells after a long one return to their columns as soon as possible; false if all of them move.
    pub(super) recovers: bool,
    /// The width at which lines are folded between cells. An address broken by the terminal could be misread.
    pub(super) fold: Option<usize>,
}

impl Grid {
    /// Columns of at least these widths; true for numbers.
    pub(super) fn new(columns: impl IntoIterator<Item = (usize, bool)>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            recovers: false,
            fold: None,
        }
    }

    /// Columns as wide as their titles.
    pub(super) fn of(columns: &[Field]) -> Self {
        Self::new(columns.iter().map(|c| (width(&c.title()), c.is_right())))
    }

    pub(super) fn widths(&mut self) -> impl Iterator<Item = &mut usize> {
        self.columns.iter_mut().map(|(width, _)| width)
    }

    pub(super) fn widen<S: AsRef<str>>(&mut self, cells: &[S]) {
        for (column, cell) in self.widths().zip(cells) {
            *column = width(cell.as_ref()).max(*column);
        }
    }

    pub(super) fn begin(&self, column: usize) -> usize {
        let before = self.columns.iter().take(column);
        before.map(|(width, _)| width + GAP).sum()
    }

    pub(super) fn width(&self) -> usize {
        self.begin(self.columns.len()).saturating_sub(GAP)
    }

    /// Cells in their columns. Extra cells follow the last column.
    pub(super) fn line<S: AsRef<str>>(&self, cells: &[S]) -> String {
        let mut line = String::new();
        // The width used, the earliest start of the next cell, and the start of its column.
        let (mut used, mut free, mut begin) = (0, 0, 0);
        for (place, cell) in cells.iter().enumerate() {
            let cell = cell.as_ref();
            let (column, is_number) = self.columns.get(place).copied().unwrap_or_default();
            let needed = width(cell);
            // Lines are folded at the same column in every row, unless most are not folded; only the last
            // cell may be short enough.
            let is_last = place + 1 == cells.len();
            let room = if self.recovers {
                begin.max(free) - begin + needed
            } else {
                needed.max(if is_last { 0 } else { column })
            };
            if begin > 0 && self.fold.is_some_and(|fold| begin + room > fold) {
                line.truncate(line.trim_end_matches(' ').len());
                line.push('\n');
                line.push_str(FOLDED);
                (used, free, begin) = (FOLDED.len(), FOLDED.len(), FOLDED.len());
            }
            let missing = if is_number {
                column.saturating_sub(needed)
            } else {
                0
            };
            let at = (begin + missing).max(free);
            if !cell.is_empty() {
                line.extend(std::iter::repeat_n(' ', at - used));
                line.push_str(cell);
                used = at + needed;
                free = used + GAP;
            }
            begin += column + GAP;
            if !self.recovers {
                begin = begin.max(free);
            }
        }
        line
    }
}
