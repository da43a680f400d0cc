//! Fields that a source does not report, and rows that depend on them.

use crate::filter::{Field, Rule};
use crate::model::{Socket, Source, Warning};

/// Notes rows of one table of which the filter cannot tell whether they match.
#[derive(Debug, Default)]
pub(super) struct MissingFields {
    /// Where the first such row came from.
    undecided: Option<Source>,
}

impl MissingFields {
    /// The filter depends on what is not reported of this socket.
    pub(super) fn note(&mut self, socket: &Socket) {
        self.undecided.get_or_insert(socket.source);
    }

    /// Why rows may be missing from the table of a rule, or should be.
    pub(super) fn gap(&self, rule: &Rule) -> Option<Warning> {
        let source = self.undecided?;
        Some(Warning::MissingFields {
            table: rule.table(),
            fields: rule
                .unknowable(source)
                .into_iter()
                .map(Field::name)
                .collect(),
            source,
        })
    }
}
