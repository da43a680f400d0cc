//! Lists of fields: `--columns`, `--sort`, and what they make necessary.

use crate::error::Error;
use crate::filter;
use crate::render::{Column, SortKey};
use crate::text::escape;

/// Which fields a listing needs.
pub(super) struct Needs<'a> {
    pub(super) shown: &'a [Column],
    /// The columns were chosen by name: one that is costly is then wished for.
    pub(super) chosen: bool,
    pub(super) sort: &'a [SortKey],
    /// What the filter looks at.
    pub(super) filter: filter::Needs,
}

impl Needs<'_> {
    /// Is one of them shown, or sorted by?
    pub(super) fn any(&self, columns: &[Column]) -> bool {
        let sorted = self.sort.iter().map(|key| &key.column);
        self.shown
            .iter()
            .chain(sorted)
            .any(|column| columns.contains(column))
    }

    /// Was one of them named?
    pub(super) fn any_wished(&self, columns: &[Column]) -> bool {
        let shown = if self.chosen { self.shown } else { &[] };
        let sorted = self.sort.iter().map(|key| &key.column);
        shown
            .iter()
            .chain(sorted)
            .any(|column| columns.contains(column))
    }

    pub(super) fn owners(&self) -> bool {
        self.any_wished(&[Column::Processes, Column::ProcessStatus])
    }
}

fn column(name: &str) -> Result<Column, Error> {
    // A title of a listing is a name too.
    Column::from_name(&name.to_ascii_lowercase()).ok_or_else(|| {
        let names: Vec<&str> = Column::VOCABULARY
            .into_iter()
            .chain(Column::COMBINED)
            .map(Column::name)
            .collect();
        let name = escape(name.as_bytes());
        Error::Usage(format!(
            "unknown field \"{name}\"; the fields are: {}",
            names.join(", ")
        ))
    })
}

pub(super) fn columns(list: &str) -> Result<Vec<Column>, Error> {
    let mut columns = Vec::new();
    for word in list.split(',') {
        let column = column(word)?;
        if columns.contains(&column) {
            return Err(Error::Usage(format!(
                "field \"{}\" is given twice",
                column.name()
            )));
        }
        columns.push(column);
    }
    Ok(columns)
}

pub(super) fn sort_keys(list: &str) -> Result<Vec<SortKey>, Error> {
    list.split(',')
        .map(|word| {
            let (name, descending) = match word.strip_prefix('-') {
                Some(name) => (name, true),
                None => (word, false),
            };
            let column = column(name)?;
            if column.is_sortable() {
                Ok(SortKey { column, descending })
            } else {
                Err(Error::Usage(format!(
                    "\"{name}\" has many values: no order"
                )))
            }
        })
        .collect()
}
