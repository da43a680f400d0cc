//! Lists of fields: `--columns`, `--sort`, and what they make necessary.

use crate::error::Error;
use crate::fields::{Field, Needs};
use crate::render::SortKey;
use crate::text::escape;

/// What the fields of a listing need.
pub(super) struct FieldNeeds {
    /// Those that were named, as columns or sort keys: a costly one is then wished for.
    pub(super) named: Needs,
    /// Those that are shown or sorted by.
    pub(super) shown: Needs,
    /// Those that the filter looks at.
    pub(super) filter: Needs,
    /// True if a port is shown or sorted by.
    pub(super) has_ports: bool,
}

impl FieldNeeds {
    /// `is_chosen`: the columns were chosen by name.
    pub(super) fn new(shown: &[Field], is_chosen: bool, sort: &[SortKey], filter: Needs) -> Self {
        let sorted = sort.iter().map(|key| key.column);
        let named = if is_chosen { shown } else { &[] };
        let shown = shown.iter().copied().chain(sorted.clone());
        let shows_port = |field: Field| field.is_port() || Field::COMBINED.contains(&field);
        Self {
            named: Needs::of(named.iter().copied().chain(sorted)),
            has_ports: shown.clone().any(shows_port),
            shown: Needs::of(shown),
            filter,
        }
    }
}

fn column(name: &str) -> Result<Field, Error> {
    // A title of a listing is a name too.
    Field::column(&name.to_ascii_lowercase()).ok_or_else(|| {
        let names: Vec<&str> = Field::VOCABULARY
            .into_iter()
            .chain(Field::COMBINED)
            .map(Field::own_name)
            .collect();
        let name = escape(name.as_bytes());
        Error::Usage(format!(
            "unknown field \"{name}\"; the fields are: {}",
            names.join(", ")
        ))
    })
}

pub(super) fn columns(list: &str) -> Result<Vec<Field>, Error> {
    let mut columns = Vec::new();
    for word in list.split(',') {
        let column = column(word)?;
        if columns.contains(&column) {
            return Err(Error::Usage(format!(
                "field \"{}\" is given twice",
                column.own_name()
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
