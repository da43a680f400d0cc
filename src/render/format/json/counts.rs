//! The counts as one JSON document, in the envelope of a listing.

use crate::model::{Finding, Protocol, State, StateCounts, Summary};

use super::objects::Members;
use super::value as json;
use crate::render::summary::Totals;
use crate::render::{Field, Repetition, cell, digits};

/// What is told of a listener.
const LISTENER: [Field; 7] = [
    Field::Protocol,
    Field::Family,
    Field::LocalAddress,
    Field::LocalPort,
    Field::Interface,
    Field::RecvQueue,
    Field::SendQueue,
];

/// Writes it.
pub(super) fn write(out: &mut Vec<u8>, totals: &Totals<'_>) {
    let (counts, start) = (totals.counts, out.len());
    json::opening(out, totals.envelope);
    out.extend_from_slice(b",\"counts\":[");
    list(out, &counts.tables, table);
    out.extend_from_slice(b"],\"time_wait\":{\"count\":");
    digits::integer(out, counts.of(Protocol::Tcp, State::TimeWait));
    out.extend_from_slice(b",\"longest_ms\":");
    json::number(out, counts.longest_time_wait_ms.map(u64::from));
    out.extend_from_slice(b"},\"half_closed\":");
    digits::integer(out, counts.half_closed);
    out.extend_from_slice(b",\"orphans\":");
    digits::integer(out, counts.orphans);
    out.extend_from_slice(b",\"listeners\":[");
    let mut members = Members::of(&LISTENER);
    list(out, &counts.listeners.fullest, |out, kept| {
        out.push(b'{');
        members.write(out, &kept.row());
        out.push(b'}');
    });
    out.extend_from_slice(b"],\"findings\":");
    match totals.findings {
        Some(findings) => {
            out.push(b'[');
            list(out, findings, finding);
            out.push(b']');
        }
        None => json::null(out),
    }
    out.extend_from_slice(b",\"summary\":");
    let summary = Summary {
        limited: counts.listeners.left_out() > 0,
        ..totals.summary.clone()
    };
    json::summary(out, &summary);
    out.extend_from_slice(b"}\n");
    if totals.envelope.repetition != Repetition::Single {
        // One line.
        let document = out.split_off(start);
        out.extend(document.into_iter().filter(|byte| *byte != b'\n'));
        out.push(b'\n');
    }
}

/// Writes the members of an array, one a line.
fn list<T>(out: &mut Vec<u8>, members: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
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
    json::word(out, finding.kind);
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
