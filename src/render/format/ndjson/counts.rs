//! Counts: an object for each table and state in which something is.

use crate::model::Counts;
use crate::render::format::json::value as json;
use crate::render::summary::records;
use crate::render::{cell, digits};

/// One object a line.
pub(in crate::render) fn write(out: &mut Vec<u8>, counts: &Counts) {
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
