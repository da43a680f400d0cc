//! `json`: one document, with one object a socket.

mod counts;
pub(super) mod events;
pub(super) mod objects;
pub(super) mod value;

use std::io;
use std::ops::ControlFlow;

use super::{FormatDefinition, Repeats};
use crate::model::{Row, Summary};
use crate::render::{Field, Grouping, Layout, Sink};
use events::JsonEvents;
use objects::{Members, Objects};

pub(super) const FORMAT: FormatDefinition = FormatDefinition {
    name: "json",
    is_text: false,
    columns: |_| Field::VOCABULARY.to_vec(),
    rows: |_, layout, envelope, out| {
        let objects = Objects::document("sockets", envelope, out);
        Box::new(Json::new(&layout, objects))
    },
    counts: counts::write,
    events: |_, _, grouping, envelope, out| {
        let name = match grouping {
            Grouping::None => "events",
            Grouping::Connection => "connections",
            Grouping::Pair => "pairs",
        };
        Box::new(JsonEvents::new(Objects::document(name, envelope, out)))
    },
    groups_events: true,
    repeats: Repeats::Everything,
};

pub(super) struct Json<'w> {
    objects: Objects<'w>,
    members: Members,
}

impl<'w> Json<'w> {
    pub(super) fn new(layout: &Layout, objects: Objects<'w>) -> Self {
        Self {
            objects,
            members: Members::of(&layout.columns),
        }
    }
}

impl Sink for Json<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.objects.begin();
        self.members.write(&mut self.objects.out.buffer, row);
        self.objects.end()
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        self.objects.finish(|out| value::summary(out, summary))
    }
}
