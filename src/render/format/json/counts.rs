//! The counts as one JSON document, in the envelope of a listing.

use crate::model::{Finding, NotChecked, StateCounts, Summary};

use super::objects::Members;
use super::value as json;
use crate::render::summary::Totals;
use crate::render::{Field, Repetition};

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

pub(super) fn write(out: &mut Vec<u8>, totals: &Totals, summary: &Summary) {
    let (counts, start) = (&totals.counts, out.len());
    json::opening(out, &totals.envelope);
    json::key(out, "counts");
    list(out, &counts.tables, table);
    if !totals.parts.is_empty() {
        json::key(out, "namespaces");
        list(out, &totals.parts, |out, (netns, counts)| {
            out.push(b'{');
            json::member(out, "netns", &**netns);
            json::key(out, "counts");
            list(out, &counts.tables, table);
            out.push(b'}');
        });
    }
    json::key(out, "time_wait");
    out.push(b'{');
    json::member(out, "count", counts.time_wait());
    json::member(
        out,
        "longest_ms",
        counts.longest_time_wait_ms.map(u64::from),
    );
    out.push(b'}');
    json::member(out, "half_closed", counts.half_closed());
    json::member(out, "orphans", counts.orphans());
    json::key(out, "listeners");
    let several = [Field::Netns].iter().filter(|_| !totals.parts.is_empty());
    let listener: Vec<Field> = several.chain(&LISTENER).copied().collect();
    let mut members = Members::of(&listener);
    list(out, &counts.listeners.fullest, |out, kept| {
        out.push(b'{');
        members.write(out, &kept.row());
        out.push(b'}');
    });
    if let Some(findings) = &totals.findings {
        json::key(out, "findings");
        list(out, &findings.found, finding);
        json::key(out, "not_checked");
        list(out, &findings.not_checked, not_checked);
    } else {
        out.extend_from_slice(b",\"findings\":null,\"not_checked\":null");
    }
    json::key(out, "summary");
    let summary = Summary {
        limited: counts.listeners.left_out() > 0,
        ..summary.clone()
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

/// Writes an array, one member a line.
fn list<T>(out: &mut Vec<u8>, members: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for member in members {
        json::separate(out);
        out.push(b'\n');
        write(out, member);
    }
    if !members.is_empty() {
        out.push(b'\n');
    }
    out.push(b']');
}

fn finding(out: &mut Vec<u8>, finding: &Finding) {
    out.push(b'{');
    json::member(out, "kind", finding.kind);
    json::member(out, "severity", finding.severity.name());
    json::member(out, "count", finding.count);
    json::member(out, "sockets", &*finding.sockets);
    json::member(out, "text", &*finding.text);
    if let Some(netns) = &finding.netns {
        json::member(out, "netns", &**netns);
    }
    out.push(b'}');
}

fn not_checked(out: &mut Vec<u8>, finding: &NotChecked) {
    out.push(b'{');
    json::member(out, "kind", finding.kind);
    json::member(out, "sockets", finding.sockets);
    out.push(b'}');
}

fn table(out: &mut Vec<u8>, counts: &StateCounts) {
    out.push(b'{');
    json::member(out, "protocol", counts.table.protocol.name());
    json::member(out, "family", counts.table.family.name());
    json::member(out, "total", counts.total_told());
    json::key(out, "states");
    out.push(b'{');
    for (state, _) in counts.states() {
        json::member(out, &state.to_string(), counts.told(state));
    }
    out.extend_from_slice(b"}}");
}
