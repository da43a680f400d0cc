//! Events as JSON.

use std::io;

use super::objects::{Members, Objects};
use super::value as json;
use crate::model::{Event, EventSummary, Row};
use crate::render::events::{
    Chain, ENDS, EventWriter, OWNERS, OpenChains, Pair, Roles, Step, carried, rfc_3339, spent,
};
use crate::text::escape;

fn time(out: &mut Vec<u8>, step: &Step) {
    json::member(out, "time", &*rfc_3339(step.time));
}

/// Writes the states that a step leads from and to, and what led there.
fn states(out: &mut Vec<u8>, step: &Step) {
    json::member(out, "old_state", step.old);
    json::member(out, "new_state", step.new);
    json::member(out, "step", step.words);
    json::key(out, "task");
    match &step.task {
        Some(task) => {
            out.push(b'{');
            json::member(out, "pid", task.pid);
            json::member(out, "tid", task.tid);
            json::member(out, "name", &*escape(task.name()));
            out.push(b'}');
        }
        None => json::null(out),
    }
}

fn numbers(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = (&'static str, Option<u64>)>) {
    for (key, number) in numbers {
        json::member(out, key, number);
    }
}

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

    /// One end of a pair.
    fn end(&mut self, chain: Option<&Chain>) {
        let Some(chain) = chain else {
            return json::null(&mut self.objects.out.buffer);
        };
        self.objects.out.buffer.push(b'{');
        self.members_of(chain);
        self.objects.out.buffer.push(b'}');
    }

    fn members_of(&mut self, chain: &Chain) {
        let out = &mut self.objects.out.buffer;
        if let Some(first) = chain.steps.first() {
            time(out, first);
            out.push(b',');
        }
        self.ends.write(out, &chain.row());
        out.push(b',');
        self.owners.write(out, &chain.row());
        numbers(out, carried(chain.traffic));
        json::member(out, "duration_us", chain.life_us);
        json::key(out, "steps");
        out.push(b'[');
        let mut before: Option<&Step> = None;
        for step in &chain.steps {
            let elapsed_us = before.map(|before| step.since_us(before));
            json::separate(out);
            out.push(b'{');
            time(out, step);
            states(out, step);
            json::member(out, "elapsed_us", elapsed_us);
            json::member(out, "sampled", step.sampled);
            out.push(b'}');
            before = Some(step);
        }
        out.push(b']');
    }
}

impl EventWriter for JsonEvents<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<()> {
        let step = Step::of(event);
        self.objects.begin();
        let out = &mut self.objects.out.buffer;
        time(out, &step);
        out.push(b',');
        self.ends.write(out, row);
        states(out, &step);
        out.push(b',');
        self.owners.write(out, row);
        numbers(out, carried(event.traffic));
        numbers(out, spent(event.spent));
        json::member(out, "sampled", step.sampled);
        self.objects.end().map(|_| ())
    }

    fn chain(&mut self, chain: &Chain) -> io::Result<()> {
        self.objects.begin();
        self.members_of(chain);
        self.objects.end().map(|_| ())
    }

    fn pair(&mut self, pair: &Pair) -> io::Result<()> {
        let [one, other] = pair.ends.each_ref().map(Option::as_ref);
        let (client, server) = match pair.roles {
            Roles::Known => (one, other),
            Roles::Both => (one, one),
            Roles::Unknown => (None, None),
        };
        self.objects.begin();
        for (role, end) in [("client", client), ("server", server)] {
            json::key(&mut self.objects.out.buffer, role);
            self.end(end);
        }
        json::key(&mut self.objects.out.buffer, "ends");
        self.objects.out.buffer.push(b'[');
        let ends = [one, other].into_iter().flatten();
        for end in ends.filter(|_| pair.roles == Roles::Unknown) {
            json::separate(&mut self.objects.out.buffer);
            self.end(Some(end));
        }
        self.objects.out.buffer.push(b']');
        self.objects.end().map(|_| ())
    }

    fn flush(&mut self, _: Option<&OpenChains>) -> io::Result<()> {
        self.objects.out.finish()
    }

    fn finish(&mut self, open: Option<&OpenChains>, summary: &EventSummary) -> io::Result<()> {
        self.rest(open)?;
        self.objects.finish(|out| json::event_summary(out, summary))
    }
}
