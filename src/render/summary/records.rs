//! The counts as records: one for each table and state in which something is.

use crate::model::{Counts, State, Table};

use super::super::{Header, cell, digits, json};

/// Each number that is not zero.
fn records(counts: &Counts) -> impl Iterator<Item = (Table, State, u64)> {
    counts.tables.iter().flat_map(|counts| {
        let some = counts.states().filter(|(_, count)| *count > 0);
        some.map(|(state, count)| (counts.table, state, count))
    })
}

/// One object a line.
pub(super) fn ndjson(out: &mut Vec<u8>, counts: &Counts) {
    for (table, state, count) in records(counts) {
        out.extend_from_slice(b"{\"protocol\":");
        json::word(out, table.protocol.name());
        out.extend_from_slice(b",\"family\":");
        json::word(out, table.family.name());
        out.extend_from_slice(b",\"state\":");
        json::quoted(out, |out| cell::state(out, state));
        out.extend_from_slice(b",\"count\":");
        digits::integer(out, count);
        out.extend_from_slice(b"}\n");
    }
}

/// RFC 4180: no value needs quotes.
pub(super) fn csv(out: &mut Vec<u8>, counts: &Counts, header: Header) {
    if header == Header::Shown {
        out.extend_from_slice(b"protocol,family,state,count\r\n");
    }
    for (table, state, count) in records(counts) {
        let (protocol, family) = (table.protocol, table.family);
        let record = format!("{protocol},{family},{state},{count}\r\n");
        out.extend_from_slice(record.as_bytes());
    }
}
