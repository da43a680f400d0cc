//! The counts as one JSON document, in the envelope of a listing.

use crate::model::{Counts, Finding, Row, StateCounts, Summary};

use super::value as json;
use crate::render::{Column, Envelope, cell, digits};

/// What is told of a listener.
const LISTENER: [Column; 7] = [
    Column::Protocol,
    Column::Family,
    Column::LocalAddress,
    Column::LocalPort,
    Column::Interface,
    Column::RecvQueue,
    Column::SendQueue,
];

/// Writes it.
pub(in crate::render) fn write(
    out: &mut Vec<u8>,
    counts: &Counts,
    findings: Option<&[Finding]>,
    (envelope, summary): (&Envelope, &Summary),
) {
    json::opening(out, envelope);
    out.extend_from_slice(b",\"counts\":[");
    list(out, &counts.tables, table);
    out.extend_from_slice(b"],\"time_wait\":{\"count\":");
    digits::integer(out, counts.time_wait.count);
    out.extend_from_slice(b",\"longest_ms\":");
    json::number(out, counts.time_wait.longest_ms.map(u64::from));
    out.extend_from_slice(b"},\"half_closed\":");
    digits::integer(out, counts.half_closed);
    out.extend_from_slice(b",\"orphans\":");
    digits::integer(out, counts.orphans);
    out.extend_from_slice(b",\"listeners\":[");
    list(out, &counts.listeners.fullest, |out, kept| {
        listener(out, &kept.row());
    });
    out.extend_from_slice(b"],\"findings\":");
    match findings {
        Some(findings) => {
            out.push(b'[');
            list(out, findings, finding);
            out.push(b']');
        }
        None => json::null(out),
    }
    out.extend_from_slice(b",\"summary\":");
    json::summary(out, summary);
    out.extend_from_slice(b"}\n");
}

/// Writes the members of an array, one a line.
fn list<T>(out: &mut Vec<u8>, members: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    for (index, member) in members.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
        write(out, member);
    }
    if !members.is_empty() {
        out.push(b'\n');
    }
}

fn finding(out: &mut Vec<u8>, finding: &Finding) {
    out.extend_from_slice(b"{\"kind\":");
    json::word(out, finding.kind.name());
    out.extend_from_slice(b",\"severity\":");
    json::word(out, finding.severity.name());
    out.extend_from_slice(b",\"count\":");
    digits::integer(out, finding.count);
    out.extend_from_slice(b",\"sockets\":");
    json::string(out, &finding.sockets);
    out.extend_from_slice(b",\"text\":");
    json::string(out, &finding.text);
    out.push(b'}');
}

fn table(out: &mut Vec<u8>, counts: &StateCounts) {
    out.extend_from_slice(b"{\"protocol\":");
    json::word(out, counts.table.protocol.name());
    out.extend_from_slice(b",\"family\":");
    json::word(out, counts.table.family.name());
    out.extend_from_slice(b",\"total\":");
    digits::integer(out, counts.total());
    out.extend_from_slice(b",\"states\":");
    let mut before = b'{';
    for (state, count) in counts.states() {
        out.push(before);
        json::quoted(out, |out| cell::state(out, state));
        out.push(b':');
        digits::integer(out, count);
        before = b',';
    }
    out.extend_from_slice(b"}}");
}

fn listener(out: &mut Vec<u8>, row: &Row<'_>) {
    let mut scratch = Vec::new();
    let mut before = b'{';
    for column in LISTENER {
        out.push(before);
        json::word(out, column.own_name());
        out.push(b':');
        json::value(out, &mut scratch, column.get(row), row);
        before = b',';
    }
    out.push(b'}');
}
