//! `ndjson`: one object a line.

mod changes;

use super::json::Json;
use super::json::events::{Connections, JsonEvents};
use super::json::objects::Objects;
use super::json::value as json;
use super::{FormatDefinition, Repeats};
use crate::render::Field;
use crate::render::summary::Totals;
pub use changes::Changes;

pub(super) const FORMAT: FormatDefinition = FormatDefinition {
    name: "ndjson",
    is_text: false,
    columns: |_| Field::VOCABULARY.to_vec(),
    rows: |layout, _, out| Box::new(Json::new(&layout, Objects::lines(out))),
    counts,
    events: |_, _, out| Box::new(JsonEvents::new(Objects::lines(out))),
    connections: Some(|_, _, out| Connections::sink(Objects::lines(out))),
    repeats: Repeats::Changes,
};

/// An object for each table and state in which something is.
fn counts(out: &mut Vec<u8>, totals: &Totals<'_>) {
    for (table, state, count) in totals.records() {
        out.push(b'{');
        json::member(out, "protocol", table.protocol.name());
        json::member(out, "family", table.family.name());
        json::member(out, "state", state);
        json::member(out, "count", count);
        out.push(b'}');
        out.push(b'\n');
    }
}
