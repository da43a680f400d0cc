//! `-s`: a sink that counts rows. What it counted is written at the end.

use std::io;
use std::ops::ControlFlow;

use crate::model::{Counts, Finding, Row, Summary};

use super::out::Out;
use super::summary::Totals;
use super::{Envelope, Format, Layout, Sink};

/// Listeners shown, unless `--limit` says otherwise.
const LISTENERS: usize = 20;

/// Counts rows, and writes the counts at the end, with what was found wrong.
pub struct Summing<'w> {
    counts: Counts,
    /// What was counted at the last checkpoint.
    checkpoint: Counts,
    findings: Option<Vec<Finding>>,
    format: Format,
    layout: Layout,
    envelope: Envelope,
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
            counts,
            findings: None,
            format,
            layout,
            envelope,
            out: Out::new(out),
        }
    }

    /// What was counted.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What was found; without this, nothing was looked for.
    pub fn tell(&mut self, findings: Vec<Finding>) {
        self.findings = Some(findings);
    }

    /// Begins rows that may have to be rolled back.
    pub fn checkpoint(&mut self) {
        self.checkpoint.clone_from(&self.counts);
    }

    /// Drops every row since the last checkpoint, which can always be done.
    pub fn rollback(&mut self) -> bool {
        self.counts.clone_from(&self.checkpoint);
        true
    }
}

impl Sink for Summing<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.counts.add(row);
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        // A table without sockets was read all the same; one that could not be read was not.
        for origin in &summary.sources {
            if origin.source.is_some() {
                self.counts.note(origin.table);
            }
        }
        self.counts.tables.sort_by_key(|counts| counts.table);
        let totals = Totals {
            counts: &self.counts,
            findings: self.findings.as_deref(),
            layout: &self.layout,
            envelope: &self.envelope,
            summary,
        };
        (self.format.definition().counts)(&mut self.out.buffer, &totals);
        self.out.finish()
    }
}
