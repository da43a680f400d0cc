//! Objects in the array of a document, or one a line.

use std::io;
use std::ops::ControlFlow;

use super::value::{key, opening, parts, value};
use crate::fields::Cost;
use crate::model::{Row, Table};
use crate::render::out::Out;
use crate::render::{Envelope, Field, Repetition};

/// What stands between objects.
#[derive(Debug, Clone, Copy)]
enum Frame {
    /// A document, whose values are on lines of their own or all on one.
    Document {
        line_feed: &'static [u8],
        is_empty: bool,
    },
    /// A line feed behind each.
    Lines,
}

pub(in crate::render) struct Objects<'w> {
    pub(in crate::render) out: Out<'w>,
    frame: Frame,
}

impl<'w> Objects<'w> {
    /// In one document, whose array has this name.
    pub(in crate::render) fn document(name: &str, envelope: &Envelope, mut out: Out<'w>) -> Self {
        opening(&mut out.buffer, envelope);
        key(&mut out.buffer, name);
        out.buffer.push(b'[');
        let line_feed: &[u8] = match envelope.repetition {
            Repetition::Single => b"\n",
            Repetition::First | Repetition::Later => b"",
        };
        let frame = Frame::Document {
            line_feed,
            is_empty: true,
        };
        Self { out, frame }
    }

    pub(in crate::render) const fn lines(out: Out<'w>) -> Self {
        let frame = Frame::Lines;
        Self { out, frame }
    }

    pub(in crate::render) fn begin(&mut self) {
        let out = &mut self.out.buffer;
        if let Frame::Document {
            line_feed,
            is_empty,
        } = &mut self.frame
        {
            if !std::mem::replace(is_empty, false) {
                out.push(b',');
            }
            out.extend_from_slice(line_feed);
        }
        out.push(b'{');
    }

    pub(in crate::render) fn end(&mut self) -> io::Result<ControlFlow<()>> {
        self.out.buffer.push(b'}');
        if matches!(self.frame, Frame::Lines) {
            self.out.buffer.push(b'\n');
        }
        self.out.row_done()
    }

    pub(in crate::render) fn finish(
        &mut self,
        summary: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        if let Frame::Document {
            line_feed,
            is_empty,
        } = self.frame
        {
            let out = &mut self.out.buffer;
            if !is_empty {
                out.extend_from_slice(line_feed);
            }
            out.extend_from_slice(b"],\"summary\":");
            summary(out);
            out.extend_from_slice(b"}\n");
        }
        self.out.finish()
    }
}

/// Members of objects: the values of columns.
pub(in crate::render) struct Members {
    /// Each with the literal text before its value: `,"state":`.
    keys: Vec<(Field, String)>,
    /// Of each the parts that are written, with the literal text before theirs, and none of a column that
    /// is written whole; empty if all are.
    parts: Vec<Vec<(Field, String)>>,
    /// The members of each kind of socket that was written.
    of_tables: Vec<OfTable>,
    /// Text that is yet to be quoted.
    scratch: Vec<u8>,
}

/// The members of sockets of one table; those that none of them can have are a part of the literal text, and so
/// are those that nothing was looked up for.
struct OfTable {
    table: Table,
    has_place: bool,
    /// Each with the literal text before its value.
    told: Vec<(Field, String)>,
    /// The literal text behind the last of them.
    rest: String,
}

impl OfTable {
    fn new((table, has_place): (Table, bool), keys: &[(Field, String)]) -> Self {
        let (mut told, mut rest) = (Vec::new(), String::new());
        for (column, key) in keys {
            rest.push_str(key);
            let is_told = has_place || column.cost() != Cost::Containers;
            if is_told && column.applies_to(table) {
                told.push((*column, std::mem::take(&mut rest)));
            } else {
                rest.push_str("null");
            }
        }
        Self {
            table,
            has_place,
            told,
            rest,
        }
    }
}

impl Members {
    pub(in crate::render) fn of(columns: &[Field]) -> Self {
        let mut keys: Vec<(Field, String)> = Vec::new();
        let mut parts: Vec<Vec<(Field, String)>> = Vec::new();
        for column in columns {
            // Parts of one structure stand in one object, and are there already where all of it is.
            let whole = column.structure().unwrap_or(*column);
            let place = keys.iter().position(|(known, _)| *known == whole);
            let place = place.unwrap_or_else(|| {
                let before = if keys.is_empty() { "" } else { "," };
                keys.push((whole, format!("{before}\"{}\":", whole.key())));
                parts.push(Vec::new());
                keys.len() - 1
            });
            if let Some(parts) = parts.get_mut(place).filter(|_| !columns.contains(&whole)) {
                let before = if parts.is_empty() { '{' } else { ',' };
                parts.push((*column, format!("{before}\"{}\":", column.key())));
            }
        }
        if parts.iter().all(Vec::is_empty) {
            parts.clear();
        }
        Self {
            keys,
            parts,
            of_tables: Vec::new(),
            scratch: Vec::new(),
        }
    }

    pub(in crate::render) fn write(&mut self, out: &mut Vec<u8>, row: &Row<'_>) {
        if !self.parts.is_empty() {
            return self.write_parts(out, row);
        }
        let kind = (row.socket.table(), row.place.is_some());
        let is_kind = |known: &&OfTable| (known.table, known.has_place) == kind;
        if !self.of_tables.iter().any(|known| is_kind(&known)) {
            self.of_tables.push(OfTable::new(kind, &self.keys));
        }
        let members = self.of_tables.iter().find(is_kind);
        if let Some(OfTable { told, rest, .. }) = members {
            for (column, key) in told {
                out.extend_from_slice(key.as_bytes());
                value(out, &mut self.scratch, column.get(row), row);
            }
            out.extend_from_slice(rest.as_bytes());
        }
    }

    fn write_parts(&mut self, out: &mut Vec<u8>, row: &Row<'_>) {
        for ((column, key), chosen) in self.keys.iter().zip(&self.parts) {
            out.extend_from_slice(key.as_bytes());
            match column.get(row) {
                Some(structure) if !chosen.is_empty() => {
                    parts(out, &mut self.scratch, structure, chosen, row);
                }
                whole => value(out, &mut self.scratch, whole, row),
            }
        }
    }
}
