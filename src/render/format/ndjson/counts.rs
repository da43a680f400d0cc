//! Counts: an object for each table and state in which something is.

use crate::render::format::json::value as json;
use crate::render::summary::Totals;
use crate::render::{cell, digits};

/// One object a line.
pub(super) fn write(out: &mut Vec<u8>, totals: &Totals<'_>) {
    for (table, state, count) in totals.records() {
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
