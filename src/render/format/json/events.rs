//! Events as JSON.

use std::io;
use std::ops::ControlFlow;

use super::objects::{Members, Objects};
use super::value as json;
use crate::model::{Event, EventSummary, Row};
use crate::render::cell;
use crate::render::events::{Chain, ChainWriter, ENDS, EventSink, Grouped, OWNERS, Step, rfc_3339};

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
pub(in crate::render) struct JsonEvents<'w> {
    objects: Objects<'w>,
    ends: Members,
    owners: Members,
}

impl<'w> JsonEvents<'w> {
    pub(in crate::render) fn new(objects: Objects<'w>) -> Self {
        Self {
            objects,
            ends: Members::of(&ENDS),
            owners: Members::of(&OWNERS),
        }
    }
}

impl EventSink for JsonEvents<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let step = Step::of(event);
        self.objects.begin();
        let out = &mut self.objects.out.buffer;
        time(out, &step);
        self.ends.write(out, row);
        out.push(b',');
        states(out, &step);
        self.owners.write(out, row);
        out.push(b',');
        sampled(out, &step);
        self.objects.end()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.objects.out.finish()
    }

    fn finish(&mut self, summary: &EventSummary) -> io::Result<()> {
        self.objects.finish(|out| json::event_summary(out, summary))
    }
}

/// Writes each connection as an object.
pub(in crate::render) struct Connections<'w> {
    objects: Objects<'w>,
    members: Members,
}

impl<'w> Connections<'w> {
    /// Gathers events to connections, and writes these.
    pub(in crate::render) fn sink(objects: Objects<'w>) -> Box<dyn EventSink + 'w> {
        let members = Members::of(&[&ENDS[..], &OWNERS].concat());
        Box::new(Grouped::new(Self { objects, members }))
    }
}

impl ChainWriter for Connections<'_> {
    fn chain(&mut self, chain: &Chain) -> io::Result<()> {
        self.objects.begin();
        let out = &mut self.objects.out.buffer;
        if let Some(first) = chain.steps.first() {
            time(out, first);
        }
        self.members.write(out, &chain.row());
        out.extend_from_slice(b",\"steps\":[");
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
        self.objects.end().map(|_| ())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.objects.out.finish()
    }

    fn finish(&mut self, summary: &EventSummary) -> io::Result<()> {
        self.objects.finish(|out| json::event_summary(out, summary))
    }
}
