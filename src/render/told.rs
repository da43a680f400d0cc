//! Members of rows by shape: those that are the same in all rows of a shape become literal text.

use std::borrow::Cow;

use super::Field;
use super::digits::Short;
use crate::fields::{Cost, Datum};
use crate::model::{Row, Shutdown, State, Table};

/// A text that every row has.
#[derive(Clone)]
pub(super) struct Literal {
    text: Vec<u8>,
    /// Likewise, if it is short.
    short: Option<Short>,
}

impl Literal {
    pub(super) fn new(text: impl Into<Vec<u8>>) -> Self {
        let text = text.into();
        let short = Short::of(&text);
        Self { text, short }
    }

    #[inline]
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match &self.short {
            Some(short) => short.write(out),
            None => out.extend_from_slice(&self.text),
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

/// Fields that many rows have the same values of.
const SHARED: [Field; 8] = [
    Field::State,
    Field::RecvQueue,
    Field::SendQueue,
    Field::Uid,
    Field::Shutdown,
    Field::Mark,
    Field::CgroupId,
    Field::Cgroup,
];

/// Their values, from which alone their text follows.
#[derive(PartialEq, Eq)]
struct Values<'a> {
    state: State,
    numbers: [Option<u32>; 4],
    shutdown: Option<Shutdown>,
    cgroup_id: Option<u64>,
    cgroup: Option<Cow<'a, [u8]>>,
}

impl<'a> Values<'a> {
    fn of(row: &Row<'a>) -> Self {
        let socket = row.socket;
        Self {
            state: socket.state,
            numbers: [
                socket.recv_queue,
                socket.send_queue,
                socket.uid,
                socket.mark,
            ],
            shutdown: socket.shutdown,
            cgroup_id: socket.cgroup_id,
            cgroup: row.cgroup.map(Cow::Borrowed),
        }
    }

    fn keep(self) -> Values<'static> {
        let cgroup = self.cgroup.map(|path| Cow::Owned(path.into_owned()));
        Values { cgroup, ..self }
    }
}

/// What rows have in common.
#[derive(PartialEq, Eq)]
struct Shape<'a> {
    /// The values of [`SHARED`]; `None` = any.
    values: Option<Values<'a>>,
    table: Table,
    /// A bit for each of the [`PARTS`] that they have, the last one lowest: one number is compared fast.
    has: u16,
}

impl<'a> Shape<'a> {
    fn of(row: &Row<'a>) -> Self {
        let has = PARTS.map(|(_, has)| u16::from(has(row)));
        Self {
            values: Some(Values::of(row)),
            table: row.socket.table(),
            has: has.into_iter().fold(0, |bits, has| bits << 1 | has),
        }
    }

    /// True if a field has the value of `row` in all rows of this shape.
    fn settles(&self, field: Field, row: &Row<'_>) -> bool {
        let mut parts = PARTS.iter().rev().enumerate();
        let is_lacking =
            parts.any(|(bit, (belongs, _))| self.has >> bit & 1 == 0 && belongs(field));
        let is_same = || matches!(field.get(row), None | Some(Datum::Word(_)));
        self.values.is_some() && SHARED.contains(&field) || is_lacking && is_same()
    }
}

/// Writes the value of a member in a row.
type Write<'w> = &'w mut dyn FnMut(&mut Vec<u8>, &Member);

/// The members of rows.
pub(super) struct Told {
    all: Vec<Member>,
    /// What is written for a missing value.
    absent: &'static str,
    /// The members for shapes of the rows written so far.
    of_shapes: Vec<OfShape>,
    /// The place of the last row's shape among them.
    last: usize,
    /// Number of rows whose values were those of no shape.
    missed: usize,
}

/// The members for rows of one shape.
struct OfShape {
    shape: Shape<'static>,
    told: Vec<Member>,
    /// The literal text after the last of them.
    rest: Literal,
}

impl OfShape {
    fn new(shape: Shape<'_>, row: &Row<'_>, of: &Told, write: Write<'_>) -> Self {
        let (mut told, mut rest) = (Vec::new(), Vec::new());
        for member in &of.all {
            rest.extend_from_slice(&member.key.text);
            if !member.column.applies_to(shape.table) {
                rest.extend_from_slice(of.absent.as_bytes());
            } else if shape.settles(member.column, row) {
                write(&mut rest, member);
            } else {
                let key = Literal::new(std::mem::take(&mut rest));
                told.push(Member {
                    key,
                    ..member.clone()
                });
            }
        }
        let values = shape.values.map(Values::keep);
        Self {
            shape: Shape { values, ..shape },
            told,
            rest: Literal::new(rest),
        }
    }
}

impl Told {
    /// One in so many rows whose values are not known makes them known: then most rows have known ones.
    const SAMPLE: usize = 64;
    /// Shapes with values, at most.
    const MOST: usize = 16;

    pub(super) const fn new(all: Vec<Member>, absent: &'static str) -> Self {
        Self {
            all,
            absent,
            of_shapes: Vec::new(),
            last: 0,
            missed: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    /// Writes the members of a row.
    pub(super) fn write(
        &mut self,
        out: &mut Vec<u8>,
        row: &Row<'_>,
        mut write: impl FnMut(&mut Vec<u8>, &Member),
    ) {
        let shape = Shape::of(row);
        if self.of_shapes.get(self.last).map(|of| &of.shape) != Some(&shape) {
            self.last = self.place_of(shape, row, &mut write);
        }
        let Some(of) = self.of_shapes.get(self.last) else {
            return;
        };
        for member in &of.told {
            member.key.write(out);
            write(out, member);
        }
        of.rest.write(out);
    }

    #[inline(never)]
    fn place_of(&mut self, mut shape: Shape<'_>, row: &Row<'_>, write: Write<'_>) -> usize {
        let place = |shape: &Shape<'_>| self.of_shapes.iter().position(|of| of.shape == *shape);
        if let Some(place) = place(&shape) {
            return place;
        }
        if !self.missed.is_multiple_of(Self::SAMPLE) || self.of_shapes.len() >= Self::MOST {
            shape.values = None;
        }
        let known = place(&shape);
        self.missed += 1;
        known.unwrap_or_else(|| {
            let new = OfShape::new(shape, row, self, write);
            self.of_shapes.push(new);
            self.of_shapes.len() - 1
        })
    }
}
