//! `json`: one document with an object per socket. `ndjson`: one object per line.

mod counts;
mod events;
mod objects;
mod value;

use std::io::{self, Write};
use std::ops::ControlFlow;

use jiff::Timestamp;

use crate::model::{Change, Row, Summary};
use crate::render::events::rfc_3339;
use crate::render::out::Out;
use crate::render::summary::Totals;
use crate::render::{Envelope, Layout, Repetition, Sink};
pub(super) use counts::write as counts;
pub(super) use events::JsonEvents;
use objects::Members;
pub(in crate::render) use objects::Objects;
pub(in crate::render) use objects::grouped;
use value as json;
pub(in crate::render) use value::{key, member, members};

pub(super) struct Json<'w> {
    objects: Objects<'w>,
    /// The first members of each object, and a comma.
    leading: Vec<u8>,
    members: Members,
}

impl<'w> Json<'w> {
    pub(super) fn new(layout: &Layout, mut leading: Vec<u8>, objects: Objects<'w>) -> Self {
        if !leading.is_empty() {
            leading.push(b',');
        }
        Self {
            objects,
            leading,
            members: Members::of(&layout.columns),
        }
    }
}

impl Sink for Json<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.objects.begin();
        let out = &mut self.objects.out.buffer;
        if !self.leading.is_empty() {
            out.extend_from_slice(&self.leading);
        }
        self.members.write(out, row);
        self.objects.end()
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        self.objects.finish(|out| value::summary(out, summary))
    }
}

/// An object for each table and state that has sockets, or may have some.
pub(super) fn count_lines(out: &mut Vec<u8>, totals: &Totals) {
    let leading = totals.envelope.leading_members(false);
    for (netns, table, state, count) in totals.records() {
        out.push(b'{');
        members(out, &leading);
        if let Some(name) = netns {
            json::netns(out, name);
        }
        member(out, "protocol", table.protocol.name());
        member(out, "family", table.family.name());
        member(out, "state", state.to_string());
        member(out, "count", count);
        out.push(b'}');
        out.push(b'\n');
    }
}

/// `-c`: writes an object for each change of a socket.
pub struct Changes<'w> {
    objects: Objects<'w>,
    /// The members after the time.
    leading: Vec<u8>,
    members: Members,
}

impl<'w> Changes<'w> {
    /// Writes to `out`, with the columns of a layout.
    pub fn new(layout: &Layout, envelope: &Envelope, out: Box<dyn Write + 'w>) -> Self {
        let envelope = Envelope {
            repetition: Repetition::First,
            ..envelope.clone()
        };
        Self {
            objects: Objects::lines(Out::new(out)),
            leading: envelope.leading_members(true),
            members: Members::of(&layout.columns),
        }
    }

    /// Writes a change, with the socket as it is, or as it was last seen.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    pub fn change(&mut self, time: Timestamp, change: Change, row: &Row<'_>) -> io::Result<()> {
        self.objects.begin();
        let out = &mut self.objects.out.buffer;
        member(out, "time", rfc_3339(time));
        members(out, &self.leading);
        member(out, "change", change.name());
        member(
            out,
            "old_state",
            change.old_state().map(|old| old.to_string()),
        );
        out.push(b',');
        self.members.write(out, row);
        self.objects.end().map(|_| ())
    }

    /// Writes buffered rows at the end of a round.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.objects.out.finish()
    }
}
