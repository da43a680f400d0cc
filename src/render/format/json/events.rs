//! Events as JSON.

use std::io;
use std::ops::ControlFlow;

use crate::model::{Event, EventSummary, Row};

use super::value as json;
use crate::render::events::{Chain, ChainWriter, ENDS, EventSink, OWNERS, Step, rfc_3339};
use crate::render::out::Out;
use crate::render::{Column, Envelope, cell};

/// One document, or one object a line.
struct Objects<'w> {
    out: Out<'w>,
    /// Before the next object of a document; `None` = lines.
    before: Option<&'static [u8]>,
    scratch: Vec<u8>,
}

impl<'w> Objects<'w> {
    /// A document with an array of this name.
    fn document(name: &str, envelope: &Envelope, mut out: Out<'w>) -> Self {
        json::opening(&mut out.buffer, envelope);
        out.buffer
            .extend_from_slice(format!(",\"{name}\":[").as_bytes());
        Self {
            before: Some(b"\n"),
            ..Self::lines(out)
        }
    }

    const fn lines(out: Out<'w>) -> Self {
        Self {
            out,
            before: None,
            scratch: Vec::new(),
        }
    }

    fn begin(&mut self) {
        if let Some(before) = self.before {
            self.out.buffer.extend_from_slice(before);
            self.before = Some(b",\n");
        }
        self.out.buffer.push(b'{');
    }

    /// Writes the values of columns, each followed by a comma.
    fn columns(&mut self, columns: &[Column], row: &Row<'_>) {
        for column in columns {
            let out = &mut self.out.buffer;
            json::word(out, column.own_name());
            out.push(b':');
            json::value(out, &mut self.scratch, column.get(row), row);
            out.push(b',');
        }
    }

    fn end(&mut self) -> io::Result<ControlFlow<()>> {
        self.out.buffer.push(b'}');
        if self.before.is_none() {
            self.out.buffer.push(b'\n');
        }
        self.out.row_done()
    }

    fn finish(&mut self, summary: &EventSummary) -> io::Result<()> {
        if let Some(before) = self.before {
            let out = &mut self.out.buffer;
            if before == b",\n" {
                out.push(b'\n');
            }
            out.extend_from_slice(b"],\"summary\":");
            json::event_summary(out, summary);
            out.extend_from_slice(b"}\n");
        }
        self.out.finish()
    }
}

/// Writes `"time":…,` of a step.
fn time(out: &mut Vec<u8>, step: &Step) {
    out.extend_from_slice(b"\"time\":");
    json::word(out, &rfc_3339(step.time));
    out.push(b',');
}

/// Writes `"old_state":…,"new_state":…,"step":…,` of a step.
fn states(out: &mut Vec<u8>, step: &Step) {
    out.extend_from_slice(b"\"old_state\":");
    match step.old {
        Some(old) => json::quoted(out, |out| cell::state(out, old)),
        None => json::null(out),
    }
    out.extend_from_slice(b",\"new_state\":");
    json::quoted(out, |out| cell::state(out, step.new));
    out.extend_from_slice(b",\"step\":");
    match step.words {
        Some(words) => json::string(out, words),
        None => json::null(out),
    }
    out.push(b',');
}

fn sampled(out: &mut Vec<u8>, step: &Step) {
    out.extend_from_slice(b"\"sampled\":");
    out.extend_from_slice(json::boolean(step.sampled));
}

/// Writes each event as an object.
pub(in crate::render) struct Events<'w>(Objects<'w>);

impl<'w> Events<'w> {
    /// In one document.
    pub(in crate::render) fn document(envelope: &Envelope, out: Out<'w>) -> Self {
        Self(Objects::document("events", envelope, out))
    }

    /// One a line.
    pub(in crate::render) const fn lines(out: Out<'w>) -> Self {
        Self(Objects::lines(out))
    }
}

impl EventSink for Events<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let objects = &mut self.0;
        let step = Step::of(event);
        objects.begin();
        time(&mut objects.out.buffer, &step);
        objects.columns(&ENDS, row);
        states(&mut objects.out.buffer, &step);
        objects.columns(&OWNERS, row);
        sampled(&mut objects.out.buffer, &step);
        objects.end()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.out.finish()
    }

    fn finish(&mut self, summary: &EventSummary) -> io::Result<()> {
        self.0.finish(summary)
    }
}

/// Writes each connection as an object.
pub(in crate::render) struct Connections<'w>(Objects<'w>);

impl<'w> Connections<'w> {
    /// In one document.
    pub(in crate::render) fn document(envelope: &Envelope, out: Out<'w>) -> Self {
        Self(Objects::document("connections", envelope, out))
    }

    /// One a line.
    pub(in crate::render) const fn lines(out: Out<'w>) -> Self {
        Self(Objects::lines(out))
    }
}

impl ChainWriter for Connections<'_> {
    fn chain(&mut self, chain: &Chain) -> io::Result<()> {
        let objects = &mut self.0;
        objects.begin();
        if let Some(first) = chain.steps.first() {
            time(&mut objects.out.buffer, first);
        }
        objects.columns(&ENDS, &chain.row());
        objects.columns(&OWNERS, &chain.row());
        let out = &mut objects.out.buffer;
        out.extend_from_slice(b"\"steps\":[");
        let mut before: Option<&Step> = None;
        for step in &chain.steps {
            out.extend_from_slice(if before.is_some() { b",{" } else { b"{" });
            time(out, step);
            states(out, step);
            out.extend_from_slice(b"\"elapsed_us\":");
            json::number(out, before.map(|before| step.since_us(before)));
            out.push(b',');
            sampled(out, step);
            out.push(b'}');
            before = Some(step);
        }
        out.push(b']');
        objects.end().map(|_| ())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.out.finish()
    }

    fn finish(&mut self, summary: &EventSummary) -> io::Result<()> {
        self.0.finish(summary)
    }
}
