//! Searches for text in rows.

use crate::fields::Side;
use crate::model::Row;

use super::detail::Details;
use super::style::Style;
use super::{Field, Layout};

/// Searches for text in what is shown of rows: in each cell separately, as in `table`, and in the details of
/// `-i` and `-m`. Ignores case, in any script.
///
/// If address and port of an end are separate columns, it is also searched as one cell.
#[derive(Debug)]
pub struct Search {
    columns: Vec<Field>,
    style: Style,
    details: Details,
    cell: Vec<u8>,
    folded: String,
    needle: String,
}

impl Search {
    /// Searches what a listing with this layout shows.
    pub fn new(layout: &Layout) -> Self {
        let mut columns = layout.columns.clone();
        for side in [Side::Local, Side::Peer] {
            if columns.contains(&side.address()) && columns.contains(&side.port()) {
                columns.push(side.column());
            }
        }
        Self {
            columns,
            style: Style::TEXT.of(layout),
            details: Details::of(layout),
            cell: Vec::new(),
            folded: String::new(),
            needle: String::new(),
        }
    }

    /// True if some cell of the row contains the text. Every row contains an empty text.
    pub fn contains(&mut self, row: &Row<'_>, needle: &str) -> bool {
        fold(needle, &mut self.needle);
        for column in &self.columns {
            self.cell.clear();
            self.style.cell(&mut self.cell, *column, row);
            if is_in(&self.needle, &self.cell, &mut self.folded) {
                return true;
            }
        }
        self.cell.clear();
        self.details.write(&mut self.cell, row);
        is_in(&self.needle, &self.cell, &mut self.folded)
    }
}

/// True if a cell contains a text that is already lower case.
fn is_in(needle: &str, cell: &[u8], folded: &mut String) -> bool {
    // A cell is UTF-8: names are escaped.
    let cell = std::str::from_utf8(cell).unwrap_or_default();
    fold(cell, folded);
    folded.contains(needle)
}

/// Writes the text in lower case, character by character.
fn fold(text: &str, out: &mut String) {
    out.clear();
    if text.is_ascii() {
        out.push_str(text);
        out.make_ascii_lowercase();
    } else {
        out.extend(text.chars().flat_map(char::to_lowercase));
    }
}
