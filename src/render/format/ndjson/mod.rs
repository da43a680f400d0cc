//! `ndjson`: one object a line.

mod changes;
mod counts;

use super::json::Json;
use super::json::events::{Connections, JsonEvents};
use super::json::objects::Objects;
use super::{FormatDefinition, Repeats};
pub use changes::Changes;

pub(super) const FORMAT: FormatDefinition = FormatDefinition {
    name: "ndjson",
    is_text: false,
    rows: |layout, _, out| Box::new(Json::new(&layout, Objects::lines(out))),
    counts: counts::write,
    events: |_, _, out| Box::new(JsonEvents::new(Objects::lines(out))),
    connections: Some(|_, _, out| Connections::sink(Objects::lines(out))),
    repeats: Repeats::Changes,
};
