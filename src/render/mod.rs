//! Output: rows, counts and events as text, JSON, CSV and other formats.
//!
//! [`sink`] creates the writer of a format. [`RowBuffer`], in front of it, sorts and limits rows. [`Summing`]
//! counts rows instead. [`Format`] has a folder for each format. `schema.json` describes the JSON.

mod buffer;
mod cell;
mod detail;
mod digits;
mod endpoint;
mod events;
mod explain;
mod extras;
mod format;
mod grid;
mod groups;
mod netstat;
mod order;
mod out;
mod page;
mod paint;
mod schema;
mod search;
mod ss;
mod stamp;
mod style;
mod summary;
mod told;
pub mod view;
mod weight;

use std::io;
use std::ops::ControlFlow;

pub use crate::fields::Field;
use crate::model::{OwnedRow, Row, Summary};
pub use buffer::{Arrangement, NameHosts, RowBuffer};
pub use events::{EventLayout, EventSink, Grouping, rfc_3339};
pub use explain::push_explanation;
pub use extras::Extras;
pub use format::{Changes, event_sink, sink};
pub use groups::{GroupKey, Grouped, Groups};
pub use netstat::{NetstatLayout, Section};
pub use order::{Order, SortKey};
pub use paint::Color;
pub use schema::Engine;
pub use search::Search;
pub use ss::{Letters, SsLayout};
pub use stamp::Stamp;
pub use summary::{Since, Summing};

use netstat::Netstat;
use ss::Ss;

/// Receives the rows of a listing.
pub trait Sink {
    /// Receives a row; `Break` = no further row is wanted.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>>;

    /// Receives several rows in order, and true if there are no others; `Break` = no further row is wanted.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    fn rows(&mut self, rows: &[OwnedRow], _is_all: bool) -> io::Result<ControlFlow<()>> {
        for row in rows {
            if self.row(&row.row())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// True if the first rows, received together, decide the layout.
    fn is_laid_out(&self) -> bool {
        false
    }

    /// Ends the listing, and writes everything pending.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    fn finish(&mut self, summary: &Summary) -> io::Result<()>;
}

/// An output format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for people at a terminal.
    Table,
    /// Fixed columns for scripts, with the same number of words in every line, before details.
    #[default]
    Plain,
    /// One document.
    Json,
    /// One object per line.
    Ndjson,
    /// RFC 4180.
    Csv,
    /// CSV for spreadsheets: no cell is a formula.
    CsvSafe,
    /// The lines of `netstat`, with its own layout; otherwise like `plain`.
    Netstat(NetstatLayout),
    /// The lines of `ss`, with its own layout; otherwise like `plain`.
    Ss(SsLayout),
    /// Gauges; only for counts.
    Metrics(Metrics),
    /// The TCP state machine with counts; only for counts.
    Svg,
    /// A page of counts and sockets, or of exchanges.
    Html,
}

/// The end of metrics; otherwise the formats are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metrics {
    /// `# EOF`.
    OpenMetrics,
    /// The last sample.
    Prometheus,
}

/// The header line of `table`, `plain` and `csv`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HeaderLine {
    /// Comes first.
    #[default]
    Shown,
    /// Comes first, if any row follows.
    WithRows,
    /// `-H`.
    Hidden,
}

impl HeaderLine {
    const fn is_shown(self) -> bool {
        !matches!(self, Self::Hidden)
    }
}

/// Characters for lines and arrows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Signs {
    /// `+-|`
    #[default]
    Ascii,
    /// `┌─│`
    Unicode,
}

impl Signs {
    /// An arrow from one state to the next.
    const fn arrow(self) -> &'static str {
        match self {
            Self::Ascii => "->",
            Self::Unicode => "→",
        }
    }

    /// Marks a line cut at the edge of the screen.
    const fn more(self) -> char {
        match self {
            Self::Ascii => '>',
            Self::Unicode => '…',
        }
    }
}

/// The amount of text for counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Counted {
    /// Everything.
    #[default]
    Whole,
    /// Five lines.
    Brief,
    /// As much as fits a screen, [compared](Summing::compare) with the round before.
    Compared,
}

/// What to show, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The columns in order; in JSON the keys. Default: [`Format::columns`].
    pub columns: Vec<Field>,
    /// The header line.
    pub header: HeaderLine,
    /// In `table` and `plain`: [`Extras::INFO`] and [`Extras::MEMORY`] add details to each row,
    /// [`Extras::EXTENDED`] descriptors to processes. Others have no effect here.
    pub extras: Extras,
    /// True if details are on the row's line (`-O`), and cells of `table` are not wrapped; otherwise details
    /// have a line of their own below it.
    pub one_line: bool,
    /// In `table`: colors.
    pub color: Color,
    /// In `table`: the width of the terminal; `None` = no limit.
    pub width: Option<u16>,
    /// In the `table` of `-s`: the height of the terminal, which limits listeners; `None` = no limit.
    pub height: Option<u16>,
    /// In the text of `-s`: how much of it.
    pub counted: Counted,
    /// In `table`: omits empty columns of [`Extras::EXTENDED`], if all rows are known before the first is
    /// written.
    pub leaves_out_empty: bool,
    /// In the `table` of `-s`: characters of the diagram.
    pub signs: Signs,
    /// In `html`: the filter, which the page shows.
    pub filter: String,
}

/// The place and time of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The host name.
    pub host: String,
    /// The time of the request, RFC 3339.
    pub time: String,
    /// The position among several lists.
    pub repetition: Repetition,
    /// The stamp at the start of rows; `None` = only what several lists need.
    pub stamp: Option<Stamp>,
}

/// The position of a list among those of `-c` in one output. In text each begins with the time, in JSON each
/// is a line, and CSV is one table with time and host as first columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Repetition {
    /// The only one.
    #[default]
    Single,
    /// Others follow.
    First,
    /// Follows another.
    Later,
}

impl Envelope {
    /// Starts a text; with the time, if it is one of several.
    fn begin_text(&self, out: &mut Vec<u8>) {
        if self.repetition != Repetition::Single {
            out.extend_from_slice(self.time.as_bytes());
            out.push(b'\n');
        }
    }
}

/// The JSON schema (draft 2020-12) of `json`; `ndjson` lines are its `$defs/socket`.
pub const SCHEMA: &str = include_str!("schema.json");

#[cfg(test)]
mod tests;
