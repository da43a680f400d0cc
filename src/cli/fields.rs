//! Lists of fields: `--columns` and `--sort`, and the lookups they need.

use std::collections::BTreeSet;

use super::{FormatWord, Typed, habits};
use crate::error::Error;
use crate::fields::{Cost, Field};
use crate::model::Table;
use crate::render::{Format, Order, SortKey};
use crate::text::{escape, nearest};

pub(super) struct FieldNeeds {
    /// Costs of fields named as columns or sort keys, and so wanted even if expensive.
    pub(super) named: BTreeSet<Cost>,
    pub(super) shown: BTreeSet<Cost>,
    pub(super) filter: BTreeSet<Cost>,
    /// True if a port is shown or sorted by.
    pub(super) has_ports: bool,
}

impl FieldNeeds {
    pub(super) fn new(
        shown: &[Field],
        is_chosen: bool,
        sort: &[SortKey],
        filter: BTreeSet<Cost>,
    ) -> Self {
        let sorted = sort.iter().map(|key| key.column);
        let named = if is_chosen { shown } else { &[] };
        let shown = shown.iter().copied().chain(sorted.clone());
        let shows_port = |field: Field| field.is_port() || Field::COMBINED.contains(&field);
        Self {
            named: named
                .iter()
                .copied()
                .chain(sorted)
                .flat_map(Field::needs)
                .collect(),
            has_ports: shown.clone().any(shows_port),
            shown: shown.flat_map(Field::needs).collect(),
            filter,
        }
    }

    /// True if a named field or the filter needs it.
    pub(super) fn has(&self, cost: Cost) -> bool {
        self.named.contains(&cost) || self.filter.contains(&cost)
    }

    /// True if a shown field or the filter needs it.
    pub(super) fn shows(&self, cost: Cost) -> bool {
        self.shown.contains(&cost) || self.filter.contains(&cost)
    }
}

impl Typed {
    /// True if a page of counts also lists sockets.
    pub(super) fn is_page(&self) -> bool {
        self.summary && self.format == Some(FormatWord::Own(Format::Html))
    }

    /// The columns of the page. A recording has no processes.
    pub(super) fn page_columns(&self) -> String {
        let netns = if self.netns.is_empty() { "" } else { "netns," };
        let owners = match self.replay {
            None => ",user,container,pod,unit,processes",
            Some(_) => "",
        };
        format!("{netns}protocol,state,recv_queue,send_queue,local,peer{owners}")
    }
}

impl Typed {
    /// Refuses the fields of `-K` and `-c` without these options.
    pub(super) fn check_result<'f>(
        &self,
        chosen: impl Iterator<Item = &'f Field>,
        sort: &[SortKey],
    ) -> Result<(), Error> {
        let sorted = sort.iter().map(|key| key.column);
        let mut named = chosen.copied().chain(sorted);
        let missing = named.find_map(|field| match field {
            Field::Result if !self.kill => {
                Some("result needs -K: it shows what became of each socket")
            }
            rate if Field::RATES.contains(&rate) && self.continuous.is_none() => {
                Some("acked_rate and received_rate compare two listings: add -c")
            }
            _ => None,
        });
        missing.map_or(Ok(()), |text| Err(Error::Usage(text.to_owned())))
    }
}

/// The field that a word names, for the sockets of these tables.
fn column(name: &str, tables: &[Table]) -> Result<Field, Error> {
    // A column title is a name too.
    let lower = name.to_ascii_lowercase();
    let shown = escape(name.as_bytes());
    Field::column(&lower, tables).map_err(|unknown| {
        if let Some(written) = habits::elsewhere(&lower) {
            return Error::Usage(format!("unknown field \"{shown}\": {written}"));
        }
        Error::Usage(unknown.reason(&shown).unwrap_or_else(|| {
            let columns = Field::VOCABULARY.into_iter().chain(Field::COMBINED);
            let names: Vec<String> = columns.clone().map(Field::label).collect();
            let parts = columns.flat_map(Field::parts).map(Field::label);
            let all: Vec<String> = names.iter().cloned().chain(parts).collect();
            let nearest = nearest(&lower, &all).map(|name| format!("did you mean {name}? "));
            format!(
                "unknown field \"{shown}\"; {}the fields are: {}; parts are written like tcp_info.rtt",
                nearest.unwrap_or_default(),
                names.join(", ")
            )
        }))
    })
}

pub(super) fn columns(list: &str, tables: &[Table]) -> Result<Vec<Field>, Error> {
    let mut columns = Vec::new();
    for word in list.split(',') {
        let column = column(word, tables)?;
        if columns.contains(&column) {
            return Err(Error::Usage(format!(
                "field \"{}\" is given twice",
                column.label()
            )));
        }
        columns.push(column);
    }
    Ok(columns)
}

/// The order given by `--sort`; by default, on a terminal, one for reading.
pub(super) fn order(
    sort: Option<&str>,
    is_for_reading: bool,
    tables: &[Table],
) -> Result<Order, Error> {
    match sort {
        Some("none") => Ok(Order::Kernel),
        Some(list) => sort_keys(list, tables).map(Order::Keys),
        None if is_for_reading => Ok(Order::Usual),
        None => Ok(Order::Kernel),
    }
}

fn sort_keys(list: &str, tables: &[Table]) -> Result<Vec<SortKey>, Error> {
    list.split(',')
        .map(|word| {
            let (name, descending) = match word.strip_prefix('-') {
                Some(name) => (name, true),
                None => (word, false),
            };
            let column = column(name, tables)?;
            if column.is_sortable() {
                return Ok(SortKey { column, descending });
            }
            let part = column.parts().pop().map(Field::path).unwrap_or_default();
            Err(Error::Usage(format!(
                "\"{name}\" has many values; sort by one of them, like {part}"
            )))
        })
        .collect()
}
