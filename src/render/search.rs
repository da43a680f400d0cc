//! Does a row show a text?

use crate::fields::Side;
use crate::model::Row;

use super::detail::Details;
use super::style::Style;
use super::{Field, Layout};

/// Looks for texts in what is shown of rows: in every cell by itself, as `table` writes it, and in
/// the details of `-i` and `-m`. Capitals do not matter, of any script.
///
/// An end whose address and port are shown as columns of their own is also looked at as one cell.
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
    /// Will look at what such a listing shows.
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

    /// Does some cell of the row contain the text? One that is empty is contained in every row.
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

/// Does a cell contain a text that is folded already?
fn is_in(needle: &str, cell: &[u8], folded: &mut String) -> bool {
    // A cell is text: names are escaped.
    let cell = std::str::from_utf8(cell).unwrap_or_default();
    fold(cell, folded);
    folded.contains(needle)
}

/// Writes small letters for capitals, each character by itself.
fn fold(text: &str, out: &mut String) {
    out.clear();
    if text.is_ascii() {
        out.push_str(text);
        out.make_ascii_lowercase();
    } else {
        out.extend(text.chars().flat_map(char::to_lowercase));
    }
}
