//! `-c`: what became of sockets.

use std::io::{self, Write};

use jiff::Timestamp;

use crate::model::{Change, Row};
use crate::render::events::rfc_3339;
use crate::render::format::json::objects::{Members, Objects};
use crate::render::format::json::value as json;
use crate::render::out::Out;
use crate::render::{Layout, cell};

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
        out.extend_from_slice(b"\"time\":");
        json::word(out, &rfc_3339(time));
        out.extend_from_slice(b",\"change\":");
        match change.name() {
            Some(name) => json::word(out, name),
            None => json::null(out),
        }
        out.extend_from_slice(b",\"old_state\":");
        match change.old_state() {
            Some(state) => json::quoted(out, |out| cell::state(out, state)),
            None => json::null(out),
        }
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
