//! `-s`: a sink that counts rows. What it counted is written at the end.

mod findings;
pub(super) mod text;

use std::io;
use std::ops::ControlFlow;

use crate::model::{Counts, Findings, Row, State, Summary, Table};

use super::out::Out;
use super::{Envelope, Format, Layout, Sink};

/// Listeners shown, unless `--limit` says otherwise.
const LISTENERS: usize = 20;

/// What there is to write at the end.
pub(super) struct Totals {
    pub(super) counts: Counts,
    /// `None` = nothing was looked for.
    pub(super) findings: Option<Findings>,
    pub(super) layout: Layout,
    pub(super) envelope: Envelope,
}

impl Totals {
    /// Each number that is not zero, or not known.
    pub(super) fn records(&self) -> impl Iterator<Item = (Table, State, Option<u64>)> {
        self.counts.tables.iter().flat_map(|counts| {
            let some = counts.states_told();
            some.map(|(state, count)| (counts.table, state, count))
        })
    }
}

/// Counts rows, and writes the counts at the end, with what was found wrong.
pub struct Summing<'w> {
    totals: Totals,
    /// What was counted at the last checkpoint.
    checkpoint: Counts,
    format: Format,
    out: Out<'w>,
}

impl<'w> Summing<'w> {
    /// Will write to `out` in a format. In a [`Layout`] it looks at the line of titles, colours, signs
    /// and width; at most `limit` listeners are shown.
    pub fn new(
        format: Format,
        layout: Layout,
        limit: Option<usize>,
        envelope: Envelope,
        out: Box<dyn io::Write + 'w>,
    ) -> Self {
        let counts = Counts::new(limit.unwrap_or(LISTENERS));
        Self {
            checkpoint: counts.clone(),
            totals: Totals {
                counts,
                findings: None,
                layout,
                envelope,
            },
            format,
            out: Out::new(out),
        }
    }

    /// What was counted.
    pub fn counts(&mut self) -> &Counts {
        self.totals.counts.listeners.settle();
        &self.totals.counts
    }

    /// What was found; without this, nothing was looked for.
    pub fn tell(&mut self, findings: Findings) {
        self.totals.findings = Some(findings);
    }

    /// Begins rows that may have to be rolled back.
    pub fn checkpoint(&mut self) {
        self.checkpoint.clone_from(&self.totals.counts);
    }

    /// Drops every row since the last checkpoint, which can always be done.
    pub fn rollback(&mut self) -> bool {
        self.totals.counts.clone_from(&self.checkpoint);
        true
    }
}

impl Sink for Summing<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.totals.counts.add(row);
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let counts = &mut self.totals.counts;
        // A table without sockets was read all the same; one that could not be read was not.
        for origin in &summary.sources {
            if origin.source.is_some() {
                counts.note(origin.table, origin.unlisted);
            }
        }
        counts.listeners.settle();
        counts.tables.sort_by_key(|counts| counts.table);
        (self.format.definition().counts)(&mut self.out.buffer, &self.totals, summary);
        self.out.finish()
    }
}
