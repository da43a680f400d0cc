//! Text in columns.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::Field;

/// Blanks between two columns.
pub(super) const GAP: usize = 1;

/// What begins the rest of a folded line.
const FOLDED: &str = "    ";

/// Columns a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.width()
    }
}

/// As many characters of a text as are no wider than this.
pub(super) fn cut(text: &str, width: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or_default();
        used <= width
    };
    text.chars().take_while(fits).collect()
}

/// The columns of a text: cells of numbers stand at the right.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    /// How wide each is, and whether it has numbers.
    columns: Vec<(usize, bool)>,
    /// True if cells behind one that is wider than its column stand as near to their columns as they can;
    /// else all of them move.
    pub(super) recovers: bool,
    /// How wide lines may be before they are folded between cells: an address that the terminal breaks is
    /// read as another one.
    pub(super) fold: Option<usize>,
}

impl Grid {
    /// Columns of at least these widths, and whether each has numbers.
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

    /// Cells side by side, each in its column. What is behind the last column follows it.
    pub(super) fn line<S: AsRef<str>>(&self, cells: &[S]) -> String {
        let mut line = String::new();
        // Columns that are taken, where the next cell can begin, and where its column does.
        let (mut used, mut free, mut begin) = (0, 0, 0);
        for (place, cell) in cells.iter().enumerate() {
            let cell = cell.as_ref();
            let (column, is_number) = self.columns.get(place).copied().unwrap_or_default();
            let needed = width(cell);
            // Lines are folded at the same column in every row, unless most are not folded; only the last cell may be
            // short enough.
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
