//! `-c`: what became of sockets.

use std::io::{self, Write};

use jiff::Timestamp;

use crate::model::{Change, Row};
use crate::render::Layout;
use crate::render::events::rfc_3339;
use crate::render::format::json::objects::{Members, Objects};
use crate::render::format::json::value as json;
use crate::render::out::Out;

/// Writes an object for each change.
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
        json::member(out, "time", &*rfc_3339(time));
        json::member(out, "change", change.name());
        json::member(out, "old_state", change.old_state());
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
