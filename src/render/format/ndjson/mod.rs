//! `ndjson`: one object a line.

use std::io::{self, Write};

use jiff::Timestamp;

use super::json::Json;
use super::json::events::JsonEvents;
use super::json::objects::{Members, Objects};
use super::json::value as json;
use super::{FormatDefinition, Repeats};
use crate::model::{Change, Row, Summary};
use crate::render::events::rfc_3339;
use crate::render::out::Out;
use crate::render::summary::Totals;
use crate::render::{Field, Layout};

pub(super) const FORMAT: FormatDefinition = FormatDefinition {
    name: "ndjson",
    is_text: false,
    columns: |_| Field::VOCABULARY.to_vec(),
    rows: |_, layout, _, out| Box::new(Json::new(&layout, Objects::lines(out))),
    counts,
    events: |_, _, _, _, out| Box::new(JsonEvents::new(Objects::lines(out))),
    groups_events: true,
    repeats: Repeats::Changes,
};

/// An object for each table and state in which something is, or may be.
fn counts(out: &mut Vec<u8>, totals: &Totals, _: &Summary) {
    for (netns, table, state, count) in totals.records() {
        out.push(b'{');
        if let Some(name) = netns {
            json::netns(out, name);
        }
        json::member(out, "protocol", table.protocol.name());
        json::member(out, "family", table.family.name());
        json::member(out, "state", state.to_string());
        json::member(out, "count", count);
        out.push(b'}');
        out.push(b'\n');
    }
}

/// `-c`: writes an object for each change of a socket.
pub struct Changes<'w> {
    objects: Objects<'w>,
    members: Members,
}

impl<'w> Changes<'w> {
    /// To `out`, with the columns of a layout.
    pub fn new(layout: &Layout, out: Box<dyn Write + 'w>) -> Self {
        Self {
            objects: Objects::lines(Out::new(out)),
            members: Members::of(&layout.columns),
        }
    }

    /// Writes what became of a socket, as it is now or was last.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn change(&mut self, time: Timestamp, change: Change, row: &Row<'_>) -> io::Result<()> {
        self.objects.begin();
        let out = &mut self.objects.out.buffer;
        json::member(out, "time", rfc_3339(time));
        json::member(out, "change", change.name());
        json::member(
            out,
            "old_state",
            change.old_state().map(|old| old.to_string()),
        );
        out.push(b',');
        self.members.write(out, row);
        self.objects.end().map(|_| ())
    }

    /// The round is over: what is known is shown.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.objects.out.finish()
    }
}
