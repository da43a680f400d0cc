//! How wide the columns of a table are.

use crate::render::Layout;
use crate::render::grid::Grid;

/// No column of free text is made narrower than this.
const NARROWEST: usize = 16;

/// Columns as wide as their longest cells. When that is more than the terminal has, columns of free text
/// are made narrower; when even that does not help, nothing is, and lines are folded between cells.
pub(super) fn fit(layout: &Layout, rows: &[Vec<String>]) -> Grid {
    let mut grid = Grid::of(&layout.columns);
    let columns = layout.columns.iter().zip(grid.widths());
    let floors: Vec<usize> = columns
        .map(|(column, title)| {
            if column.definition().is_free_text() {
                NARROWEST.max(*title)
            } else {
                usize::MAX
            }
        })
        .collect();
    for row in rows {
        grid.widen(row);
    }
    if let (Some(terminal), false) = (layout.width, layout.one_line) {
        let terminal = usize::from(terminal);
        let excess = grid.width().saturating_sub(terminal);
        shrink(&mut grid.widths().collect::<Vec<_>>(), &floors, excess);
        if grid.width() > terminal {
            grid.fold = Some(terminal);
        }
    }
    grid
}

/// Takes the excess from the widest column that has some left, again and again; if there is not
/// enough, takes nothing.
fn shrink(widths: &mut [&mut usize], floors: &[usize], mut excess: usize) {
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
        **widest -= 1;
        excess -= 1;
    }
}
