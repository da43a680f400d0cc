//! Rows to text, JSON and CSV.
//!
//! [`sink`] makes the writer of a format, [`RowBuffer`] stands before it: it sorts, limits, and keeps the
//! rows that this takes. [`Summing`] counts rows instead. [`Format`] has a folder for each format.
//! `schema.json` describes the JSON.

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

/// Takes the rows of a listing, one after another.
pub trait Sink {
    /// One row; `Break` when no further row is wanted.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>>;

    /// Many rows at once, in their order, and whether they are all there are; `Break` when no further row is wanted.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    fn rows(&mut self, rows: &[OwnedRow], _is_all: bool) -> io::Result<ControlFlow<()>> {
        for row in rows {
            if self.row(&row.row())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// True if the first rows, given at once, decide how all are laid out.
    fn is_laid_out(&self) -> bool {
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for people at a terminal.
    Table,
    /// Fixed columns for scripts: the same number of words in every line, before details.
    #[default]
    Plain,
    /// One document.
    Json,
    /// One object a line.
    Ndjson,
    /// RFC 4180.
    Csv,
    /// The same for spreadsheets: no cell is a formula.
    CsvSafe,
    /// The lines of `netstat`, in a layout of its own; everything else is as in `plain`.
    Netstat(NetstatLayout),
    /// The lines of `ss`, likewise.
    Ss(SsLayout),
    /// Gauges; of counts alone.
    Metrics(Metrics),
    /// The TCP state machine with its counts; likewise.
    Svg,
    /// A page: of counts with the sockets, or of exchanges.
    Html,
}

/// How gauges end: the formats are alike else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metrics {
    /// With `# EOF`.
    OpenMetrics,
    /// With the last of them.
    Prometheus,
}

/// The line of titles, in `table`, `plain` and `csv`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HeaderLine {
    /// It comes first.
    #[default]
    Shown,
    /// It comes first, if any row follows.
    WithRows,
    /// `-H`.
    Hidden,
}

impl HeaderLine {
    const fn is_shown(self) -> bool {
        !matches!(self, Self::Hidden)
    }
}

/// What lines and arrows are drawn with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Signs {
    /// `+-|`
    #[default]
    Ascii,
    /// `┌─│`
    Unicode,
}

impl Signs {
    /// From one state to the next.
    const fn arrow(self) -> &'static str {
        match self {
            Self::Ascii => "->",
            Self::Unicode => "→",
        }
    }

    /// What stands where a line goes on beyond the screen.
    const fn more(self) -> char {
        match self {
            Self::Ascii => '>',
            Self::Unicode => '…',
        }
    }
}

/// How much text there is about counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Counted {
    /// All.
    #[default]
    Whole,
    /// Five lines.
    Brief,
    /// What fits a screen, [compared](Summing::compare) with the round before.
    Compared,
}

/// What is shown, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The columns, in their order; in JSON the keys. [`Format::columns`] where none were chosen.
    pub columns: Vec<Field>,
    /// Is there a line of titles?
    pub header: HeaderLine,
    /// In `table` and `plain`: [`Extras::INFO`] and [`Extras::MEMORY`] add details to each row,
    /// [`Extras::EXTENDED`] descriptors to the processes. The others change nothing here.
    pub extras: Extras,
    /// True if the details end the row's line (`-O`), and no cell of `table` is broken; else they are on
    /// a line of their own below it.
    pub one_line: bool,
    /// In `table`: are there colours?
    pub color: Color,
    /// In `table`: the width of the terminal; `None` = no limit.
    pub width: Option<u16>,
    /// In the `table` of `-s`: the height of the terminal, which listeners may fill; `None` = no limit.
    pub height: Option<u16>,
    /// In the text of `-s`: how much there is.
    pub counted: Counted,
    /// In `table`: columns of [`Extras::EXTENDED`] that are empty in every row are left out, where all rows are seen before the first
    /// one is written.
    pub leaves_out_empty: bool,
    /// In the `table` of `-s`: what the diagram is drawn with.
    pub signs: Signs,
    /// In `html`: the filter, to be told.
    pub filter: String,
}

/// Where and when a list is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The name of the machine.
    pub host: String,
    /// When it was asked, RFC 3339.
    pub time: String,
    /// Whether there are several.
    pub repetition: Repetition,
    /// What rows begin with; `None` = nothing but what belongs to rows of several lists.
    pub stamp: Option<Stamp>,
}

/// The place of a list among those that `-c` writes into one output. In text the time stands before each
/// of them, a JSON document is one line, and CSV is one table, whose first columns are
/// the time and the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Repetition {
    /// There is only this one.
    #[default]
    Single,
    /// Others follow.
    First,
    /// It follows another one.
    Later,
}

impl Envelope {
    /// Begins a text: with the time, if it is one of several.
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
