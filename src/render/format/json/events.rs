//! Events as JSON.

use std::io;

use super::objects::{Members, Objects};
use super::value as json;
use crate::model::{Event, EventSummary, Row};
use crate::render::events::{
    EventLayout, EventWriter, Life, Lives, Pair, Roles, Step, carried, rfc_3339, spent,
};
use crate::text::escape;

/// Writes the states before and after an event, and its cause.
fn states(out: &mut Vec<u8>, step: &Step) {
    json::member(out, "old_state", step.old.map(|old| old.to_string()));
    json::member(out, "new_state", step.new.to_string());
    json::member(out, "step", step.words);
    if let Some(task) = &step.task {
        json::key(out, "task");
        out.push(b'{');
        json::member(out, "pid", task.pid);
        json::member(out, "tid", task.tid);
        json::member(out, "name", escape(task.name()));
        out.push(b'}');
    } else {
        json::member(out, "task", ());
    }
}

/// The columns of an event's socket, before and after the step.
struct Columns {
    /// The members after the time.
    leading: Vec<u8>,
    before: Members,
    behind: Members,
}

impl Columns {
    /// Writes the members of a connection.
    fn connection(&mut self, out: &mut Vec<u8>, life: &Life) {
        if let Some(first) = life.steps.first() {
            json::member(out, "time", rfc_3339(first.time));
        }
        json::members(out, &self.leading);
        self.before.follow(out, &life.row());
        self.behind.follow(out, &life.row());
        for (key, number) in carried(life.traffic) {
            json::member(out, key, number);
        }
        json::member(out, "duration_us", life.age_us);
        let mut before: Option<&Step> = None;
        json::objects(out, "steps", "", &life.steps, |out, step| {
            let elapsed_us = before.map(|before| step.since_us(before));
            json::member(out, "time", rfc_3339(step.time));
            states(out, step);
            json::member(out, "elapsed_us", elapsed_us);
            json::member(out, "sampled", step.sampled);
            before = Some(step);
        });
    }
}

pub(in crate::render) struct JsonEvents<'w> {
    objects: Objects<'w>,
    columns: Columns,
}

impl<'w> JsonEvents<'w> {
    pub(in crate::render) fn new(
        layout: &EventLayout,
        leading: Vec<u8>,
        objects: Objects<'w>,
    ) -> Self {
        let [before, behind] = layout.around_step().map(|columns| Members::of(&columns));
        let columns = Columns {
            leading,
            before,
            behind,
        };
        Self { objects, columns }
    }
}

impl EventWriter for JsonEvents<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<()> {
        let step = Step::of(event);
        self.objects.begin();
        let out = &mut self.objects.out.buffer;
        json::member(out, "time", rfc_3339(step.time));
        json::members(out, &self.columns.leading);
        self.columns.before.follow(out, row);
        states(out, &step);
        self.columns.behind.follow(out, row);
        for (key, number) in carried(event.traffic).into_iter().chain(spent(event.spent)) {
            json::member(out, key, number);
        }
        json::member(out, "sampled", step.sampled);
        self.objects.end().map(|_| ())
    }

    fn life(&mut self, life: &Life) -> io::Result<()> {
        self.objects.begin();
        let out = &mut self.objects.out.buffer;
        self.columns.connection(out, life);
        self.objects.end().map(|_| ())
    }

    fn pair(&mut self, pair: &Pair) -> io::Result<()> {
        let [one, other] = pair.ends.each_ref().map(Option::as_ref);
        let (client, server, ends) = match pair.roles {
            Roles::Known => (one, other, [None; 2]),
            Roles::Both => (one, one, [None; 2]),
            Roles::Unknown => (None, None, [one, other]),
        };
        self.objects.begin();
        let out = &mut self.objects.out.buffer;
        for (role, end) in [("client", client), ("server", server)] {
            let Some(end) = end else {
                json::member(out, role, ());
                continue;
            };
            json::key(out, role);
            out.push(b'{');
            self.columns.connection(out, end);
            out.push(b'}');
        }
        let ends = ends.into_iter().flatten();
        json::objects(out, "ends", "", ends, |out, end| {
            self.columns.connection(out, end);
        });
        self.objects.end().map(|_| ())
    }

    fn flush(&mut self, _: &Lives) -> io::Result<()> {
        self.objects.out.finish()
    }

    fn finish(&mut self, summary: &EventSummary) -> io::Result<()> {
        self.objects.finish(|out| json::event_summary(out, summary))
    }
}
