//! `tcp_info`, `mptcp_info` and memory as words for people: `congestion:cubic rtt:31.25ms rcvbuf:128KiB`.

use crate::model::{Info, InfoField, MPTCP_INFO, Memory, Row, State, TCP_INFO};

use super::style::Style;
use super::{Extras, Field, Layout, digits};

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
        let is_listener = row.socket.state == State::Listen;
        let is_mptcp = row.socket.mptcp_info().is_some();
        let fields = self.0.iter().copied().filter(|field| match field {
            // Of a listener the row shows its queue and the limit of that.
            Field::TcpPart(part) if is_listener => !matches!(part.name, "unacked" | "sacked"),
            Field::MptcpPart(_) => is_mptcp,
            _ => true,
        });
        words(out, b' ', fields, row);
    }
}

/// Writes a structure as one cell; `-` when no part says anything.
pub(super) fn cell(out: &mut Vec<u8>, separator: u8, structure: Field, row: &Row<'_>) {
    let start = out.len();
    match structure {
        Field::TcpInfo => words(out, separator, TCP_INFO.iter().map(Field::TcpPart), row),
        Field::MptcpInfo => words(out, separator, MPTCP_INFO.iter().map(Field::MptcpPart), row),
        _ => {
            let places = 0..Memory::FIELDS.len();
            words(out, separator, places.map(Field::MemoryPart), row);
        }
    }
    if out.len() == start {
        out.push(b'-');
    }
}

/// Writes every field that was sent and says something: of memory zeros too, for a limit of 0 is news; not the
/// state, which is in the row.
fn words(out: &mut Vec<u8>, separator: u8, fields: impl Iterator<Item = Field>, row: &Row<'_>) {
    let (start, socket) = (out.len(), row.socket);
    let (tcp, mptcp, memory) = (socket.tcp_info(), socket.mptcp_info(), socket.memory());
    let in_info = |info: Option<&Info>, part: &'static InfoField| {
        let number = info?.get(part).filter(|number| *number != 0)?;
        (part.name != "state").then_some((part.name, number))
    };
    let in_memory = |place: usize| {
        let (name, _, value) = Memory::FIELDS.get(place)?;
        Some((*name, u64::from(value(memory?)?)))
    };
    for field in fields {
        let known = match field {
            Field::TcpPart(part) => in_info(tcp, part),
            Field::MptcpPart(part) => in_info(mptcp, part),
            Field::MemoryPart(place) => in_memory(place),
            _ => {
                // The first word.
                if let Some(name) = socket.congestion() {
                    out.extend_from_slice(b"congestion:");
                    Style::WORD.name(out, name, |c| matches!(c, ':' | ','));
                }
                continue;
            }
        };
        let Some((name, number)) = known else {
            continue;
        };
        if out.len() > start {
            out.push(separator);
        }
        // Words that say what they are, as `ss` writes them.
        let between = if name == "options" {
            separator
        } else {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            b','
        };
        digits::number(out, number, field, between);
    }
}
