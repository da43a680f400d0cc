//! Arrays of objects in a document, or objects one per line.

use std::io;
use std::ops::ControlFlow;

use super::value::{key, opening, value};
use crate::model::{Row, Summary};
use crate::render::out::Out;
use crate::render::told::{Literal, Member, Told};
use crate::render::{Envelope, Field, Repetition};

/// Writes the objects of a document, one per line or all on one line, or without a document.
pub(in crate::render) struct Objects<'w> {
    pub(in crate::render) out: Out<'w>,
    /// In a document, the text before each object and at the end.
    line_feed: Option<&'static [u8]>,
    is_empty: bool,
}

impl<'w> Objects<'w> {
    /// Starts a document whose array has this name.
    pub(in crate::render) fn document(name: &str, envelope: &Envelope, mut out: Out<'w>) -> Self {
        opening(&mut out.buffer, envelope);
        key(&mut out.buffer, name);
        out.buffer.push(b'[');
        let is_single = envelope.repetition == Repetition::Single;
        Self {
            line_feed: Some(if is_single { b"\n" } else { b"" }),
            ..Self::lines(out)
        }
    }

    pub(in crate::render) const fn lines(out: Out<'w>) -> Self {
        Self {
            out,
            line_feed: None,
            is_empty: true,
        }
    }

    pub(in crate::render) fn begin(&mut self) {
        let out = &mut self.out.buffer;
        if let Some(line_feed) = self.line_feed {
            if !std::mem::replace(&mut self.is_empty, false) {
                out.push(b',');
            }
            out.extend_from_slice(line_feed);
        }
        out.push(b'{');
    }

    pub(in crate::render) fn end(&mut self) -> io::Result<ControlFlow<()>> {
        self.out.buffer.push(b'}');
        if self.line_feed.is_none() {
            self.out.buffer.push(b'\n');
        }
        self.out.row_done()
    }

    /// Writes an object for each item, and the end.
    pub(in crate::render) fn all<T>(
        mut self,
        of: &[T],
        summary: &Summary,
        mut members: impl FnMut(&mut Vec<u8>, &T),
    ) -> io::Result<()> {
        for object in of {
            self.begin();
            members(&mut self.out.buffer, object);
            if self.end()?.is_break() {
                break;
            }
        }
        self.finish(|out| super::value::summary(out, summary))
    }

    pub(in crate::render) fn finish(
        &mut self,
        summary: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        if let Some(line_feed) = self.line_feed {
            let out = &mut self.out.buffer;
            if !self.is_empty {
                out.extend_from_slice(line_feed);
            }
            out.extend_from_slice(b"],\"summary\":");
            summary(out);
            out.extend_from_slice(b"}\n");
        }
        self.out.finish()
    }
}

/// The members of objects: the values of columns.
pub(in crate::render) struct Members {
    told: Told,
    /// Text to be quoted.
    scratch: Vec<u8>,
}

impl Members {
    pub(in crate::render) fn of(columns: &[Field]) -> Self {
        let mut all: Vec<Member> = Vec::new();
        for (whole, parts) in grouped(columns) {
            let parts = parts.into_iter().enumerate().map(|(place, part)| {
                let before = if place == 0 { "{" } else { "," };
                member(before, part, Vec::new())
            });
            let before = if all.is_empty() { "" } else { "," };
            all.push(member(before, whole, parts.collect()));
        }
        Self {
            told: Told::new(all, "null"),
            scratch: Vec::new(),
        }
    }

    /// Writes them after other members.
    pub(in crate::render) fn follow(&mut self, out: &mut Vec<u8>, row: &Row<'_>) {
        if self.told.len() > 0 {
            out.push(b',');
            self.write(out, row);
        }
    }

    pub(in crate::render) fn write(&mut self, out: &mut Vec<u8>, row: &Row<'_>) {
        let scratch = &mut self.scratch;
        self.told.write(out, row, |out, member| {
            value(out, scratch, member.column.get(row), member, row);
        });
    }
}

/// The keys of objects, without duplicates; parts of a structure are grouped in one object.
pub(in crate::render) fn grouped(columns: &[Field]) -> Vec<(Field, Vec<Field>)> {
    let mut all: Vec<(Field, Vec<Field>)> = Vec::new();
    for column in columns {
        // Parts are included if the whole structure is.
        let whole = column.structure().unwrap_or(*column);
        if all.iter().any(|(known, _)| *known == whole) {
            continue;
        }
        let mut parts = whole.of_this_end().parts();
        if !columns.contains(&whole) {
            parts = columns.to_vec();
            parts.retain(|part| part.structure() == Some(whole));
        }
        all.push((whole, parts));
    }
    all
}

fn member(before: &str, column: Field, parts: Vec<Member>) -> Member {
    let key = Literal::new(format!("{before}\"{}\":", column.key()));
    Member { column, key, parts }
}
