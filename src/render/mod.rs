//! Rows to text, JSON and CSV.
//!
//! [`sink`] makes the sink of a format; [`Sorted`] and [`Limited`] are sinks around a sink. `plain`,
//! `json`, `ndjson` and `csv` stream through one buffer, `table` holds the first thousand rows, and
//! [`Sorted`] every row or, with a limit, some times as many as are shown. [`Summing`] is the sink that
//! counts rows instead. `schema.json` describes the JSON.

mod cell;
pub mod column;
mod detail;
mod digits;
mod endpoint;
mod events;
mod extras;
mod format;
mod limited;
mod netstat;
mod order;
mod out;
mod paint;
mod rounds;
mod search;
mod sorted;
mod summary;
mod value;
pub mod view;
mod widths;

use std::io;
use std::ops::ControlFlow;

use crate::model::{Row, Summary};
pub use column::Column;
pub use events::{EventLayout, EventSink, Grouping, Shown, event_sink, rfc_3339};
pub use extras::{Extra, Extras, default_columns};
pub use format::ndjson::Changes;
pub use limited::Limited;
pub use netstat::{Addresses, Banner, Bytes, Hosts, Netstat, NetstatLayout, Section};
pub use paint::Color;
pub use rounds::{Round, round_out, round_sink};
pub use search::Search;
pub use sorted::{SortKey, Sorted};
pub use summary::Summing;

use cell::{Blanks, Descriptors, Style};
use format::{csv, json, plain, table};
use out::Out;

/// Takes the rows of a listing, one after another.
pub trait Sink {
    /// One row; `Break` when no further row is wanted.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>>;

    /// The rows that follow may have to be taken back.
    fn mark(&mut self) {}

    /// Takes back every row since the last mark; `false` = it cannot, for some may be written.
    fn take_back(&mut self) -> bool {
        false
    }

    /// The end of the listing: everything held back is written.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    fn finish(&mut self, summary: &Summary) -> io::Result<()>;
}

/// How a listing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for people at a terminal.
    Table,
    /// Fixed columns for scripts: the same number of words in every line.
    Plain,
    /// One document.
    Json,
    /// One object a line.
    Ndjson,
    /// RFC 4180.
    Csv,
    /// The lines of `netstat`, in a layout of its own.
    Netstat(NetstatLayout),
}

impl Format {
    /// For people and scripts, not for programs: with the names of ports and hosts.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Table | Self::Plain | Self::Netstat(_))
    }
}

/// The line of titles, in `table`, `plain` and `csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// It comes first.
    Shown,
    /// `-H`.
    Hidden,
}

/// Where `table` and `plain` put the details of `-i` and `-m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On a line of their own below the row.
    Below,
    /// `-O`: at the end of the row's line; then `table` breaks no cell either.
    SameLine,
}

/// What lines and arrows are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// `+-|`
    Ascii,
    /// `┌─│`
    Unicode,
}

/// What is shown, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The columns, in their order; in JSON the keys. [`default_columns`] where none were chosen.
    pub columns: Vec<Column>,
    /// Is there a line of titles?
    pub header: Header,
    /// In `table` and `plain`: [`Extra::Info`] and [`Extra::Memory`] add details to each row,
    /// [`Extra::Extended`] descriptors to the processes. The others change nothing here.
    pub extras: Extras,
    /// Where the details stand.
    pub place: Place,
    /// In `table`: are there colours?
    pub color: Color,
    /// In `table`: the width of the terminal; `None` = no limit.
    pub width: Option<u16>,
    /// In the `table` of `-s`: what the diagram is drawn with.
    pub signs: Signs,
}

impl Layout {
    fn style(&self, blanks: Blanks) -> Style {
        let descriptors = if self.extras.has(Extra::Extended) {
            Descriptors::Shown
        } else {
            Descriptors::Hidden
        };
        Style {
            blanks,
            descriptors,
        }
    }
}

/// What a JSON document says before its sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The name of the machine.
    pub host: String,
    /// When it was asked, RFC 3339.
    pub time: String,
}

/// The JSON schema (draft 2020-12) of `json`; `ndjson` lines are its `$defs/socket`.
pub const SCHEMA: &str = include_str!("schema.json");

/// The sink that writes a format to `out`. The envelope is for `json` alone.
pub fn sink<'w>(
    format: Format,
    layout: Layout,
    envelope: &Envelope,
    out: Box<dyn io::Write + 'w>,
) -> Box<dyn Sink + 'w> {
    let out = Out::new(out);
    match format {
        Format::Table => Box::new(table::Table::new(layout, out)),
        Format::Plain => Box::new(plain::Plain::new(&layout, out)),
        Format::Json => Box::new(json::Json::document(&layout, envelope, out)),
        Format::Ndjson => Box::new(json::Json::lines(&layout, out)),
        Format::Csv => Box::new(csv::Csv::new(&layout, out)),
        Format::Netstat(layout) => Box::new(Netstat::new(layout, out)),
    }
}

/// The writer of `netstat`, for whoever begins its sections.
pub fn netstat<'w>(layout: NetstatLayout, out: Box<dyn io::Write + 'w>) -> Netstat<'w> {
    Netstat::new(layout, Out::new(out))
}

#[cfg(test)]
mod tests;
