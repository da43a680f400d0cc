//! The counts as one JSON document, in the envelope of a listing.

use crate::model::{Finding, StateCounts, Summary};

use super::objects::Members;
use super::value as json;
use crate::render::summary::Totals;
use crate::render::{Field, Repetition};

const LISTENER: [Field; 7] = [
    Field::Protocol,
    Field::Family,
    Field::LocalAddress,
    Field::LocalPort,
    Field::Interface,
    Field::RecvQueue,
    Field::SendQueue,
];

pub(in crate::render::format) fn write(out: &mut Vec<u8>, totals: &Totals, summary: &Summary) {
    let (counts, start) = (&totals.counts, out.len());
    json::opening(out, &totals.envelope);
    json::objects(out, "counts", "\n", &counts.tables, table);
    if !totals.parts.is_empty() {
        json::objects(out, "namespaces", "\n", &totals.parts, |out, part| {
            let (netns, counts) = part;
            json::netns(out, netns);
            json::objects(out, "counts", "\n", &counts.tables, table);
        });
    }
    json::key(out, "time_wait");
    out.push(b'{');
    json::member(out, "count", counts.time_wait());
    json::member(out, "longest_ms", counts.longest_time_wait_ms);
    out.push(b'}');
    json::member(out, "half_closed", counts.half_closed());
    json::member(out, "orphans", counts.orphans());
    let several = [Field::Netns].iter().filter(|_| !totals.parts.is_empty());
    let listener: Vec<Field> = several.chain(&LISTENER).copied().collect();
    let mut members = Members::of(&listener);
    let fullest = &counts.listeners.fullest;
    json::objects(out, "listeners", "\n", fullest, |out, kept| {
        members.write(out, &kept.row());
    });
    if let Some(findings) = &totals.findings {
        json::objects(out, "findings", "\n", &findings.found, finding);
        let not_checked = &findings.not_checked;
        json::objects(out, "not_checked", "\n", not_checked, |out, of| {
            json::member(out, "kind", of.kind);
            json::member(out, "sockets", of.sockets);
        });
    } else {
        json::member(out, "findings", ());
        json::member(out, "not_checked", ());
    }
    json::key(out, "summary");
    let summary = Summary {
        limited: counts.listeners.left_out() > 0,
        ..summary.clone()
    };
    json::summary(out, &summary);
    out.extend_from_slice(b"}\n");
    if totals.envelope.repetition != Repetition::Single {
        // Puts it on one line.
        let document = out.split_off(start);
        out.extend(document.into_iter().filter(|byte| *byte != b'\n'));
        out.push(b'\n');
    }
}

fn finding(out: &mut Vec<u8>, finding: &Finding) {
    json::member(out, "kind", finding.kind);
    json::member(out, "severity", finding.severity.name());
    json::member(out, "count", finding.count);
    json::member(out, "sockets", &*finding.sockets);
    json::member(out, "text", &*finding.text);
    if let Some(netns) = &finding.netns {
        json::netns(out, netns);
    }
}

fn table(out: &mut Vec<u8>, counts: &StateCounts) {
    json::member(out, "protocol", counts.table.protocol.name());
    json::member(out, "family", counts.table.family.name());
    json::member(out, "total", counts.total_told());
    json::key(out, "states");
    out.push(b'{');
    for (state, _) in counts.states() {
        json::member(out, &state.to_string(), counts.told(state));
    }
    out.push(b'}');
}
