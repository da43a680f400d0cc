//! Members of rows by table: those that no socket of a table has become literal text.

use super::Field;
use crate::fields::Cost;
use crate::model::{Row, Table};

/// A value of a row in JSON and CSV.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) column: Field,
    /// The literal text before it: `,"state":`.
    pub(super) key: String,
    /// The written parts of a structure.
    pub(super) parts: Vec<Self>,
}

/// The members of rows.
pub(super) struct Told {
    all: Vec<Member>,
    /// The text for a missing value.
    absent: &'static str,
    /// The members for each kind of socket written so far.
    of_tables: Vec<OfTable>,
}

/// The members for sockets of one table; those that none of them can have, or that were not looked up, become
/// literal text.
struct OfTable {
    table: Table,
    has_place: bool,
    told: Vec<Member>,
    /// The literal text after the last of them.
    rest: String,
}

impl OfTable {
    fn new((table, has_place): (Table, bool), all: &[Member], absent: &str) -> Self {
        let (mut told, mut rest) = (Vec::new(), String::new());
        for member in all {
            rest.push_str(&member.key);
            let is_told = has_place || member.column.cost() != Cost::Containers;
            if is_told && member.column.applies_to(table) {
                let key = std::mem::take(&mut rest);
                told.push(Member {
                    key,
                    ..member.clone()
                });
            } else {
                rest.push_str(absent);
            }
        }
        Self {
            table,
            has_place,
            told,
            rest,
        }
    }
}

impl Told {
    pub(super) const fn new(all: Vec<Member>, absent: &'static str) -> Self {
        Self {
            all,
            absent,
            of_tables: Vec::new(),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    /// The members that a row may have, and the literal text after the last.
    pub(super) fn of(&mut self, row: &Row<'_>) -> (&[Member], &str) {
        let kind = (row.socket.table(), row.place.is_some());
        let is_kind = |known: &&OfTable| (known.table, known.has_place) == kind;
        if !self.of_tables.iter().any(|known| is_kind(&known)) {
            let new = OfTable::new(kind, &self.all, self.absent);
            self.of_tables.push(new);
        }
        let known = self.of_tables.iter().find(is_kind);
        known.map_or((&[], ""), |known| (&known.told, &known.rest))
    }
}
