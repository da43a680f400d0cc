//! A folder for each format: listings, counts, events and rounds in it.

pub(super) mod csv;
pub(super) mod json;
pub(super) mod ndjson;
pub(super) mod plain;
pub(super) mod table;

use std::io;

use crate::model::Summary;

use super::events::{EventLayout, EventSink, EventWriter, Grouping};
use super::out::Out;
use super::summary::Totals;
use super::{Envelope, Extras, Field, Format, Layout, Netstat, Sink};

impl Format {
    pub(super) const fn definition(self) -> &'static FormatDefinition {
        match self {
            Self::Table => &table::FORMAT,
            Self::Plain | Self::Netstat(_) => &plain::FORMAT,
            Self::Json => &json::FORMAT,
            Self::Ndjson => &ndjson::FORMAT,
            Self::Csv => &csv::FORMAT,
            Self::CsvSafe => &csv::SAFE,
        }
    }

    /// Those that have a definition of their own, as the help lists them.
    pub const ALL: [Self; 6] = [
        Self::Table,
        Self::Plain,
        Self::Json,
        Self::Ndjson,
        Self::Csv,
        Self::CsvSafe,
    ];

    /// What `--format` calls it.
    pub const fn name(self) -> &'static str {
        self.definition().name
    }

    /// True if it is for people and scripts, not for programs: with the names of ports and hosts.
    pub const fn is_text(self) -> bool {
        self.definition().is_text
    }

    /// True if it can hold the steps of a connection in one line or object.
    pub const fn groups_events(self) -> bool {
        self.definition().groups_events
    }

    /// What `-c` writes.
    pub const fn repeats(self) -> Repeats {
        self.definition().repeats
    }
}

/// What writes a listing in a format to `out`.
pub fn sink<'w>(
    format: Format,
    layout: Layout,
    envelope: &Envelope,
    out: Box<dyn io::Write + 'w>,
) -> Box<dyn Sink + 'w> {
    let out = Out::new(out);
    match format {
        Format::Netstat(layout) => Box::new(Netstat::new(layout, out)),
        _ => (format.definition().rows)(format, layout, envelope, out),
    }
}

/// The sink that writes events in a format to `out`. The envelope is for `json` alone. A format that
/// [cannot group](Format::groups_events) writes each event.
pub fn event_sink<'w>(
    format: Format,
    grouping: Grouping,
    layout: EventLayout,
    envelope: &Envelope,
    out: Box<dyn io::Write + 'w>,
) -> EventSink<'w> {
    let definition = format.definition();
    let grouping = if definition.groups_events {
        grouping
    } else {
        Grouping::None
    };
    let most = layout.most_pairs;
    let writer = (definition.events)(format, layout, grouping, envelope, Out::new(out));
    EventSink::new(writer, grouping, most)
}

/// What a format writes of a list that is made again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// Every listing, or all counts.
    Everything,
    /// Every listing; counts have no time.
    Listings,
    /// What became of sockets; counts have no time.
    Changes,
}

/// Makes what writes events.
type MakeEvents =
    for<'w> fn(Format, EventLayout, Grouping, &Envelope, Out<'w>) -> Box<dyn EventWriter + 'w>;

/// What a format can do, and how it does it.
pub(super) struct FormatDefinition {
    /// What `--format` calls it.
    name: &'static str,
    /// True if it is for people and scripts.
    is_text: bool,
    /// The columns for which none were chosen.
    pub(super) columns: fn(Extras) -> Vec<Field>,
    pub(super) rows: for<'w> fn(Format, Layout, &Envelope, Out<'w>) -> Box<dyn Sink + 'w>,
    /// `-s`.
    pub(super) counts: fn(&mut Vec<u8>, &Totals, &Summary),
    /// `-E`.
    pub(super) events: MakeEvents,
    /// True if `-E --by connection` has all steps of a connection in one line or object.
    groups_events: bool,
    /// `-c`.
    repeats: Repeats,
}
