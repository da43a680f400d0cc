//! `-s`: how many sockets, instead of which. A sink that counts; what it counted is written at the
//! end, and [`Counts`] knows nothing of how.

mod findings;
mod text;

use std::io;
use std::ops::ControlFlow;

use crate::model::{Counts, Finding, Protocol, Row, State, Summary, Table};

use super::format::{csv, json, ndjson, table::diagram};
use super::out::Out;
use super::{Envelope, Format, Layout, Sink};

/// Listeners shown, unless `--limit` says otherwise.
const LISTENERS: usize = 20;

/// Counts rows, and writes the counts at the end, with what was found wrong.
pub struct Summing<'w> {
    counts: Counts,
    /// What was counted at the last mark.
    marked: Counts,
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
        limit: Option<u64>,
        envelope: Envelope,
        out: Box<dyn io::Write + 'w>,
    ) -> Self {
        let most = limit.map_or(LISTENERS, |n| usize::try_from(n).unwrap_or(usize::MAX));
        Self {
            counts: Counts::new(most),
            marked: Counts::new(most),
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
}

impl Sink for Summing<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.counts.add(row);
        Ok(ControlFlow::Continue(()))
    }

    fn mark(&mut self) {
        self.marked.clone_from(&self.counts);
    }

    fn take_back(&mut self) -> bool {
        self.counts.clone_from(&self.marked);
        true
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        // A table without sockets was read all the same; one that could not be read was not.
        for origin in &summary.sources {
            if origin.source.is_some() {
                self.counts.note(origin.table);
            }
        }
        self.counts.tables.sort_by_key(|counts| counts.table);
        let (counts, layout) = (&self.counts, &self.layout);
        let findings = self.findings.as_deref();
        let out = &mut self.out.buffer;
        match self.format {
            Format::Table if draws(counts, layout) => {
                diagram::write(out, counts, layout);
                out.push(b'\n');
                text::write(out, counts, layout.header, text::States::NotOfTcp);
            }
            Format::Table | Format::Plain | Format::Netstat(_) => {
                text::write(out, counts, layout.header, text::States::All);
            }
            Format::Json => {
                let summary = Summary {
                    limited: counts.listeners.left_out() > 0,
                    ..summary.clone()
                };
                json::counts::write(out, counts, findings, (&self.envelope, &summary));
            }
            Format::Ndjson => ndjson::counts::write(out, counts),
            Format::Csv => csv::counts::write(out, counts, layout.header),
        }
        if self.format.is_text() {
            findings::write(out, findings.unwrap_or_default(), self.format, layout);
        }
        self.out.finish()
    }
}

/// Is there TCP to draw, and room for it?
fn draws(counts: &Counts, layout: &Layout) -> bool {
    let room = layout.width.is_none_or(|width| width >= diagram::WIDTH);
    room && counts.of_protocol(Protocol::Tcp).next().is_some()
}

/// Each number that is not zero.
pub(super) fn records(counts: &Counts) -> impl Iterator<Item = (Table, State, u64)> {
    counts.tables.iter().flat_map(|counts| {
        let some = counts.states().filter(|(_, count)| *count > 0);
        some.map(|(state, count)| (counts.table, state, count))
    })
}
