//! Details as text: kernel structures and memory, `congestion:cubic rtt:31.25ms rcvbuf:128KiB`.

use crate::fields::Datum;
use crate::model::{Memory, Row, State, Structure};

use super::style::Style;
use super::{Extras, Field, Layout, digits};

/// Starts a line of details.
pub(super) const INDENT: &[u8] = b"        ";
/// Ends a line, and starts one of details.
pub(super) const LINE: &[u8] = b"\n        ";

/// What `-i` and `-m` add to a row and no column shows.
#[derive(Debug)]
pub(super) struct Details(Vec<Field>);

impl Details {
    pub(super) fn of(layout: &Layout) -> Self {
        let shown: Vec<Field> = layout.columns.iter().flat_map(|c| c.flat()).collect();
        let structures = [
            (Field::Congestion, Extras::INFO),
            (Field::CongestionInfo, Extras::INFO),
            (Field::TcpInfo, Extras::INFO),
            (Field::MptcpInfo, Extras::INFO),
            (Field::Ulp, Extras::INFO),
            (Field::UlpInfo, Extras::INFO),
            (Field::Md5, Extras::INFO),
            (Field::SctpInfo, Extras::INFO),
            (Field::XdpInfo, Extras::INFO),
            (Field::TipcInfo, Extras::INFO),
            (Field::SmcInfo, Extras::INFO),
            (Field::BpfStorage, Extras::STORAGE),
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

    /// A line for each subflow, below its connection.
    pub(super) fn subflows(&self, style: Style, row: &Row<'_>) -> Vec<Vec<u8>> {
        let subflows = row.subflows.unwrap_or_default().iter();
        let line = |socket| {
            let (mut line, row) = (b"`- ".to_vec(), Row::bare(socket));
            for field in [Field::Protocol, Field::State, Field::Local, Field::Peer] {
                style.cell(&mut line, field, &row);
                line.push(b' ');
            }
            self.write(&mut line, &row);
            line
        };
        subflows.map(line).collect()
    }

    /// Writes the details of a row, if any.
    pub(super) fn write(&self, out: &mut Vec<u8>, row: &Row<'_>) {
        words(out, b' ', self.0.iter().copied(), row);
    }
}

/// Writes a structure as one cell; `-` if nothing in it is worth showing.
pub(super) fn cell(out: &mut Vec<u8>, separator: u8, structure: Field, row: &Row<'_>) {
    let start = out.len();
    if let Some(structure) = structure.as_structure() {
        let parts = structure.fields().iter();
        words(out, separator, parts.map(Field::InfoPart), row);
    } else {
        let places = 0..Memory::FIELDS.len();
        words(out, separator, places.map(Field::MemoryPart), row);
    }
    if out.len() == start {
        out.push(b'-');
    }
}

/// Writes the fields that were sent and matter: of memory also zeros, because a limit of 0 matters; of
/// options only unusual values; not the state, which the row shows.
fn words(out: &mut Vec<u8>, separator: u8, fields: impl Iterator<Item = Field>, row: &Row<'_>) {
    let (start, socket) = (out.len(), row.socket);
    let memory = socket.memory();
    let is_news = |field: Field, number: u64| match field {
        // Of a listener these are the queue and its limit, which its row shows.
        Field::InfoPart(part)
            if socket.state == State::Listen && part.structure == Structure::TcpInfo =>
        {
            number != part.usual && !matches!(part.name, "state" | "unacked" | "sacked")
        }
        Field::InfoPart(part) => number != part.usual && part.name != "state",
        _ => true,
    };
    let number = |field: Field| match field {
        Field::InfoPart(part) => socket.info(part.structure)?.get(part),
        Field::MemoryPart(place) => {
            let (_, _, value) = Memory::FIELDS.get(place)?;
            value(memory?).map(u64::from)
        }
        _ => None,
    };
    for field in fields {
        let name = field.own_name();
        let known = number(field).filter(|number| is_news(field, *number));
        let known = known.map(Datum::Number).or_else(|| match field {
            Field::InfoPart(_) | Field::MemoryPart(_) => None,
            _ => field.get(row),
        });
        let Some(known) = known else {
            continue;
        };
        if out.len() > start {
            out.push(separator);
        }
        let number = match known {
            Datum::Number(number) => number,
            Datum::Name(text) => {
                out.extend_from_slice(name.as_bytes());
                out.push(b':');
                if matches!(field, Field::Md5 | Field::BpfStorage) {
                    out.extend_from_slice(text);
                } else {
                    Style::WORD.name(out, text, |c| matches!(c, ':' | ','));
                }
                continue;
            }
            _ => continue,
        };
        // Flags name themselves, as in `ss`.
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
