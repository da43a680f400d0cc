//! `json` and `ndjson`: one object a socket.

pub(in crate::render) mod counts;
pub(in crate::render) mod events;
pub(in crate::render) mod value;

use std::io;
use std::ops::ControlFlow;

use crate::model::{Row, Summary};
use crate::render::out::Out;
use crate::render::{Column, Envelope, Layout, Sink};
use value::{opening, summary, value};

/// One document, or one object a line?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// A document that has no row yet.
    First,
    /// A document that has.
    Further,
    /// Lines.
    Lines,
}

/// A column with the literal text before its value: `,"state":`.
struct Key {
    column: Column,
    text: String,
}

/// Writes rows as objects.
pub(in crate::render) struct Json<'w> {
    out: Out<'w>,
    keys: Vec<Key>,
    frame: Frame,
    /// Text that is yet to be quoted.
    scratch: Vec<u8>,
}

impl<'w> Json<'w> {
    /// `json`: the envelope comes first, the summary last.
    pub(in crate::render) fn document(
        layout: &Layout,
        envelope: &Envelope,
        mut out: Out<'w>,
    ) -> Self {
        let buffer = &mut out.buffer;
        opening(buffer, envelope);
        buffer.extend_from_slice(b",\"sockets\":[");
        Self::new(layout, out, Frame::First)
    }

    /// `ndjson`.
    pub(in crate::render) fn lines(layout: &Layout, out: Out<'w>) -> Self {
        Self::new(layout, out, Frame::Lines)
    }

    fn new(layout: &Layout, out: Out<'w>, frame: Frame) -> Self {
        let mut before = "{";
        let mut keys = Vec::with_capacity(layout.columns.len());
        for column in &layout.columns {
            keys.push(Key {
                column: *column,
                text: format!("{before}\"{}\":", column.name()),
            });
            before = ",";
        }
        Self {
            out,
            keys,
            frame,
            scratch: Vec::new(),
        }
    }
}

impl Sink for Json<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let buffer = &mut self.out.buffer;
        match self.frame {
            Frame::First => {
                buffer.push(b'\n');
                self.frame = Frame::Further;
            }
            Frame::Further => buffer.extend_from_slice(b",\n"),
            Frame::Lines => {}
        }
        for key in &self.keys {
            buffer.extend_from_slice(key.text.as_bytes());
            value(buffer, &mut self.scratch, key.column.get(row), row);
        }
        buffer.push(b'}');
        if self.frame == Frame::Lines {
            buffer.push(b'\n');
        }
        self.out.row_done()
    }

    fn finish(&mut self, end: &Summary) -> io::Result<()> {
        let buffer = &mut self.out.buffer;
        if self.frame == Frame::Further {
            buffer.push(b'\n');
        }
        if self.frame != Frame::Lines {
            buffer.extend_from_slice(b"],\"summary\":");
            summary(buffer, end);
            buffer.extend_from_slice(b"}\n");
        }
        self.out.finish()
    }
}
