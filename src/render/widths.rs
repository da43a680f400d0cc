//! How wide the columns of a table are.

use unicode_width::UnicodeWidthStr;

use super::{Column, Layout, Place};

/// Blanks between two columns.
pub(super) const GAP: usize = 1;

/// What begins the rest of a folded line.
const FOLDED: &str = "    ";

/// No column of free text is made narrower than this.
const NARROWEST: usize = 16;

/// Columns a text takes on a terminal.
pub(super) fn of(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.width()
    }
}

/// The width of every column: what its longest cell needs. When that is more than the terminal has,
/// columns of free text are made narrower; when even that does not help, nothing is, and lines are
/// [folded](too_wide) between cells.
pub(super) fn fit(layout: &Layout, rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths: Vec<usize> = layout.columns.iter().map(|c| of(&c.title())).collect();
    let floors: Vec<usize> = layout
        .columns
        .iter()
        .zip(&widths)
        .map(|(column, title)| {
            if column.definition().is_free_text() {
                NARROWEST.max(*title)
            } else {
                usize::MAX
            }
        })
        .collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = of(cell).max(*width);
        }
    }
    if let (Some(terminal), Place::Below) = (layout.width, layout.place) {
        let gaps = GAP * widths.len().saturating_sub(1);
        let total = widths.iter().sum::<usize>() + gaps;
        shrink(&mut widths, &floors, total.saturating_sub(terminal.into()));
    }
    widths
}

/// Takes the excess from the widest column that has some left, again and again; if there is not
/// enough, takes nothing.
fn shrink(widths: &mut [usize], floors: &[usize], mut excess: usize) {
    let spare = |width: &usize, floor: &usize| width.saturating_sub(*floor);
    let available: usize = widths.iter().zip(floors).map(|(w, f)| spare(w, f)).sum();
    if available < excess {
        return;
    }
    while excess > 0 {
        let widest = widths
            .iter_mut()
            .zip(floors)
            .filter(|(width, floor)| spare(width, floor) > 0)
            .map(|(width, _)| width)
            .max();
        let Some(widest) = widest else { return };
        *widest -= 1;
        excess -= 1;
    }
}

/// The width of the terminal, if columns of these widths do not fit into it and a line may be broken.
pub(super) fn too_wide(layout: &Layout, widths: &[usize]) -> Option<usize> {
    let terminal = layout
        .width
        .filter(|_| layout.place == Place::Below)?
        .into();
    let gaps = GAP * widths.len().saturating_sub(1);
    (widths.iter().sum::<usize>() + gaps > terminal).then_some(terminal)
}

/// Appends cells side by side, each as wide as its column or, where it is longer, as itself. Where the
/// next one would reach beyond `fold`, a new line begins: an address that the terminal breaks is read
/// as another one.
pub(super) fn side_by_side(
    line: &mut String,
    columns: &[Column],
    widths: &[usize],
    row: &[String],
    fold: Option<usize>,
) {
    let mut used = 0;
    let last = row.len().saturating_sub(1);
    for (((column, width), cell), place) in columns.iter().zip(widths).zip(row).zip(0..) {
        // Columns are folded at the same place in every row; only the last may be short enough.
        let needed = of(cell).max(if place == last { 0 } else { *width });
        if used > 0 && fold.is_some_and(|fold| used + needed > fold) {
            line.truncate(line.trim_end_matches(' ').len());
            line.push('\n');
            line.push_str(FOLDED);
            used = FOLDED.len();
        }
        used += of(cell).max(*width) + GAP;
        let missing = width.saturating_sub(of(cell));
        let (before, after) = if column.definition().is_right() {
            (missing, 0)
        } else {
            (0, missing)
        };
        line.extend(std::iter::repeat_n(' ', before));
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', after + GAP));
    }
}
