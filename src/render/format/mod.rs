//! The output formats: listings, counts and events in each.

mod csv;
mod json;
mod metrics;
mod plain;
mod table;

use std::io;

use crate::model::Summary;

use super::events::{self, EventLayout, EventSink, Grouping, Ladders, text_events};
use super::out::Out;
use super::page;
use super::summary::{Totals, brief, screen, text};
use super::{Color, Counted, Envelope, Extras, Field, Format, Layout, Metrics, Netstat, Sink, Ss};
pub(super) use csv::{Records, flat};
pub use json::Changes;
use json::{Json, JsonEvents};
pub(super) use json::{Objects, grouped, key, member, members};

impl Format {
    /// The formats of `--format`, in the order of the help.
    pub const ALL: [Self; 10] = [
        Self::Table,
        Self::Plain,
        Self::Json,
        Self::Ndjson,
        Self::Csv,
        Self::CsvSafe,
        Self::Metrics(Metrics::OpenMetrics),
        Self::Metrics(Metrics::Prometheus),
        Self::Svg,
        Self::Html,
    ];

    /// Its name for `--format`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Plain | Self::Netstat(_) | Self::Ss(_) => "plain",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::CsvSafe => "csv-safe",
            Self::Metrics(Metrics::OpenMetrics) => "openmetrics",
            Self::Metrics(Metrics::Prometheus) => "prometheus",
            Self::Svg => "svg",
            Self::Html => "html",
        }
    }

    /// True if it is text for people and scripts, with names of ports and hosts.
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Table | Self::Plain | Self::Netstat(_) | Self::Ss(_) | Self::Html
        )
    }

    /// True if it can hold all events of a connection in one line or object.
    pub const fn groups_events(self) -> bool {
        !matches!(
            self,
            Self::Csv | Self::CsvSafe | Self::Metrics(_) | Self::Svg
        )
    }

    /// The default columns of a listing.
    pub fn columns(self, extras: Extras) -> Vec<Field> {
        match self {
            Self::Table | Self::Plain | Self::Netstat(_) | Self::Ss(_) | Self::Html => {
                extras.columns()
            }
            Self::Json | Self::Ndjson | Self::Metrics(_) | Self::Svg => Field::VOCABULARY
                .into_iter()
                .chain(extras.beside())
                .collect(),
            Self::Csv | Self::CsvSafe => csv::columns(extras),
        }
    }

    /// The default columns of events; the step replaces the state.
    pub fn event_columns(self, extras: Extras) -> Vec<Field> {
        if !self.is_text() {
            return events::COLUMNS.into();
        }
        let mut columns = extras.columns();
        columns.retain(|column| column.is_in_events() && *column != Field::State);
        let peer = columns.iter().position(|column| *column == Field::Peer);
        columns.insert(peer.map_or(0, |peer| peer + 1), Field::State);
        columns
    }

    /// Writes counts: `-s`.
    pub(super) fn write_counts(self, out: &mut Vec<u8>, totals: &Totals, summary: &Summary) {
        match self {
            _ if self.is_text() && totals.layout.counted == Counted::Brief => {
                totals.envelope.begin_text(out);
                let color = if self == Self::Table {
                    totals.layout.color
                } else {
                    Color::Never
                };
                brief::write(out, totals, color);
            }
            Self::Table => {
                totals.envelope.begin_text(out);
                screen::write(out, totals, summary);
            }
            Self::Plain | Self::Netstat(_) | Self::Ss(_) => {
                totals.envelope.begin_text(out);
                text::write(out, totals, summary, Color::Never, (false, None));
            }
            Self::Json => json::counts(out, totals, summary),
            Self::Ndjson => json::count_lines(out, totals),
            Self::Csv | Self::CsvSafe => csv::counts(out, totals),
            Self::Metrics(_) => metrics::write(out, totals, summary),
            Self::Svg => page::drawing(out, totals),
            Self::Html => page::report(out, totals, summary),
        }
    }
}

/// The sink that writes a listing in a format to `out`.
pub fn sink<'w>(
    format: Format,
    layout: Layout,
    envelope: &Envelope,
    out: Box<dyn io::Write + 'w>,
) -> Box<dyn Sink + 'w> {
    let out = Out::new(out);
    match format {
        Format::Table => Box::new(table::Table::new(layout, envelope, out)),
        Format::Plain => Box::new(plain::Plain::new(&layout, envelope, out)),
        Format::Netstat(layout) => Box::new(Netstat::new(layout, out)),
        Format::Ss(own) => Box::new(Ss::new(own, layout.header, out)),
        Format::Json => {
            let objects = Objects::document("sockets", envelope, out);
            Box::new(Json::new(&layout, Vec::new(), objects))
        }
        Format::Ndjson => {
            let leading = envelope.leading_members(false);
            Box::new(Json::new(&layout, leading, Objects::lines(out)))
        }
        // Metrics, drawings and pages only exist for counts.
        Format::Csv | Format::CsvSafe | Format::Metrics(_) | Format::Svg | Format::Html => {
            Box::new(csv::CsvRows::new(format, &layout, envelope, out))
        }
    }
}

/// The sink that writes events in a format to `out`. The envelope is only for `json`. A format that [cannot
/// group](Format::groups_events) writes single events.
pub fn event_sink<'w>(
    format: Format,
    mut grouping: Grouping,
    layout: EventLayout,
    envelope: &Envelope,
    out: Box<dyn io::Write + 'w>,
) -> EventSink<'w> {
    if !format.groups_events() {
        grouping = Grouping::None;
    }
    let (most, out) = (layout.most_pairs, Out::new(out));
    let writer = match format {
        Format::Table | Format::Plain | Format::Netstat(_) | Format::Ss(_) => {
            text_events(format, layout, grouping, out)
        }
        // It only has pairs.
        Format::Html => Box::new(Ladders::new(layout, envelope, out)),
        Format::Json => {
            let name = match grouping {
                Grouping::None => "events",
                Grouping::Connection => "connections",
                Grouping::Pair => "pairs",
            };
            Box::new(JsonEvents::new(
                &layout,
                Vec::new(),
                Objects::document(name, envelope, out),
            ))
        }
        Format::Ndjson => {
            let leading = envelope.leading_members(true);
            Box::new(JsonEvents::new(&layout, leading, Objects::lines(out)))
        }
        Format::Csv | Format::CsvSafe | Format::Metrics(_) | Format::Svg => {
            Box::new(csv::CsvEvents::new(format, &layout, envelope, out))
        }
    };
    EventSink::new(writer, grouping, most)
}
