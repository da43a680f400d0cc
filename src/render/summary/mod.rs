//! `-s`: how many sockets, instead of which. A sink that counts; what it counted is written at the
//! end, and [`Counts`] knows nothing of how.

mod diagram;
mod document;
mod records;
mod text;

use std::io;
use std::ops::ControlFlow;

use crate::model::{Counts, Protocol, Row, Summary};

use super::out::Out;
use super::{Envelope, Format, Layout, Sink};

/// Listeners shown, unless `--limit` says otherwise.
const LISTENERS: usize = 20;

/// The sink that counts rows and writes the counts to `out` in a format. In a [`Layout`] it looks at
/// the line of titles, colours, signs and width; at most `limit` listeners are shown.
pub fn summing<'w>(
    format: Format,
    layout: Layout,
    limit: Option<u64>,
    envelope: Envelope,
    out: Box<dyn io::Write + 'w>,
) -> Box<dyn Sink + 'w> {
    let most = limit.map_or(LISTENERS, |n| usize::try_from(n).unwrap_or(usize::MAX));
    Box::new(Summing {
        counts: Counts::new(most),
        format,
        layout,
        envelope,
        out: Out::new(out),
    })
}

struct Summing<'w> {
    counts: Counts,
    format: Format,
    layout: Layout,
    envelope: Envelope,
    out: Out<'w>,
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
        let (counts, layout) = (&self.counts, &self.layout);
        let out = &mut self.out.buffer;
        match self.format {
            Format::Table if draws(counts, layout) => {
                diagram::write(out, counts, layout);
                out.push(b'\n');
                text::write(out, counts, layout.header, text::States::NotOfTcp);
            }
            Format::Table | Format::Plain => {
                text::write(out, counts, layout.header, text::States::All);
            }
            Format::Json => {
                let summary = Summary {
                    limited: counts.listeners.left_out() > 0,
                    ..summary.clone()
                };
                document::write(out, counts, &self.envelope, &summary);
            }
            Format::Ndjson => records::ndjson(out, counts),
            Format::Csv => records::csv(out, counts, layout.header),
        }
        self.out.finish()
    }
}

/// Is there TCP to draw, and room for it?
fn draws(counts: &Counts, layout: &Layout) -> bool {
    let room = layout.width.is_none_or(|width| width >= diagram::WIDTH);
    room && counts.of_protocol(Protocol::Tcp).next().is_some()
}
