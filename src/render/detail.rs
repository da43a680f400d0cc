//! `tcp_info`, `mptcp_info` and memory as words for people: `congestion:cubic rtt:31.25ms rcvbuf:128KiB`.

use crate::fields::Datum;
use crate::model::{InfoField, Row, State};

use super::measure;
use super::style::Style;
use super::{Extras, Field, Layout};

/// What begins a line of details.
pub(super) const INDENT: &[u8] = b"        ";

/// What `-i` and `-m` add to a row: what no column shows already.
#[derive(Debug)]
pub(super) struct Details(Vec<Field>);

impl Details {
    pub(super) fn of(layout: &Layout) -> Self {
        let shown: Vec<Field> = layout.columns.iter().flat_map(|c| c.flat()).collect();
        let structures = [
            (Field::Congestion, Extras::INFO),
            (Field::TcpInfo, Extras::INFO),
            (Field::MptcpInfo, Extras::INFO),
            (Field::Memory, Extras::MEMORY),
        ];
        let wanted = structures.into_iter();
        let wanted = wanted.filter(|(_, extra)| layout.extras.has(*extra));
        let fields = wanted.flat_map(|(structure, _)| structure.flat());
        Self(fields.filter(|field| !shown.contains(field)).collect())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the words that the row has; nothing where it has none.
    pub(super) fn write(&self, out: &mut Vec<u8>, row: &Row<'_>) {
        // Of a listener these are its queue and the limit of that, which the row shows already.
        let is_queue = |field: &Field| match field {
            Field::TcpPart(part) => matches!(part.name, "unacked" | "sacked"),
            _ => false,
        };
        let is_listener = row.socket.state == State::Listen;
        let fields = self.0.iter().copied();
        words(
            out,
            b' ',
            fields.filter(|field| !is_listener || !is_queue(field)),
            row,
        );
    }
}

/// Writes the parts of a structure as one cell; `-` when none says anything.
pub(super) fn cell(
    out: &mut Vec<u8>,
    separator: u8,
    parts: impl Iterator<Item = Field>,
    row: &Row<'_>,
) {
    let start = out.len();
    words(out, separator, parts, row);
    if out.len() == start {
        out.push(b'-');
    }
}

/// Writes one field after the other: every part of a kernel structure that is not zero and says something,
/// all that is told of memory, for a limit of 0 is news.
fn words(out: &mut Vec<u8>, separator: u8, fields: impl Iterator<Item = Field>, row: &Row<'_>) {
    let start = out.len();
    let key = |out: &mut Vec<u8>, name: &str| {
        if out.len() > start {
            out.push(separator);
        }
        // Words that say what they are, as `ss` writes them.
        if name != "options" {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
        }
    };
    for field in fields {
        match (field, field.get(row)) {
            (Field::TcpPart(part) | Field::MptcpPart(part), Some(Datum::Number(value)))
                if is_telling(part, value) =>
            {
                key(out, part.name);
                let between = if part.name == "options" {
                    separator
                } else {
                    b','
                };
                measure::number(out, value, part, between);
            }
            (Field::MemoryPart(_), Some(Datum::Number(value))) => {
                key(out, field.own_name());
                measure::write(out, value, field.unit());
            }
            (Field::Congestion, Some(Datum::Name(name))) => {
                key(out, field.own_name());
                Style::WORD.name(out, name, |c| matches!(c, ':' | ','));
            }
            _ => {}
        }
    }
}

/// Not zero, and not said in the row already.
fn is_telling(field: &InfoField, value: u64) -> bool {
    field.name != "state" && value != 0
}
