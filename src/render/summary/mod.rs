//! `-s`: what is written of the counts, and how in text.

mod findings;
pub(super) mod text;

use crate::model::{Counts, Finding, State, Summary, Table};

use super::{Envelope, Layout};

/// What there is to write at the end.
pub(super) struct Totals<'t> {
    pub(super) counts: &'t Counts,
    /// `None` = nothing was looked for.
    pub(super) findings: Option<&'t [Finding]>,
    pub(super) layout: &'t Layout,
    pub(super) envelope: &'t Envelope,
    pub(super) summary: &'t Summary,
}

impl Totals<'_> {
    /// Each number that is not zero.
    pub(super) fn records(&self) -> impl Iterator<Item = (Table, State, u64)> {
        self.counts.tables.iter().flat_map(|counts| {
            let some = counts.states().filter(|(_, count)| *count > 0);
            some.map(|(state, count)| (counts.table, state, count))
        })
    }
}
