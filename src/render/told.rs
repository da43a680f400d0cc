//! Members of rows by shape: those that are the same in all rows of a shape become literal text.

use super::Field;
use super::digits::Short;
use crate::fields::{Cost, Datum};
use crate::model::{Row, Table};

/// A text that every row has.
#[derive(Clone)]
pub(super) struct Literal {
    text: String,
    /// Likewise, if it is short.
    short: Option<Short>,
}

impl Literal {
    pub(super) fn new(text: String) -> Self {
        let short = Short::of(text.as_bytes());
        Self { text, short }
    }

    #[inline]
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match &self.short {
            Some(short) => short.write(out),
            None => out.extend_from_slice(self.text.as_bytes()),
        }
    }
}

/// A value of a row in JSON and CSV.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) column: Field,
    /// The literal text before it: `,"state":`.
    pub(super) key: Literal,
    /// The written parts of a structure.
    pub(super) parts: Vec<Self>,
}

/// A part of rows: whether a field belongs to it, and whether a row has it.
type Part = (fn(Field) -> bool, fn(&Row<'_>) -> bool);

/// Without one of these parts, its fields have no value, or the same one in all rows of a table.
const PARTS: [Part; 14] = [
    (
        |of| matches!(of, Field::Protocol | Field::Family),
        |_| false,
    ),
    (|of| of == Field::Type, |row| row.socket.kind.is_some()),
    (Field::is_of_timer, |row| row.socket.timer.is_some()),
    (|of| of == Field::V6Only, |row| row.socket.v6only.is_some()),
    (
        |of| of.cost() == Cost::Interface,
        |row| row.socket.interface.is_some() || row.interface.is_some(),
    ),
    (|of| of.cost() == Cost::User, |row| row.user.is_some()),
    (|of| of.cost() == Cost::Maker, |row| row.made_in.is_some()),
    (|of| of == Field::Netns, |row| row.netns.is_some()),
    (
        |of| of == Field::NetnsInode,
        |row| row.netns_inode.is_some(),
    ),
    (|of| of.cost() == Cost::Path, |row| row.at_path.is_some()),
    (
        |of| of.cost() == Cost::Owners,
        |row| row.process_status.is_some() || row.processes.is_some(),
    ),
    (
        |of| of.cost() == Cost::Containers,
        |row| row.place.is_some(),
    ),
    (|of| of.cost() == Cost::Peers, |row| row.peer.is_some()),
    (Field::is_extension, |row| row.socket.details.is_some()),
];

/// The table of a row, and the [`PARTS`] that it has.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    table: Table,
    has: [bool; PARTS.len()],
}

impl Shape {
    fn of(row: &Row<'_>) -> Self {
        Self {
            table: row.socket.table(),
            has: PARTS.map(|(_, has)| has(row)),
        }
    }

    /// The value of a field in all rows of this shape, if it is the same.
    fn common(&self, field: Field, row: &Row<'_>, texts: Texts) -> Option<String> {
        let mut parts = PARTS.iter().zip(self.has);
        let is_lacking = parts.any(|((belongs, _), has)| !has && belongs(field));
        match field.get(row) {
            _ if !field.applies_to(self.table) => Some(texts.absent.to_owned()),
            None if is_lacking => Some(texts.absent.to_owned()),
            Some(Datum::Word(word)) if is_lacking => {
                Some([texts.quote, word, texts.quote].concat())
            }
            _ => None,
        }
    }
}

/// What a format writes.
#[derive(Clone, Copy)]
pub(super) struct Texts {
    /// For a missing value.
    pub(super) absent: &'static str,
    /// Around a word.
    pub(super) quote: &'static str,
}

/// The members of rows.
pub(super) struct Told {
    all: Vec<Member>,
    texts: Texts,
    /// The members for each shape of the rows written so far.
    of_shapes: Vec<OfShape>,
    /// The place of the last row's shape among them.
    last: usize,
}

/// The members for rows of one shape.
pub(super) struct OfShape {
    shape: Shape,
    pub(super) told: Vec<Member>,
    /// The literal text after the last of them.
    pub(super) rest: Literal,
}

impl OfShape {
    fn new(shape: Shape, row: &Row<'_>, all: &[Member], texts: Texts) -> Self {
        let (mut told, mut rest) = (Vec::new(), String::new());
        for member in all {
            rest.push_str(&member.key.text);
            if let Some(text) = shape.common(member.column, row, texts) {
                rest.push_str(&text);
            } else {
                let key = Literal::new(std::mem::take(&mut rest));
                told.push(Member {
                    key,
                    ..member.clone()
                });
            }
        }
        let rest = Literal::new(rest);
        Self { shape, told, rest }
    }
}

impl Told {
    pub(super) const fn new(all: Vec<Member>, texts: Texts) -> Self {
        Self {
            all,
            texts,
            of_shapes: Vec::new(),
            last: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    /// The members that a row may have.
    pub(super) fn of(&mut self, row: &Row<'_>) -> Option<&OfShape> {
        let shape = Shape::of(row);
        let is_it = |known: &OfShape| known.shape == shape;
        if !self.of_shapes.get(self.last).is_some_and(is_it) {
            let known = self.of_shapes.iter().position(is_it);
            self.last = known.unwrap_or_else(|| {
                let new = OfShape::new(shape, row, &self.all, self.texts);
                self.of_shapes.push(new);
                self.of_shapes.len() - 1
            });
        }
        self.of_shapes.get(self.last)
    }
}
